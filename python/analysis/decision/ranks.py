"""The exact signed-rank test, fast enough to be asked thousands of times."""

from functools import lru_cache

import numpy as np
from scipy import stats

#: An exact distribution is used up to this many pairs, as SciPy's own limit.
EXACT_PAIRS = 50

#: Of more values than these the Walsh averages are not all made; so many of them are, about.
_MOST_IN_FULL, _MOST_LISTED = 1000, 1_000_000


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
    averages = n * (n + 1) // 2
    middle = [(averages - 1) // 2, averages // 2]
    if n <= EXACT_PAIRS:
        tail = _lower_tail(n)
        k = int(np.searchsorted(tail, alpha / 2.0, side="right"))  # least w with P(W ≤ w) > α/2
    else:
        mean, variance = n * (n + 1) / 4.0, n * (n + 1) * (2 * n + 1) / 24.0
        k = int(mean - stats.norm.ppf(1.0 - alpha / 2.0) * np.sqrt(variance))
    wanted = middle if k < 1 else [*middle, k - 1, averages - k]
    found = _walsh(differences, wanted)
    centre = float(np.mean(found[:2]))
    return (centre, -np.inf, np.inf) if k < 1 else (centre, float(found[2]), float(found[3]))


def _walsh(values: np.ndarray, ranks: list[int]) -> np.ndarray:
    """The Walsh averages, means of two values or of one with itself, of these ranks from 0."""
    if len(values) > _MOST_IN_FULL:
        ordered = np.sort(values)
        return np.array([_select(ordered, rank) for rank in ranks])
    rows, columns = np.triu_indices(len(values))
    return np.sort((values[rows] + values[columns]) / 2.0)[ranks]


def _select(values: np.ndarray, rank: int) -> float:
    """One Walsh average of many sorted values, without a list of all, which grows as their square.

    A value's averages with those after it ascend, so that a search tells how many are below a
    limit. Limits are halved until few averages are between them, and those are listed. Rounding
    puts an average near a limit on either side of it, so both are moved away before that.
    """
    first = np.arange(len(values))
    room = 1e-12 * float(np.abs(values[[0, -1]]).max())

    def below(limit: float) -> np.ndarray:
        return np.maximum(np.searchsorted(values, 2.0 * limit - values), first)

    low, high = float(values[0]) - room, float(values[-1]) + room
    begin, end = below(low), below(high)
    while (end - begin).sum() > _MOST_LISTED and high - low > 8.0 * room:
        limit = (low + high) / 2.0
        at = below(limit)
        if (at - first).sum() <= rank:
            low, begin = limit, at
        else:
            high, end = limit, at
    begin, end = below(low - room), below(high + room)
    counts = end - begin
    rows = np.repeat(first, counts)
    columns = np.repeat(begin - np.cumsum(counts) + counts, counts) + np.arange(len(rows))
    place = rank - int((begin - first).sum())
    return float(np.partition((values[rows] + values[columns]) / 2.0, place)[place])
