"""One test of one pair of groups, and how it is found among all."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from analysis import written

PAIRED_T = "paired-t-log"
WELCH_LOG = "welch-log"
WILCOXON = "wilcoxon-log"
WELCH = "welch"
MANN_WHITNEY = "mann-whitney"

#: The tests that decide, whichever a pair has.
PRIMARY = (PAIRED_T, WELCH_LOG)


class Ends(NamedTuple):
    """The ends of an interval of a change, in per cent; None where there is none."""

    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One test of one metric of two groups: how ``b`` differs from its base ``a``.

    Statistic, change, interval and effects are positive where ``b`` has more. None is what a test
    does not have, or what the data cannot tell; ``note`` says why a p-value is missing, or what it
    cannot show.
    """

    metric: str
    a: str
    b: str
    test: str
    paired: bool
    #: Blocks of a paired test, trials of both groups of an unpaired one.
    n: int
    #: Usable trials of either group.
    n_a: int
    n_b: int
    statistic: float | None = None
    p: float | None = None
    #: Holm's p, over the pairs of the metric.
    p_holm: float | None = None
    #: Change and its interval in per cent of ``a``.
    pct_change: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    hedges_g: float | None = None
    cliffs_delta: float | None = None
    note: str | None = None
    #: ``confirmatory`` for energy, ``exploratory`` for the rest.
    role: str | None = None
    #: Blocks in which both are usable.
    blocks: int | None = None
    #: Whether this is the test that decides.
    primary: bool | None = None
    #: Degrees of freedom of the test that decides.
    df: float | None = None
    #: Lag-1 correlation that the interval is widened by, 0 for none.
    memory: float | None = None
    #: Shapiro–Wilk of the blocks' log ratios.
    difference_shapiro_w: float | None = None
    difference_shapiro_p: float | None = None
    #: Whether the ranks' p is of their exact distribution.
    exact: bool | None = None
    #: The bootstrap's interval; None where none was asked for.
    bootstrap: Ends | None = None
    #: Whether this is the A/A pair.
    control: bool = False

    def written(self) -> dict[str, Any]:
        """For summary.json: what this test has."""
        row = written.picked(self, _HEAD)
        if self.bootstrap is not None:
            row |= {"boot_low": self.bootstrap.low, "boot_high": self.bootstrap.high}
        own = _DECIDES if self.test in PRIMARY else _RANKED if self.test == WILCOXON else _UNPAIRED
        row |= written.picked(self, own)
        if self.exact is None:
            row.pop("exact", None)
        return row | ({"control": True} if self.control else {})


#: What is written of a row, in this order: of all tests, and of the kinds of them.
_HEAD = ("p_holm", "metric", "a", "b", "n_a", "n_b", "role", "blocks")
_DECIDES = (
    "test", "paired", "primary", "n", "statistic", "df", "p", "pct_change", "ci_low", "ci_high",
    "memory", "difference_shapiro_w", "difference_shapiro_p", "note", "hedges_g", "cliffs_delta",
)  # fmt: skip
_RANKED = (
    "test", "paired", "primary", "n", "statistic", "p", "exact", "pct_change", "ci_low", "ci_high",
    "note", "hedges_g", "cliffs_delta",
)  # fmt: skip
_UNPAIRED = (
    "paired", "primary", "n", "statistic", "p", "pct_change", "ci_low", "ci_high", "hedges_g",
    "cliffs_delta", "test", "note",
)  # fmt: skip


class Index:
    """The rows of all tests by metric, pair and test, whichever way round the pair is asked for."""

    def __init__(self, rows: list[Pair]):
        self._rows = {(r.metric, frozenset((r.a, r.b)), r.test): r for r in reversed(rows)}

    def find(self, metric: str, a: str, b: str, *tests: str) -> Pair | None:
        """The row of the first of these tests that the pair has."""
        keys = ((metric, frozenset((a, b)), test) for test in tests)
        return next((self._rows[key] for key in keys if key in self._rows), None)


def find(rows: list[Pair], metric: str, a: str, b: str, test: str) -> Pair | None:
    """The row of one test of one pair; :class:`Index` where many are asked for."""
    return Index(rows).find(metric, a, b, test)
