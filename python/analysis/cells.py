"""What a table of the report is made of, for the page and for Markdown alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from analysis import text


@dataclass(frozen=True)
class Cell:
    """What is shown, and what it sorts by."""

    text: str
    sort: float | str = ""


@dataclass(frozen=True)
class Column:
    """A heading; numbers are right-aligned and sort as numbers."""

    label: str
    number: bool = True


@dataclass(frozen=True)
class Tabulation:
    """A captioned table. The first column names the row."""

    caption: str
    columns: Sequence[Column]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


def words(value: Any) -> Cell:
    """A cell of text."""
    shown = str(value)
    return Cell(shown, shown)


def number(value: float | None, shown: str | None = None, digits: int = 3) -> Cell:
    """A cell of a number; missing ones sort last."""
    if value is None or math.isnan(value):
        return Cell(shown or "–", float("inf"))
    return Cell(shown if shown is not None else text.significant(value, digits), float(value))


def interval(low: float | None, high: float | None, middle: float | None = None) -> Cell:
    """An interval of a change, written as the change in its middle is."""
    if low is None or high is None:
        return Cell("–", float("inf"))
    _, *ends = text.change(middle, low, high)
    return Cell(f"{ends[0]} to {ends[1]}", low)


class Changed(Protocol):
    """What has a change with its interval, in per cent."""

    @property
    def pct_change(self) -> float | None: ...
    @property
    def ci_low(self) -> float | None: ...
    @property
    def ci_high(self) -> float | None: ...


def change(row: Changed) -> Cell:
    """A row's change with as many digits as its interval bears out."""
    return change_of(row.pct_change, row.ci_low, row.ci_high)


def change_of(pct: float | None, low: float | None, high: float | None) -> Cell:
    """A change in per cent with as many digits as its interval bears out."""
    return number(pct, text.change(pct, low, high)[0])


def p_cell(p: float | None) -> Cell:
    """A p-value."""
    return number(p, text.p_value(p))
