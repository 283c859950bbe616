"""The comparisons as the verdict tells them, and the ranking that they make."""

from dataclasses import dataclass
from typing import NamedTuple


class Known(NamedTuple):
    """A change with its interval, in per cent."""

    pct: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One comparison of energy: what it comes to, and why not to more.

    Changes are in per cent of ``base``, positive where ``group`` used more; None is what cannot be
    said.
    """

    base: str
    group: str
    #: Whether blocks are compared, and not single trials: the same under two names, for readers.
    paired: bool
    within_blocks: bool
    #: Blocks, or trials of both groups where it is unpaired.
    n: int
    #: Usable trials of ``base`` and of ``group``.
    n_a: int
    n_b: int
    pct_change: float | None
    ci_low: float | None
    ci_high: float | None
    interval: str
    #: The change as a natural logarithm of the ratio, its standard error, degrees of freedom.
    log_ratio: float | None
    log_se: float | None
    df: float | None
    #: Of the test that decides: by itself, and after Holm's correction.
    p: float | None
    p_parametric: float | None
    #: Of the ranks, by itself, and why they cannot tell.
    p_rank: float | None
    rank_note: str | None
    tested: bool
    #: Whether ranks agree.
    agree: bool | None
    #: Whether the outcome is the same with any one block left out.
    survives: bool | None
    resolved: bool
    why_not: str | None
    note: str | None
    #: Lag-1 correlation that the interval is widened by, 0 for none.
    memory: float
    #: The margin of equivalence in per cent, whether it holds, and the smallest that would.
    margin_pct: float | None
    equivalent: bool | None
    equivalent_within_pct: float | None

    @property
    def known(self) -> Known:
        """The change of a comparison that has one with its interval, as every resolved one has."""
        if self.pct_change is None or self.ci_low is None or self.ci_high is None:
            raise ValueError(f"{self.group} against {self.base} has no change with an interval")
        return Known(self.pct_change, self.ci_low, self.ci_high)


@dataclass(frozen=True)
class Place:
    """A group in the ranking: the places, from 1, that it may have, and the groups tied with it."""

    group: str
    #: Geometric mean energy of all usable trials, in joules.
    geometric_mean_j: float
    first: int
    last: int
    tied_with: list[str]
