"""The ten questions that a reviewer asks, each answered from the data."""

from analysis.findings import Findings
from analysis.questions import exclusions, measuring, order, reproduction, resolution, rest
from analysis.questions.answer import Answer
from analysis.settings import Settings
from analysis.table import Table

__all__ = ["Answer", "answer_all"]

QUESTIONS = (
    order.was_random,
    exclusions.accounted,
    exclusions.robust,
    measuring.same_work,
    measuring.domains,
    measuring.window,
    rest.idle,
    resolution.floor,
    resolution.size,
    reproduction.reproducible,
)


def answer_all(table: Table, found: Findings, settings: Settings) -> list[Answer]:
    """The ten answers in their order."""
    return [question(table, found, settings) for question in QUESTIONS]
