"""The smallest difference that an experiment would resolve, for the tests that decide."""

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import chi2, t

#: The chance to resolve a difference of the size that is called detectable.
POWER = 0.80

#: Points of the average over the spread.
_NODES = 2000


def detectable(
    n: float, sd: float, divisor: float = 1.0, alpha: float = 0.05, power: float = POWER
) -> float:
    """The log ratio that is resolved with probability ``power``.

    ``sd`` is the standard deviation of the paired log ratios over ``n`` blocks; ``divisor`` is what
    a correction divides alpha by, see :func:`holm_divisor`.
    """
    if n < 2 or not sd > 0:
        return math.nan
    return sd / math.sqrt(n) * _noncentrality(int(n) - 1, alpha / divisor, power)


def holm_divisor(comparisons: int, groups: int) -> float:
    """What alpha is divided by, on the average of Holm's steps, where one of the groups differs.

    Of all pairs of k groups k − 1 are then true, and the steps divide by m, m − 1, … m − k + 2. Of
    fewer comparisons, such as those with one group, only one may be, which has to pass the first.
    """
    everything = groups * (groups - 1) // 2
    steps = max(groups - 2, 0) / 2.0 if comparisons == everything else 0.0
    return max(comparisons - steps, 1.0)


@lru_cache(maxsize=256)
def _noncentrality(df: int, alpha: float, power: float) -> float:
    """The noncentrality at which a two-sided t-test has ``power``.

    The power is averaged over the spread that the data happen to show (a chi of ``df``), which
    stays finite in the tails where noncentral t distributions do not.
    """
    limit = t.ppf(1.0 - alpha / 2.0, df)
    spread = np.sqrt(chi2.ppf((np.arange(_NODES) + 0.5) / _NODES, df) / df)

    def missing(delta: float) -> float:
        seen = ndtr(delta - limit * spread) + ndtr(-delta - limit * spread)
        return float(seen.mean()) - power

    return float(brentq(missing, 0.0, 5.0 + 5.0 * limit, xtol=1e-9))


def blocks_for(effect: float, sd: float, divisor: float = 1.0, alpha: float = 0.05) -> int | None:
    """The fewest blocks that resolve a log ratio of ``effect``; None beyond a million."""
    if not sd > 0:
        return None
    low, high = 1, 2
    while detectable(high, sd, divisor, alpha) > effect:
        low, high = high, high * 2
        if high > 1_000_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = detectable(middle, sd, divisor, alpha) <= effect
        low, high = (low, middle) if enough else (middle, high)
    return int(np.ceil(high))
