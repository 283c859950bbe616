"""The recipe of the published studies, repeated for comparison with their tables.

Energy is the counter's last reading minus its first. Trials whose energy is negative (a counter
that wrapped) are dropped from energy, power and EDP but not from time; values beyond three
population standard deviations of their group are dropped per metric; Shapiro–Wilk decides: Welch's
t-test where both groups pass at 0.05, else the two-sided Mann–Whitney U test.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis import effects, evidence, groups, metrics, pairs, written
from analysis.groups import Described
from analysis.pair import Pair
from analysis.settings import Settings
from analysis.table import Table

#: Values further from the mean than this many population standard deviations are dropped.
OUTLIER_SD = 3.0

#: Shapiro–Wilk above this passes for a normal distribution.
NORMAL_P = 0.05


def recipe_frame(table: Table) -> pd.DataFrame:
    """The four metrics of each readable trial as the recipe computes them; NaN is dropped.

    Trials that failed or were excluded stay out. A trial without a counter (a meter that reports
    power) falls back on its integrated energy, for it has no last and first reading.
    """
    frame = table.frame[table.frame["status"].eq("ok")].copy()
    energy = frame["published_energy_j"].fillna(frame["trial_energy_j"]).fillna(frame["energy_j"])
    time = frame["published_time_s"].fillna(frame["trial_time_s"]).fillna(frame["time_s"])
    energy = energy.where(energy >= 0)
    return pd.DataFrame(
        {
            "group": frame["group"],
            "energy_j": energy,
            "time_s": time,
            "power_w": energy / time,
            "edp_js": energy * time,
        }
    )


def without_outliers(values: np.ndarray) -> np.ndarray:
    """The values within three population standard deviations of their mean."""
    spread = np.std(values)
    if spread == 0:
        return values
    return values[np.abs(values - np.mean(values)) <= OUTLIER_SD * spread]


@dataclass(frozen=True)
class Dropped:
    """How many values of a group's metric the recipe dropped, and why."""

    group: str
    metric: str
    negative_energy: int
    beyond_3_sd: int


#: What summary.json has of a pair, in this order.
_WRITTEN = (
    "p_holm", "paired", "n", "n_a", "n_b", "note", "test", "statistic", "p", "pct_change",
    "ci_low", "ci_high", "hedges_g", "cliffs_delta", "metric", "a", "b",
)  # fmt: skip


@dataclass(frozen=True)
class Published:
    """The recipe's tables, and what it dropped; ``none`` is a pair's test where it makes none."""

    groups: list[Described]
    pairs: list[Pair]
    dropped: list[Dropped]

    def written(self) -> dict[str, Any]:
        """For summary.json."""
        rows = [written.picked(row, _WRITTEN) for row in self.pairs]
        return {"groups": self.groups, "pairs": rows, "dropped": self.dropped}


def analyse(table: Table, settings: Settings) -> Published:
    """The recipe's groups, pairs, and how many trials it dropped and why."""
    frame = recipe_frame(table)
    kept: dict[tuple[str, str], np.ndarray] = {}
    dropped = []
    for group in table.all_groups:
        rows = frame[frame["group"] == group]
        for metric in metrics.HEADLINE:
            values = rows[metric.name].dropna().to_numpy()
            own = kept[group, metric.name] = without_outliers(values)
            negative, beyond = len(rows) - len(values), len(values) - len(own)
            dropped.append(Dropped(group, metric.name, negative, beyond))
    group_rows = [
        groups.describe(group, metric.name, kept[group, metric.name])
        for group in table.all_groups
        for metric in metrics.HEADLINE
    ]
    pair_rows: list[Pair] = []
    for metric in metrics.HEADLINE:
        found = [
            _pair(metric.name, (a, b), kept[a, metric.name], kept[b, metric.name], settings)
            for a, b in evidence.comparisons(table, settings)
        ]
        pair_rows += pairs.holm(found)
    return Published(group_rows, pair_rows, dropped)


def _pair(
    metric: str, names: tuple[str, str], a: np.ndarray, b: np.ndarray, settings: Settings
) -> Pair:
    """The test that Shapiro–Wilk chooses, and the change of the arithmetic mean.

    That is what published tables state, in per cent.
    """
    change, ends = pairs.of_means(a, b, settings.alpha)
    sizes = effects.standardised(a, b, paired=False)
    make = partial(
        Pair, metric=metric, a=names[0], b=names[1], paired=False, n=len(a) + len(b), n_a=len(a),
        n_b=len(b), pct_change=change, ci_low=ends.low, ci_high=ends.high,
        hedges_g=sizes.hedges_g, cliffs_delta=sizes.cliffs_delta,
    )  # fmt: skip
    normal = [p for values in (a, b) if (p := groups.shapiro(values)[1]) is not None]
    if len(normal) < 2:
        note = f"{len(a)} and {len(b)} values: Shapiro–Wilk needs three different ones"
        return make(test="none", note=note)
    both = all(p > NORMAL_P for p in normal)
    # The studies put the base first, so that their t and U are those of ``a``.
    result = pairs.welch(b, a) if both else pairs.rank_sum(b, a)
    test = pairs.WELCH if both else pairs.MANN_WHITNEY
    return make(test=test, statistic=result.statistic, p=result.p)
