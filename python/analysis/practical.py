"""Whether a difference matters: its worth in kWh, money and CO2e over a year of such runs."""

from typing import Any

import numpy as np

from analysis import evidence
from analysis.decision import Decision, student
from analysis.settings import Settings
from analysis.table import Table

#: Joules in a kilowatt-hour.
JOULES_PER_KWH = 3.6e6


def worth(table: Table, settings: Settings, found: Decision) -> list[dict[str, Any]]:
    """Each pair's difference ``b`` minus ``a`` per run and per year, with its Student interval.

    Joules add up, so this is the arithmetic mean of the differences, unlike the percentage change.
    A pair is read as in the decision, within blocks or not.
    """
    rows = []
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        joules = difference(table, "energy_j", a, b, c.paired, settings)
        rows.append({"a": a, "b": b} | joules | per_year(joules, settings))
    return rows


def difference(
    table: Table, metric: str, a: str, b: str, paired: bool, settings: Settings
) -> dict[str, Any]:
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
    return {
        "paired": paired,
        "n": int(n),
        "joules": float(mean),
        "joules_low": float(mean - half) if known else None,
        "joules_high": float(mean + half) if known else None,
    }


def per_year(joules: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """A difference in joules per run as kWh, money and kg CO2e per year, with its interval."""
    practical = settings.practical
    found: dict[str, Any] = {}
    for end in ("", "_low", "_high"):
        value = joules["joules" + end]
        kwh = None if value is None else value * practical.runs_per_year / JOULES_PER_KWH
        found["kwh" + end] = kwh
        found["money" + end] = None if kwh is None else kwh * practical.price_per_kwh
        found["kg_co2e" + end] = None if kwh is None else kwh * practical.carbon_intensity / 1000.0
    return found
