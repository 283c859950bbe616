"""Blocks that remember: how much the error of a mean grows when neighbours resemble each other."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.decision.student import Mean

#: Fewer blocks show no memory, whatever there is.
MIN_BLOCKS = 10

#: No lag-1 correlation above this is reckoned with; the mean would then hold no information.
_MOST = 0.8

#: The memory that is reckoned with, for the level alone, where there are too few blocks to see any.
_UNKNOWN = 0.35

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
