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
    n: float, sd: float, comparisons: int = 1, alpha: float = 0.05, power: float = POWER
) -> float:
    """The log ratio that is resolved with probability ``power``.

    ``sd`` is the standard deviation of the paired log ratios over ``n`` blocks. Holm's steps ask
    p-values to pass ``alpha / comparisons`` and then less: where one of k groups differs, k − 1
    comparisons are true, and on average the ``holm_divisor`` is what they have to pass.
        """
    if n < 2 or not sd > 0:
        return math.nan
    return sd / math.sqrt(n) * _noncentrality(int(n) - 1, alpha / holm_divisor(comparisons), power)


def holm_divisor(comparisons: int) -> float:
    """What alpha is divided by, on the average of Holm's steps, where one of the groups differs.

    The steps of its k − 1 comparisons divide by m, m − 1, … m − k + 2.
    """
    groups = (1.0 + math.sqrt(1.0 + 8.0 * max(comparisons, 1))) / 2.0
    return max(comparisons - (groups - 2.0) / 2.0, 1.0)


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


def blocks_for(effect: float, sd: float, comparisons: int = 1, alpha: float = 0.05) -> int | None:
    """The fewest blocks that resolve a log ratio of ``effect``; None beyond a million."""
    if not sd > 0:
        return None
    low, high = 1, 2
    while detectable(high, sd, comparisons, alpha) > effect:
        low, high = high, high * 2
        if high > 1_000_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        enough = detectable(middle, sd, comparisons, alpha) <= effect
        low, high = (low, middle) if enough else (middle, high)
    return int(np.ceil(high))
