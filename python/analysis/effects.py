"""How large a difference is: percentage change, Hedges g and Cliff's delta.

All say how ``b`` differs from the base ``a``: a positive change means that ``b`` has more.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from analysis import limits
from analysis.settings import RESAMPLES

#: Values beside which a bootstrap adds nothing: Student's interval and its own are then the same.
MOST_BOOTSTRAPPED = 200


def percent(log_ratio: float) -> float:
    """A difference of natural logarithms as a percentage change."""
    return float(100.0 * np.expm1(log_ratio))


def known_percent(log_ratio: float) -> float | None:
    """The same; None where the difference is not finite."""
    return percent(log_ratio) if np.isfinite(log_ratio) else None


def known(value: float) -> float | None:
    """A number; None where it is not finite."""
    return float(value) if np.isfinite(value) else None


class Sizes(NamedTuple):
    """Standardised effects, without a unit; None where the values give none."""

    hedges_g: float | None
    cliffs_delta: float | None


def standardised(a: np.ndarray, b: np.ndarray, paired: bool) -> Sizes:
    """Hedges g and Cliff's delta of ``b`` against the base ``a``, on the values given.

    Hedges g is pingouin's: the mean difference over the average standard deviation when paired
    (so that blocks do not inflate it), over the pooled one otherwise, corrected for small samples.
    Cliff's delta is the share of pairs of trials in which ``b`` has more, less that in which it has
    less.
    """
    n, m = len(a), len(b)
    if not n or not m:
        return Sizes(None, None)
    ordered = np.sort(a)
    less = np.searchsorted(ordered, b, "left").sum()
    more = (n - np.searchsorted(ordered, b, "right")).sum()
    delta = float(less - more) / (n * m)
    if min(n, m) < 2 or (limits.no_spread(a) and limits.no_spread(b)):
        return Sizes(None, delta)
    var_a, var_b = a.var(ddof=1), b.var(ddof=1)
    pooled = (var_a + var_b) / 2.0 if paired else ((n - 1) * var_a + (m - 1) * var_b) / (n + m - 2)
    g = (b.mean() - a.mean()) / math.sqrt(pooled) * (1.0 - 3.0 / (4.0 * (n + m) - 9.0))
    return Sizes(float(g) if math.isfinite(g) else None, delta)


@lru_cache(maxsize=16)
def _counts(seed: int, n: int, resamples: int) -> np.ndarray:
    """How often each of ``n`` values is drawn in each resample, as shares that sum to one."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1.0 / n), size=resamples) / n


def bootstrap(
    samples: tuple[np.ndarray, ...], confidence: float, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """A seeded BCa interval of a mean, or of the second sample's mean less the first's.

    Nothing where resampling says nothing: fewer than six values give an interval that is far too
    narrow, whatever the method (at ten it still covers 90% where 95% is said, which is why no
    decision rests on it), and beyond :data:`MOST_BOOTSTRAPPED` it only costs time.
    """
    sizes = [len(s) for s in samples]
    if min(sizes) < 6 or max(sizes) > MOST_BOOTSTRAPPED or all(map(limits.no_spread, samples)):
        return None
    signs = (1.0,) if len(samples) == 1 else (-1.0, 1.0)
    drawn = np.zeros(resamples)
    influence = []
    for i, (sign, values) in enumerate(zip(signs, samples, strict=True)):
        drawn += sign * (_counts(seed + i, len(values), resamples) @ values)
        # What each value does to its mean (Efron 1987).
        influence.append(sign * (values - values.mean()) / len(values))
    mean = sum(sign * values.mean() for sign, values in zip(signs, samples, strict=True))
    moved = np.concatenate(influence)
    square = (moved**2).sum()
    bias = ndtri(np.clip(((drawn < mean).sum() + (drawn <= mean).sum()) / (2 * resamples), 1e-9, 1))
    acceleration = (moved**3).sum() / (6.0 * square**1.5)
    z = bias + ndtri(np.array([(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]))
    levels = ndtr(bias + z / (1.0 - acceleration * z))
    if not np.isfinite(levels).all():
        return None
    low, high = np.quantile(drawn, levels)
    return float(low), float(high)
