"""Whether a difference matters: its worth in kWh, money and CO2e over a year of such runs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import evidence
from analysis.decision import Decision, student
from analysis.settings import Settings
from analysis.table import Table

#: Joules in a kilowatt-hour.
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The arithmetic mean difference ``b`` minus ``a``, in joules per run, with its interval."""

    a: str
    b: str
    paired: bool
    #: Blocks, or trials of both.
    n: int
    joules: float
    joules_low: float | None
    joules_high: float | None


@dataclass(frozen=True, kw_only=True)
class Worth(Difference):
    """The same per year of runs: kilowatt-hours, money in the settings' currency, kg of CO2e."""

    kwh: float | None
    money: float | None
    kg_co2e: float | None
    kwh_low: float | None
    money_low: float | None
    kg_co2e_low: float | None
    kwh_high: float | None
    money_high: float | None
    kg_co2e_high: float | None


def worth(table: Table, settings: Settings, found: Decision) -> list[Worth]:
    """Each pair's difference ``b`` minus ``a`` per run and per year, with its Student interval.

    Joules add up, so this is the arithmetic mean of the differences, unlike the percentage change.
    A pair is read as in the decision, within blocks or not.
    """
    rows = []
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        rows.append(_per_year(difference(table, "energy_j", a, b, c.paired, settings), settings))
    return rows


def difference(
    table: Table, metric: str, a: str, b: str, paired: bool, settings: Settings
) -> Difference:
    """The arithmetic mean difference with Student's interval: paired differences, or Welch's.

    Without an interval where there is a single trial, or no spread.
    """
    if paired:
        first, second = table.shared(metric, a, b)
        one = student.of_columns((second - first)[:, None])
        n, mean, se, df = (float(v[0]) for v in (one.n, one.mean, one.se, one.df))
    else:
        first, second = table.values(metric, a), table.values(metric, b)
        n = len(first) + len(second)
        mean, se, df = student.welch(first, second)
    half = float(student.quantile(1.0 - settings.alpha / 2.0, df) * se)
    known = np.isfinite(half)
    return Difference(
        a=a,
        b=b,
        paired=paired,
        n=int(n),
        joules=float(mean),
        joules_low=float(mean - half) if known else None,
        joules_high=float(mean + half) if known else None,
    )


def _per_year(one: Difference, settings: Settings) -> Worth:
    """A difference per run as one per year, with its interval."""
    practical = settings.practical
    found: dict[str, Any] = {}
    for end, value in (("", one.joules), ("_low", one.joules_low), ("_high", one.joules_high)):
        kwh = None if value is None else value * practical.runs_per_year / JOULES_PER_KWH
        found["kwh" + end] = kwh
        found["money" + end] = None if kwh is None else kwh * practical.price_per_kwh
        found["kg_co2e" + end] = None if kwh is None else kwh * practical.carbon_intensity / 1000.0
    return Worth(**vars(one), **found)
