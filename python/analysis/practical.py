"""Whether a difference matters: its worth in kWh, money and CO2e over a year of such runs."""

from typing import Any

import numpy as np
from scipy import stats

from analysis import effects, limits
from analysis.settings import Settings
from analysis.table import Table

#: Joules in a kilowatt-hour.
JOULES_PER_KWH = 3.6e6


def worth(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """Each pair's difference ``b`` minus ``a`` per run and per year, with its interval.

    ``interval`` names its kind: a bootstrap's, a t-interval where data are too few for that, or
    none where there is a single trial.
    Joules add up, so this is the arithmetic mean of the differences, unlike the percentage change.
    """
    rows = []
    for i, a in enumerate(table.groups):
        for b in table.groups[i + 1 :]:
            joules = _difference(table, a, b, settings)
            rows.append({"a": a, "b": b} | joules | per_year(joules, settings))
    return rows


def _difference(table: Table, a: str, b: str, settings: Settings) -> dict[str, Any]:
    blocks = table.blocks("energy_j", (a, b))
    if limits.too_few_pairs(len(blocks), settings.alpha) is None:
        samples = ((blocks[b] - blocks[a]).to_numpy(),)
        mean, statistic, paired = float(samples[0].mean()), np.mean, True
    else:
        samples = (table.values("energy_j", a), table.values("energy_j", b))
        mean, paired = float(samples[1].mean() - samples[0].mean()), False

        def statistic(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
            return second.mean(axis=axis) - first.mean(axis=axis)

    interval = effects.bootstrap(samples, statistic, settings.confidence, settings.seed)
    kind = "interval" if interval else None
    if interval is None and (interval := _student(samples, settings.confidence)):
        kind = "t-interval"
    low, high = interval or (None, None)
    return {
        "paired": paired,
        "n": sum(map(len, samples)),
        "joules": mean,
        "joules_low": low,
        "joules_high": high,
        "interval": kind,
    }


def _student(samples: tuple[np.ndarray, ...], confidence: float) -> tuple[float, float] | None:
    """The t-interval of a mean difference where data are too few for a bootstrap.

    Of paired differences Student's, of two samples Welch's; nothing where one has a single value.
    """
    if min(map(len, samples)) < 2 or all(limits.no_spread(s) for s in samples):
        return None
    if len(samples) == 1:
        found = stats.ttest_1samp(samples[0], 0.0)
    else:
        found = stats.ttest_ind(samples[1], samples[0], equal_var=False)
    ends = found.confidence_interval(confidence)
    return (float(ends.low), float(ends.high)) if np.isfinite([*ends]).all() else None


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
