"""The recipe of the published studies, repeated for comparison with their tables.

Energy is the counter's last reading minus its first. Trials whose energy is negative (a counter
that wrapped) are dropped from energy, power and EDP but not from time; values beyond three
population standard deviations of their group are dropped per metric; Shapiro–Wilk decides: Welch's
t-test where both groups pass at 0.05, else the two-sided Mann–Whitney U test.
"""

from typing import Any

import numpy as np
import pandas as pd

from analysis import effects, evidence, groups, metrics, pairs
from analysis.decision import student
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


def analyse(table: Table, settings: Settings) -> dict[str, Any]:
    """The recipe's groups, pairs, and how many trials it dropped and why."""
    frame = recipe_frame(table)
    kept: dict[tuple[str, str], np.ndarray] = {}
    dropped = []
    for group in table.all_groups:
        rows = frame[frame["group"] == group]
        for metric in metrics.HEADLINE:
            values = rows[metric.name].dropna().to_numpy()
            kept[group, metric.name] = without_outliers(values)
            dropped.append(
                {
                    "group": group,
                    "metric": metric.name,
                    "negative_energy": len(rows) - len(values),
                    "beyond_3_sd": len(values) - len(kept[group, metric.name]),
                }
            )
    group_rows = [
        {"group": group, "metric": metric.name, **groups.describe(kept[group, metric.name])}
        for group in table.all_groups
        for metric in metrics.HEADLINE
    ]
    pair_rows: list[dict[str, Any]] = []
    for metric in metrics.HEADLINE:
        found = [
            _pair(kept[a, metric.name], kept[b, metric.name], settings)
            | {"metric": metric.name, "a": a, "b": b}
            for a, b in evidence.comparisons(table, settings)
        ]
        pair_rows += pairs.holm(found)
    return {"groups": group_rows, "pairs": pair_rows, "dropped": dropped}


def _pair(a: np.ndarray, b: np.ndarray, settings: Settings) -> dict[str, Any]:
    head = {"paired": False, "n": len(a) + len(b), "n_a": len(a), "n_b": len(b), "note": None}
    normal = [groups.shapiro(values)[1] for values in (a, b)]
    if None in normal:
        note = f"{len(a)} and {len(b)} values: Shapiro–Wilk needs three different ones"
        return (
            head
            | {"test": "none", "statistic": None, "p": None, "note": note}
            | _effect(a, b, settings)
        )
    both = all(p > NORMAL_P for p in normal)
    # The studies put the base first, so that their t and U are those of ``a``.
    result = pairs.welch(b, a) if both else pairs.rank_sum(b, a)
    return (
        head
        | {"test": pairs.WELCH if both else pairs.MANN_WHITNEY}
        | result
        | _effect(a, b, settings)
    )


def _effect(a: np.ndarray, b: np.ndarray, settings: Settings) -> dict[str, Any]:
    """The change of the arithmetic mean, which is what published tables state, in per cent.

    Its interval is Welch's of the difference, over the base's mean.
    """
    found = dict.fromkeys(("pct_change", "ci_low", "ci_high"))
    if len(a) and len(b):
        found["pct_change"] = float(100.0 * (b.mean() / a.mean() - 1.0))
        mean, se, df = student.welch(a, b)
        if np.isfinite(se):
            half = float(student.quantile(1.0 - settings.alpha / 2.0, df) * se)
            found["ci_low"] = float(100.0 * (mean - half) / a.mean())
            found["ci_high"] = float(100.0 * (mean + half) / a.mean())
    return found | effects.standardised(a, b, paired=False)
