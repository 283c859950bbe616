"""How large a difference is: percentage change, Hedges g and Cliff's delta, with intervals.

All three say how ``b`` differs from the base ``a``: a positive change means that ``b`` has more.
"""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pingouin
from scipy import stats

from analysis import limits
from analysis.settings import RESAMPLES

#: Resamples of Hedges g and Cliff's delta, which no decision rests on.
_SECONDARY_RESAMPLES = 4999


def percent(log_ratio: float) -> float:
    """A difference of natural logarithms as a percentage change."""
    return float(100.0 * np.expm1(log_ratio))


def change_paired(
    log_a: np.ndarray,
    log_b: np.ndarray,
    confidence: float,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Percentage change of the geometric mean within blocks, from ``a`` to ``b``.

    The interval resamples whole blocks (``scipy.stats.bootstrap``, BCa); ``t_low`` and ``t_high``
    are the Student interval of the mean log ratio beside it, the only one given below six blocks.
    """
    differences = log_b - log_a
    found = _change((differences,), np.mean, differences.mean(), confidence, seed, resamples)
    return found | _t_interval(differences, confidence)


def change_unpaired(
    log_a: np.ndarray,
    log_b: np.ndarray,
    confidence: float,
    seed: int,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """Percentage change of the geometric mean between independent trials, from ``a`` to ``b``."""
    mean = log_b.mean() - log_a.mean()

    def difference(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
        return second.mean(axis=axis) - first.mean(axis=axis)

    low = high = None
    if min(len(log_a), len(log_b)) > 1 and not (
        limits.no_spread(log_a) and limits.no_spread(log_b)
    ):
        found = stats.ttest_ind(log_b, log_a, equal_var=False).confidence_interval(confidence)
        low, high = _finite(percent(found.low)), _finite(percent(found.high))
    found = _change((log_a, log_b), difference, mean, confidence, seed, resamples)
    return found | {"t_low": low, "t_high": high}


def _change(
    samples: tuple, statistic: Any, mean: float, confidence: float, seed: int, resamples: int
) -> dict[str, Any]:
    interval = bootstrap(samples, statistic, confidence, seed, resamples)
    low, high = interval if interval else (None, None)
    return {
        "pct_change": percent(mean),
        "ci_low": None if low is None else percent(low),
        "ci_high": None if high is None else percent(high),
    }


def bootstrap(
    samples: tuple, statistic: Any, confidence: float, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """A seeded BCa interval, or nothing where resampling says nothing (fewer than six values).

    Fewer values than six give an interval that is far too narrow, whatever the method.
    """
    if min(len(s) for s in samples) < 6:
        return None
    if all(limits.no_spread(s) for s in samples):
        value = float(statistic(*samples))
        return value, value
    with warnings.catch_warnings():
        # BCa warns when almost all values are equal; an interval that is not finite is dropped.
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            samples,
            statistic,
            confidence_level=confidence,
            n_resamples=resamples,
            method="BCa",
            vectorized=True,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
    if not np.isfinite([found.low, found.high]).all():
        return None
    return float(found.low), float(found.high)


def _t_interval(differences: np.ndarray, confidence: float) -> dict:
    if len(differences) < 2 or limits.no_spread(differences):
        return {"t_low": None, "t_high": None}
    found = stats.ttest_1samp(differences, 0.0).confidence_interval(confidence)
    return {"t_low": _finite(percent(found.low)), "t_high": _finite(percent(found.high))}


def standardised(
    a: np.ndarray,
    b: np.ndarray,
    paired: bool,
    confidence: float,
    seed: int,
    intervals: bool = True,
) -> dict[str, Any]:
    """Hedges g and Cliff's delta of ``b`` against the base ``a``, on the values given.

    Hedges g is pingouin's: the mean difference over the average standard deviation when paired
    (so that blocks do not inflate it), over the pooled one otherwise, corrected for small samples.
    Cliff's delta is ``2U/(nm) - 1`` with U of Mann–Whitney. Their intervals are seeded percentile
    bootstraps of whole blocks (paired) or of trials.
    """
    empty = dict.fromkeys(
        ("hedges_g", "hedges_g_low", "hedges_g_high", "cliffs_delta", "cliffs_delta_low",
         "cliffs_delta_high")
    )  # fmt: skip
    if not len(a) or not len(b):
        return empty
    u = stats.mannwhitneyu(b, a, method="asymptotic").statistic
    found = empty | {"cliffs_delta": float(2.0 * u / (len(a) * len(b)) - 1.0)}
    if min(len(a), len(b)) < 2 or (limits.no_spread(a) and limits.no_spread(b)):
        return found
    g = pingouin.compute_effsize(b, a, paired=paired, eftype="hedges")
    found["hedges_g"] = _finite(g)
    if not intervals or min(len(a), len(b)) < 6:
        return found
    weights_a = _weights(seed, len(a))
    weights_b = weights_a if paired else _weights(seed + 1, len(b))
    tails = np.array([(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    signs = np.sign(b[:, None] - a[None, :])
    deltas = np.einsum("ri,ij,rj->r", weights_b, signs, weights_a, optimize=True)
    low, high = np.quantile(deltas, tails)
    found["cliffs_delta_low"], found["cliffs_delta_high"] = float(low), float(high)
    resampled = hedges(weights_a, a, weights_b, b, paired)
    if np.isfinite(resampled).all():
        low, high = np.quantile(resampled, tails)
        found["hedges_g_low"], found["hedges_g_high"] = float(low), float(high)
    return found


@lru_cache(maxsize=8)
def _weights(seed: int, n: int) -> np.ndarray:
    """How often each of ``n`` values is drawn in each resample, as shares that sum to one."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1.0 / n), size=_SECONDARY_RESAMPLES) / n


def hedges(
    weights_a: np.ndarray, a: np.ndarray, weights_b: np.ndarray, b: np.ndarray, paired: bool
) -> np.ndarray:
    """Hedges g of ``b`` against ``a`` for every row of weights, as pingouin defines it."""

    def moments(weights: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = weights @ x
        spread = np.maximum(weights @ x**2 - mean**2, 0.0)
        return mean, spread * len(x) / (len(x) - 1)

    shift = a.mean()  # centred first: the variance of large numbers would cancel
    mean_a, var_a = moments(weights_a, a - shift)
    mean_b, var_b = moments(weights_b, b - shift)
    n_a, n_b = len(a), len(b)
    if paired:
        variance = (var_a + var_b) / 2.0
    else:
        variance = ((n_a - 1) * var_a + (n_b - 1) * var_b) / (n_a + n_b - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = (mean_b - mean_a) / np.sqrt(variance)
    return d * (1.0 - 3.0 / (4.0 * (n_a + n_b) - 9.0))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
