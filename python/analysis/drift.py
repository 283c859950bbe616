"""Whether energy depends on when a trial ran: time, position in the block, predecessor, memory.

Everything is judged within blocks or on the means of blocks, for the trials of a block are not
independent of each other. The response is ln E, so that an effect is a percentage change.
"""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from analysis import effects, evidence
from analysis.decision import Decision, confounders, memory
from analysis.decision.confounders import Drift, Factor
from analysis.settings import Settings
from analysis.table import Table


def analyse(table: Table, settings: Settings, found: Decision) -> dict[str, Any]:
    """Drift over time, the factors position and predecessor, memory, and adjusted comparisons.

    Every part is ``None`` where the data do not know it or are too few.
    """
    names = (*table.groups, *((table.twin,) if table.twin else ()))
    beside = found.confounders
    return {
        "time": _trend(table, "start_unix_s", 3600.0, "per hour", settings),
        "run_order": _trend(table, "run_order", 1.0, "per trial", settings),
        "position": _factor(beside.position, str),
        "predecessor": _factor(
            beside.predecessor, lambda i: names[i] if 0 <= i < len(names) else "nothing"
        ),
        "drifts": found.drifts,
        "trends": _trends(table, settings, found),
        "significant": [
            c for c in found.cautions if c in ("position", "predecessor", "trend", "memory")
        ],
        "memory": {"p": _known(found.memory.p), "widened_by": found.memory.widens},
        "autocorrelation": _autocorrelation(table, settings, found),
        "adjusted": _adjusted(table, settings, found),
    }


def deviations(table: Table) -> pd.DataFrame:
    """Usable trials with ``deviation``: energy against the group's geometric mean, in per cent."""
    frame = table.usable.dropna(subset=["energy_j"]).copy()
    logs = np.log(frame["energy_j"])
    frame["deviation"] = 100.0 * np.expm1(logs - logs.groupby(frame["group"]).transform("mean"))
    return frame


def _trend(
    table: Table, column: str, scale: float, unit: str, settings: Settings
) -> dict[str, Any] | None:
    """The slope of the block means against a column's block means; without blocks of the trials."""
    wide = table.wide("energy_j").reindex(columns=list(table.groups))
    if not len(wide):
        return _trend_of_trials(table, column, scale, unit, settings)
    at = table.usable.groupby("block")[column].mean().reindex(wide.index)
    if not len(wide) or at.isna().any():
        return None
    x = ((at - at.min()) / scale).to_numpy(float)
    machines = evidence.strata(table, wide)
    found: Drift | None = confounders.drift(np.log(wide.to_numpy(float)), x, machines)
    if found is None:
        return None
    blocks = found.df + 1 + (1 if machines is None else len(np.unique(machines)))
    return _told(found, unit, settings) | {"of": "blocks", "blocks": blocks}


def _trend_of_trials(
    table: Table, column: str, scale: float, unit: str, settings: Settings
) -> dict[str, Any] | None:
    """One slope for all trials, every group (on every machine) with a level of its own."""
    rows = table.usable[table.usable["group"].isin(table.all_groups)]
    at, energy = rows[column], rows["energy_j"]
    if not len(rows) or at.isna().any() or energy.isna().any():
        return None
    x = ((at - at.min()) / scale).to_numpy(float)
    levels = rows["group"].astype(str) + "\0" + rows["machine"].fillna("").astype(str)
    logs = np.log(energy.to_numpy(float))[:, None]
    found = confounders.drift(logs, x, pd.factorize(levels)[0])
    if found is None:
        return None
    whole = dataclasses.replace(found, span=float(np.ptp(x)))
    return _told(whole, unit, settings) | {"of": "trials", "trials": len(rows)}


def _told(found: Drift, unit: str, settings: Settings) -> dict[str, Any]:
    """A slope and what it makes over the experiment, in per cent."""
    low, high = found.interval(settings.alpha)
    return {
        "unit": unit,
        "pct": effects.percent(found.slope),
        "ci_low": effects.percent(low),
        "ci_high": effects.percent(high),
        "p": found.p,
        "span": found.span,
        "pct_over_experiment": effects.percent(found.slope * found.span),
        "low_over_experiment": effects.percent(low * found.span),
        "high_over_experiment": effects.percent(high * found.span),
    }


def _trends(table: Table, settings: Settings, found: Decision) -> list[dict[str, Any]]:
    """How much every pair's difference changes from the first block to the last."""
    return [
        {"a": a, "b": b, "pct_over_experiment": effects.percent(c.trend), "p_holm": c.trend_p}
        for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True)
        if np.isfinite(c.trend_p)
    ]


def _factor(found: Factor | None, name: Any) -> dict[str, Any] | None:
    """A partial F-test within blocks, and whether the design can tell the factor at all."""
    if found is None:
        return None
    if not found.separable:
        return {"separable": False, "levels": found.levels}
    levels = {level: value for level, value in found.effects.items() if level >= 0}
    return {
        "separable": True,
        "levels": found.levels,
        "f": found.f,
        "df1": found.df1,
        "df2": found.df2,
        "p": found.p,
        "effects_pct": {str(name(level)): effects.percent(v) for level, v in levels.items()},
        "largest_pct": effects.percent(max(levels.values()) - min(levels.values())),
    }


def _autocorrelation(table: Table, settings: Settings, found: Decision) -> list[dict[str, Any]]:
    """Lag-1 autocorrelation of each group's ln E in block order, and of the pairs' log ratios.

    The paired tests take the blocks' differences for independent; theirs is what counts.
    """
    rows = []
    wide = table.wide("energy_j").reindex(columns=list(table.all_groups))
    if len(wide) > 1:
        own = memory.lag_one(np.log(wide.to_numpy(float)), evidence.strata(table, wide))
        counts = wide.notna().sum()
        for i, group in enumerate(table.all_groups):
            rows.append(_lag(group, "group", int(counts.iloc[i]), own.r1[i], own.p[i]))
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        if c.paired:
            row = _lag(f"{b} ÷ {a}", "pair", c.n, c.r1, c.r1_p)
            effective = float(memory.effective(np.array(c.n), np.array(c.memory)))
            rows.append(row | {"widened_by": c.memory, "effective_blocks": effective})
    return rows


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _lag(series: str, kind: str, n: int, r1: float, p: float) -> dict[str, Any]:
    return {
        "series": series,
        "kind": kind,
        "n": n,
        "r1": _known(r1),
        "p": _known(p),
    }


def _adjusted(table: Table, settings: Settings, found: Decision) -> list[dict[str, Any]]:
    """Every pair with position and predecessor in the model, beside the pair as it is."""
    rows = []
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        if not np.isfinite(c.adjusted):
            continue
        rows.append(
            {
                "a": a,
                "b": b,
                "pct_change": effects.percent(c.mean),
                "adjusted_pct": effects.percent(c.adjusted),
                "ci_low": effects.percent(c.adjusted_low),
                "ci_high": effects.percent(c.adjusted_high),
                "p_holm": c.adjusted_p,
            }
        )
    return rows
