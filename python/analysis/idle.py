"""Energy above idle: idle power interpolated between its measurements before and after."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis import conditions, evidence, practical
from analysis.decision import Decision
from analysis.metrics import ABOVE_IDLE
from analysis.settings import Settings
from analysis.table import Table

#: Baselines further apart than this many per cent are no common idle power.
MOST_APART_PCT = 10.0

#: Other processes' busy cores beyond which a trial is flagged, where the protocol has no limit.
_OTHERS_CORES = 0.10


def above(table: Table, settings: Settings, found: Decision) -> dict[str, Any]:
    """What was used above idle, per pair as an arithmetic difference in joules.

    ``withheld`` says why there is none. Trials below idle keep their negative energy.
    """
    baseline = settings.baseline or {}
    before, after = baseline.get("before_w"), baseline.get("after_w")
    row: dict[str, Any] = {"before_w": before, "after_w": after, "withheld": None, "pairs": []}
    if before is None and after is None:
        return row | {"withheld": "idle power was not measured"}
    if before is None or after is None:
        return row | {"withheld": "idle power was measured on one side of the trials only"}
    apart = 100.0 * abs(after - before) / min(abs(before), abs(after)) if before and after else 0.0
    row["apart_pct"] = apart
    if apart > MOST_APART_PCT:
        return row | {
            "withheld": f"idle power before and after differ by {apart:.0f}%, more than "
            f"{MOST_APART_PCT:.0f}%"
        }
    if disturbed := [b for b in conditions.baselines(settings) if _disturbed(b, settings)]:
        when = " and ".join(dict.fromkeys(str(b.get("when", "there")) for b in disturbed))
        return row | {"withheld": f"other processes kept processors busy during idle ({when})"}
    idle = interpolated(table, before, after)
    usable = table.usable.copy()
    usable[ABOVE_IDLE] = usable["energy_j"] - idle * usable["time_s"]
    own = table.with_usable(usable)
    row["groups"] = [
        {"group": g, "joules": float(own.values(ABOVE_IDLE, g).mean())} for g in own.groups
    ]
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        difference = practical.difference(own, ABOVE_IDLE, a, b, c.paired, settings)
        row["pairs"].append({"a": a, "b": b} | difference)
    return row


def interpolated(table: Table, before: float, after: float) -> np.ndarray:
    """Idle power during each usable trial, in watts: linear in time from ``before`` to ``after``.

    Their mean where the start times are not known.
    """
    start, time = table.usable["start_unix_s"], table.usable["time_s"].fillna(0.0)
    middle = start + time / 2.0
    if middle.isna().any() or np.ptp(middle) == 0:
        return np.full(len(table.usable), (before + after) / 2.0)
    first, last = start.min(), (start + time).max()
    return (before + (after - before) * (middle - first) / (last - first)).to_numpy()


def _disturbed(baseline: Mapping[str, Any], settings: Settings) -> bool:
    """Whether others kept processors busy, by the limit that trials have."""
    limits = settings.protocol.interference or {}
    most = limits.get("others_cores", _OTHERS_CORES)
    cores = baseline.get("other_cores")
    if cores is None and isinstance(beside := baseline.get("interference"), Mapping):
        cores = beside.get("other_cores")
    flags = baseline.get("flags") or []
    return "interference" in flags or (isinstance(cores, int | float) and cores > most)
