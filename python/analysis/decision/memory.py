"""Blocks that remember: how much the error of a mean grows when neighbours resemble each other."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.decision.student import Mean, holm

#: Fewer blocks show no memory, whatever there is.
MIN_BLOCKS = 10

#: No lag-1 correlation above this is reckoned with; the mean would then hold no information.
_MOST = 0.8

#: The memory that is reckoned with, for the level alone, where there are too few blocks to see any.
_UNKNOWN = 0.35

#: One-sided levels at which the comparisons together, and one by itself after Holm, show a memory:
#: an alarm in 5% of experiments without any. With 5% each, the difference that is promised to be
#: found in 80% of experiments of ten blocks would be found in 77%.
TOGETHER, BY_ITSELF = 0.04, 0.01

#: One-sided level of the most memory that the data do not rule out.
_BOUND_LEVEL = 0.60


@dataclass(frozen=True)
class Memory:
    """Per series: the lag-1 autocorrelation and its one-sided p, the memory that it speaks for
    once its small-sample bias is taken away, and the most that the data do not rule out.
    """

    r1: np.ndarray
    p: np.ndarray
    estimate: np.ndarray
    bound: np.ndarray


@dataclass(frozen=True)
class Shared:
    """The memory of all comparisons together: its one-sided p, and the estimate without bias.

    ``widens`` is what intervals are widened by: the estimate where it is significant, else 0.
    """

    p: float
    estimate: float
    widens: float


def centred(values: np.ndarray, strata: np.ndarray | None) -> np.ndarray:
    """Every column less its mean, within each stratum by itself; 0 where missing."""
    out = np.zeros_like(values)
    codes = np.zeros(len(values), int) if strata is None else strata
    for code in np.unique(codes):
        own = values[codes == code]
        known = np.isfinite(own)
        count = np.maximum(known.sum(axis=0), 1)
        out[codes == code] = np.where(
            known, own - np.where(known, own, 0.0).sum(axis=0) / count, 0.0
        )
    return out


def lag_one(values: np.ndarray, strata: np.ndarray | None = None) -> Memory:
    """Of every column, in block order; neighbours of a missing block are no neighbours.

    Mean and variance of r1 without memory are Moran's (1948): −1/n and (n−2)²/(n²(n−1)). Its bias
    with a memory of φ is −(1+4φ)/n (Marriott and Pope 1954), undone in the estimate. Blocks of
    different ``strata``, machines, are no neighbours, and each has a mean of its own, so that the
    bias grows with their number.
    """
    n = np.isfinite(values).sum(axis=0).astype(float)
    means = 1.0 if strata is None else float(len(np.unique(strata)))
    away = centred(values, strata)
    product = away[:-1] * away[1:]
    if strata is not None:
        product = product[strata[1:] == strata[:-1]]
    with np.errstate(invalid="ignore", divide="ignore"):
        square = (away**2).sum(axis=0)
        r1 = product.sum(axis=0) / np.where(square > 1e-26, square, np.nan)
        r1 = np.where(n >= MIN_BLOCKS, r1, np.nan)
        spread = (n - 2.0) / (n * np.sqrt(n - 1.0))
        p = 1.0 - ndtr((r1 + means / n) / spread)
        estimate = (r1 + means / n) / (1.0 - 4.0 / n)
        bound = estimate + ndtri(_BOUND_LEVEL) * spread / (1.0 - 4.0 / n)
    bound = np.nan_to_num(bound, nan=_UNKNOWN)
    return Memory(r1, p, np.clip(estimate, 0.0, _MOST), np.clip(bound, 0.0, _MOST))


def shared(values: np.ndarray, strata: np.ndarray | None = None) -> Shared:
    """One memory for all columns, from the mean of their lag-1 autocorrelations.

    The columns share groups and blocks. Where series have the correlation ρ, their r1 have ρ²
    (without memory), so that the mean of m columns has 1/m² Σᵢⱼ sᵢ sⱼ ρᵢⱼ² of their variances sᵢ².
    What makes blocks alike, such as heat, mostly makes them alike for all groups, and a single pair
    of few blocks hardly shows it.
    """
    own = lag_one(values, strata)
    known = np.isfinite(own.r1)
    if not known.any():
        return Shared(np.nan, 0.0, 0.0)
    n = np.isfinite(values[:, known]).sum(axis=0).astype(float)
    means = 1.0 if strata is None else float(len(np.unique(strata)))
    away = centred(values[:, known], strata)
    spread = (n - 2.0) / (n * np.sqrt(n - 1.0))
    series = away / np.sqrt((away**2).sum(axis=0)) * np.sqrt(spread)
    # The squared norms of SᵀS and SSᵀ are one number; the smaller matrix is asked for it.
    small = series @ series.T if len(n) > len(series) else series.T @ series
    error = np.sqrt((small**2).sum()) / len(n)
    above = own.r1[known] + means / n
    p = float(1.0 - ndtr(above.mean() / error))
    estimate = float(np.clip((above / (1.0 - 4.0 / n)).mean(), 0.0, _MOST))
    return Shared(p, estimate, estimate if p < TOGETHER else 0.0)


def widening(own: Memory, together: Shared) -> np.ndarray:
    """The memory that each column's interval is widened by, 0 for none."""
    alone = np.where(holm(own.p) < BY_ITSELF, own.estimate, 0.0)
    return np.maximum(alone, together.widens)


def widened(mean: Mean, phi: np.ndarray) -> Mean:
    """The means with the error that a lag-1 memory of ``phi`` gives them.

    The variance of a mean of n values grows by f = 1 + 2 Σ (1 − k/n) φᵏ, while their sample
    variance shrinks by (n − f)/(n − 1); its degrees of freedom go down by (1 − φ²)/(1 + φ²).
    """
    n = np.maximum(mean.n, 2).astype(float)
    phi = np.asarray(phi, float)
    f = 1.0 + 2.0 * (phi / (1 - phi) - phi * (1 - phi**n) / (n * (1 - phi) ** 2))
    factor = np.sqrt(f * (n - 1.0) / np.maximum(n - f, 0.5))
    df = np.maximum(mean.df * (1 - phi**2) / (1 + phi**2), np.minimum(mean.df, 1.0))
    return mean.widened(factor, df)


def effective(n: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """How many independent blocks ``n`` blocks with a memory of ``phi`` are worth."""
    n = np.asarray(n, float)
    return n / (1.0 + 2.0 * (phi / (1 - phi) - phi * (1 - phi**n) / (n * (1 - phi) ** 2)))
