"""Every result of the analysis in one place, computed in one pass."""

from dataclasses import dataclass
from typing import Any

from analysis import (
    conditions,
    decomposition,
    drift,
    groups,
    omnibus,
    order,
    pairs,
    practical,
    published,
    resolution,
    robustness,
)
from analysis.settings import Settings
from analysis.table import Table

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Findings:
    """What the statistics say; the verdict, the plots and the report only read it."""

    groups: Rows
    pairs: Rows
    omnibus: Rows
    floor: dict[str, Any] | None
    detectable: Rows
    leave_one_out: Rows
    outliers: dict[str, Any]
    split: Rows
    practical: Rows
    drift: dict[str, Any]
    order: dict[str, Any]
    conditions: dict[str, Any]
    published: dict[str, Any] | None

    def pair(self, a: str, b: str, test: str, metric: str = "energy_j") -> dict[str, Any] | None:
        """One test of one pair of groups."""
        return pairs.find(self.pairs, metric, a, b, test)


def analyse(table: Table, settings: Settings) -> Findings:
    """Run every part of the analysis; parts that the data cannot support say so in their rows."""
    return Findings(
        groups=groups.summarise(table),
        pairs=pairs.compare(table, settings),
        omnibus=omnibus.test(table, settings),
        floor=resolution.noise_floor(table, settings),
        detectable=resolution.detectable(table, settings),
        leave_one_out=robustness.leave_one_out(table, settings),
        outliers=robustness.without_outliers(table, settings),
        split=decomposition.split(table, settings),
        practical=practical.worth(table, settings),
        drift=drift.analyse(table, settings),
        order=order.check(table, settings),
        conditions=conditions.analyse(table, settings),
        published=published.analyse(table, settings) if settings.published else None,
    )
