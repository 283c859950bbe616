"""Every item that the experiment declared before its first trial, held against what was done.

Each check reads the trials and the decision, not the settings that led to them, so that an
experiment that says one thing of itself and whose trials another is found out.
"""

from collections.abc import Callable

from analysis.departures import counted, deciding, plan
from analysis.departures.item import Item
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table

__all__ = ["Item", "items", "told"]

#: In the order of a protocol.
_CHECKS: tuple[Callable[[Table, Findings, Settings], Item | None], ...] = (
    deciding.metric, counted.window, plan.design, plan.planned, plan.order, deciding.comparisons,
    deciding.test, deciding.correction, deciding.alpha, deciding.margin, deciding.tests,
    counted.exclusions, counted.coverage, counted.interference, plan.seeds, plan.stopping,
    plan.control,
)  # fmt: skip


def items(table: Table, found: Findings, settings: Settings) -> list[Item]:
    """All declared items, in the order of a protocol; nothing where none was declared."""
    if not settings.protocol.declared:
        return []
    known = [check(table, found, settings) for check in _CHECKS]
    return [item for item in known if item is not None]


def told(known: list[Item]) -> list[str]:
    """The departures among the items, a sentence each."""
    return [item.sentence for item in known if item.kept is False]
