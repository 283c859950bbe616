"""Student's t on many series at once, and Holm's correction."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

#: Below this share of their size, differences of equal values are rounding.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Mean:
    """Mean, standard error and degrees of freedom of each column; NaN where undefined.

    ``n`` counts the values. Without any spread the error is NaN: no test of that means anything.
    """

    n: np.ndarray
    mean: np.ndarray
    se: np.ndarray
    df: np.ndarray

    def p(self) -> np.ndarray:
        """Two-sided p of a mean of zero."""
        return two_sided(self.mean / self.se, self.df)

    def half(self, alpha: float | np.ndarray) -> np.ndarray:
        """Half the width of the interval of confidence ``1 - alpha``."""
        return quantile(1.0 - alpha / 2.0, self.df) * self.se

    def widened(self, factor: np.ndarray, df: np.ndarray) -> "Mean":
        """The same means with their errors multiplied and other degrees of freedom."""
        return Mean(self.n, self.mean, self.se * factor, df)


def two_sided(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Two-sided p of a t statistic."""
    with np.errstate(invalid="ignore"):
        return 2.0 * stdtr(df, -np.abs(t))


def quantile(level: float | np.ndarray, df: np.ndarray | float) -> np.ndarray:
    """Student's quantile, NaN without a degree of freedom."""
    df = np.asarray(df, float)
    return stdtrit(np.where(df > 0, df, np.nan), level)


def of_columns(values: np.ndarray) -> Mean:
    """Each column's mean over what it has."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = np.where(known, values, 0.0)
        mean = filled.sum(axis=0) / n
        centred = np.where(known, values - mean, 0.0)
        sd = np.sqrt((centred**2).sum(axis=0) / (n - 1))
        size = np.abs(filled).max(axis=0, initial=0.0)
        flat = np.abs(centred).max(axis=0, initial=0.0) <= np.maximum(1e-12 * size, _ROUNDING)
        se = np.where((n > 1) & ~flat, sd / np.sqrt(n), np.nan)
    return Mean(n, mean, se, (n - 1).astype(float))


def welch(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Mean of ``b`` minus mean of ``a``, its standard error and Welch's degrees of freedom."""
    if min(len(a), len(b)) < 1:
        return np.nan, np.nan, np.nan
    mean = float(b.mean() - a.mean())
    if min(len(a), len(b)) < 2:
        return mean, np.nan, np.nan
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    largest = max(np.abs(a).max(), np.abs(b).max())
    if np.sqrt(parts.sum()) <= max(1e-12 * largest, _ROUNDING):
        return mean, np.nan, np.nan
    df = parts.sum() ** 2 / (parts**2 / np.array([len(a) - 1, len(b) - 1])).sum()
    return mean, float(np.sqrt(parts.sum())), float(df)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's correction along the last axis; missing p stay missing and do not count."""
    p = np.asarray(p, float)
    order = np.argsort(p, axis=-1)  # NaN goes last
    ordered = np.take_along_axis(p, order, axis=-1)
    count = np.isfinite(p).sum(axis=-1, keepdims=True)
    factors = np.maximum(count - np.arange(p.shape[-1]), 1)
    corrected = np.minimum(np.maximum.accumulate(ordered * factors, axis=-1), 1.0)
    out = np.empty_like(p)
    np.put_along_axis(out, order, corrected, axis=-1)
    return np.where(np.isfinite(p), out, np.nan)
