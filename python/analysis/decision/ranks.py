"""The exact signed-rank test, fast enough to be asked thousands of times."""

from functools import lru_cache

import numpy as np
from scipy import stats

#: An exact distribution is used up to this many pairs, as SciPy's own limit.
EXACT_PAIRS = 50


@lru_cache(maxsize=64)
def _lower_tail(n: int) -> np.ndarray:
    """P(W ≤ w) for w = 0 … n(n+1)/2 when every sign is a coin's."""
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):
        ways[rank:] = ways[rank:] + ways[:-rank]
    return np.cumsum(ways / 2.0**n)


def signed_rank(differences: np.ndarray) -> tuple[float, float, bool]:
    """Statistic (the smaller rank sum), two-sided p and whether it is exact.

    Exact without ties and zeros up to :data:`EXACT_PAIRS` pairs; SciPy's choice otherwise; NaN
    where all differences are zero.
    """
    sizes = np.abs(differences)
    n = len(sizes)
    if not n or not sizes.any():
        return np.nan, np.nan, False
    order = np.argsort(sizes)
    ordered = sizes[order]
    if n > EXACT_PAIRS or ordered[0] == 0 or (np.diff(ordered) == 0).any():
        found = stats.wilcoxon(differences)
        return float(found.statistic), float(found.pvalue), False
    plus = float((np.flatnonzero(differences[order] > 0) + 1).sum())
    least = int(min(plus, n * (n + 1) // 2 - plus))
    return float(least), float(min(1.0, 2.0 * _lower_tail(n)[least])), True


def smallest_p(n: int) -> float:
    """The smallest two-sided p that the exact test can give: all differences one way."""
    return 2.0 * 0.5**n


def hodges_lehmann(differences: np.ndarray, alpha: float) -> tuple[float, float, float]:
    """The Hodges–Lehmann estimate with its exact interval; infinite ends where n is too small.

    Beyond :data:`EXACT_PAIRS` pairs the normal approximation chooses the ends.
    """
    n = len(differences)
    rows, columns = np.triu_indices(n)
    walsh = np.sort((differences[rows] + differences[columns]) / 2.0)
    if n <= EXACT_PAIRS:
        tail = _lower_tail(n)
        k = int(np.searchsorted(tail, alpha / 2.0, side="right"))  # least w with P(W ≤ w) > α/2
    else:
        mean, variance = n * (n + 1) / 4.0, n * (n + 1) * (2 * n + 1) / 24.0
        k = int(mean - stats.norm.ppf(1.0 - alpha / 2.0) * np.sqrt(variance))
    if k < 1:
        return float(np.median(walsh)), -np.inf, np.inf
    return float(np.median(walsh)), float(walsh[k - 1]), float(walsh[len(walsh) - k])
