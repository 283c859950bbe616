"""How few data are too few: where even the most extreme outcome could not be significant."""

import math

import numpy as np

#: Why a pair is not resolved, where nothing else is the reason.
INSIGNIFICANT = "not significant after Holm"

#: What remains of a difference of equal logarithms.
_ROUNDING = 1e-13


def smallest_paired_p(pairs: int) -> float:
    """The smallest two-sided p of an exact Wilcoxon signed-rank test: all differences one way."""
    return 2.0 * 0.5**pairs


def smallest_unpaired_p(n_a: int, n_b: int) -> float:
    """The smallest two-sided p of an exact Mann–Whitney test: no overlap at all.

    By logarithms, for the number of arrangements of a thousand trials is no float.
    """
    arrangements = math.lgamma(n_a + n_b + 1) - math.lgamma(n_a + 1) - math.lgamma(n_b + 1)
    return 2.0 * math.exp(-arrangements)


def blocks_needed(alpha: float) -> int:
    """The fewest blocks with which an exact paired test can reach ``alpha``; 6 at 0.05."""
    blocks = 2
    while smallest_paired_p(blocks) >= alpha:
        blocks += 1
    return blocks


def ranks_cannot(pairs: int, alpha: float) -> str | None:
    """Why ranks show nothing with so few blocks, or nothing."""
    if smallest_paired_p(pairs) < alpha:
        return None
    return f"ranks cannot reach {alpha:g} with {pairs} {'block' if pairs == 1 else 'blocks'}"


def too_few_unpaired(n_a: int, n_b: int, alpha: float) -> str | None:
    """Why groups of ``n_a`` and ``n_b`` trials are too small for a p-value, or nothing."""
    if min(n_a, n_b) >= 2 and smallest_unpaired_p(n_a, n_b) < alpha:
        return None
    return (
        f"{n_a} and {n_b} trials: an exact two-sided rank-sum test cannot fall below {alpha:g} "
        "with groups that small"
    )


def no_spread(values: np.ndarray) -> bool:
    """Whether values are the same but for rounding, so that no test of them means anything."""
    if len(values) == 0:
        return True
    return bool(np.ptp(values) <= max(1e-12 * np.max(np.abs(values)), _ROUNDING))
