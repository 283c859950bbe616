"""Every result of the analysis in one place, computed in one pass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from analysis import (
    around,
    decomposition,
    drift,
    durations,
    evidence,
    factors,
    groups,
    history,
    idle,
    machines,
    omnibus,
    order,
    pairs,
    practical,
    published,
    resolution,
    robustness,
    sensitivity,
)
from analysis.around import Around
from analysis.decision import Decision
from analysis.decomposition import Split
from analysis.drift import When
from analysis.durations import Durations
from analysis.factors import Levels
from analysis.groups import Group
from analysis.history import Releases
from analysis.idle import AboveIdle
from analysis.machines import Machines
from analysis.omnibus import Omnibus
from analysis.order import Ran
from analysis.pair import PRIMARY, Index, Pair
from analysis.practical import Worth
from analysis.published import Published
from analysis.resolution import Detectable, Equivalence, Floor
from analysis.robustness import Disturbed, LeftOut, Outliers
from analysis.sensitivity import Mixed
from analysis.settings import Settings
from analysis.table import Table

#: Of more pairs than this only those that matter are shown; the files hold all.
MOST_PAIRS = 15


@dataclass(frozen=True)
class Findings:
    """What the statistics say; the verdict, the plots and the report only read it."""

    decision: Decision
    compared: tuple[tuple[str, str], ...]
    shown: frozenset[tuple[str, str]]
    groups: list[Group]
    pairs: list[Pair]
    omnibus: list[Omnibus]
    floor: Floor | None
    detectable: list[Detectable]
    equivalence: list[Equivalence]
    leave_one_out: list[LeftOut]
    outliers: Outliers
    disturbed: Disturbed
    durations: Durations
    split: list[Split]
    practical: list[Worth]
    above_idle: AboveIdle
    drift: When
    mixed: Mixed
    order: Ran
    around: Around
    published: Published | None
    history: Releases | None = None
    factors: Levels | None = None
    machines: Machines | None = None
    _index: list[Index] = field(default_factory=list, repr=False, compare=False)

    def pair(self, a: str, b: str, *tests: str, metric: str = "energy_j") -> Pair | None:
        """The row of the first of these tests (the one that decides by default) of a pair."""
        if not self._index:
            self._index.append(Index(self.pairs))
        return self._index[0].find(metric, a, b, *(tests or PRIMARY))


def analyse(
    table: Table, settings: Settings, step: Callable[[str], None] = lambda _: None
) -> Findings:
    """Run every part of the analysis; parts that the data cannot support say so in their rows."""
    decision = evidence.decided(table, settings)
    compared = evidence.comparisons(table, settings)
    step("pairs")
    rows = pairs.compare(table, settings, decision)
    step("robustness")
    return Findings(
        decision=decision,
        compared=compared,
        shown=_shown(table, compared, settings),
        groups=groups.describe_all(table),
        pairs=rows,
        omnibus=omnibus.test(table, settings),
        floor=resolution.noise_floor(table, settings, decision),
        detectable=resolution.detectable(table, settings, decision),
        equivalence=resolution.equivalence(table, settings, decision),
        leave_one_out=robustness.leave_one_out(table, settings, decision),
        outliers=robustness.without_outliers(table, settings, decision),
        disturbed=robustness.without_disturbed(table, settings, decision),
        durations=durations.analyse(table, settings, decision),
        split=decomposition.split(table, settings, decision),
        practical=practical.worth(table, settings, decision),
        above_idle=idle.above(table, settings, decision),
        drift=drift.analyse(table, settings, decision),
        mixed=sensitivity.mixed(table, settings),
        order=order.check(table, settings),
        around=around.analyse(table, settings),
        published=published.analyse(table, settings) if settings.published else None,
        history=history.analyse(table, settings, decision, compared),
        factors=factors.analyse(table, settings, decision, compared),
        machines=machines.analyse(table, settings, decision, compared),
    )


#: More steps of a history, or pairs within levels, than these are chosen from like any others.
MOST_STRUCTURED = 60


def _shown(
    table: Table, compared: tuple[tuple[str, str], ...], settings: Settings
) -> frozenset[tuple[str, str]]:
    """The pairs that a page shows: all, or of many each group's with its neighbour in energy, and
    those of the base with the groups that used least and most.
    """
    if len(compared) <= (MOST_STRUCTURED if settings.protocol.structured else MOST_PAIRS):
        return frozenset(compared)
    means = {g: np.log(table.values("energy_j", g)).mean() for g in table.groups}
    order = sorted(table.groups, key=lambda g: means[g])
    ends = {*order[: MOST_PAIRS // 3], *order[-MOST_PAIRS // 3 :]}
    near = {frozenset(pair) for pair in pairwise(order)}
    kept = [
        pair
        for pair in compared
        if (pair[0] == table.base and pair[1] in ends)
        or (frozenset(pair) in near and len(order) <= 2 * MOST_PAIRS)
    ]
    return frozenset(kept)
