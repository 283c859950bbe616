"""What a table of the report is made of, for the page and for Markdown alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

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


def change(row: dict[str, Any], key: str = "pct_change") -> Cell:
    """A change with as many digits as its interval bears out."""
    shown = text.change(row.get(key), row.get("ci_low"), row.get("ci_high"))
    return number(row.get(key), shown[0])


def p_cell(p: float | None) -> Cell:
    """A p-value."""
    return number(p, text.p_value(p))
