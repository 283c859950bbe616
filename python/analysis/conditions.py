"""What the machine did around the trials: settling, interference, and what the meter itself cost.

The trials' part comes as columns of the table, the experiment's as ``experiment["settling"]``:
``warmups``, ``baselines`` (each with ``when``: before or after) and ``overhead``, as the host
measured them. An experiment that was resumed has several of each. Whatever is unknown is absent.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.settings import Settings
from analysis.table import Table

#: A cool-down counts as back at idle within this many per cent of idle power, where the experiment
#: set no bound of its own.
IDLE_WITHIN_PCT = 10.0


def analyse(table: Table, settings: Settings) -> dict[str, Any]:
    """Everything known, for ``summary.json``; the report words it."""
    return {
        "warmups": warmups(settings),
        "baselines": baselines(settings),
        "cooldowns": cooldowns(table),
        "meter_overhead": overhead(table, settings),
        "during": during(table),
    }


def _settling(settings: Settings, part: str) -> list[Mapping[str, Any]]:
    settling = (settings.experiment or {}).get("settling")
    entries = settling.get(part) if isinstance(settling, Mapping) else None
    return [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []


def warmups(settings: Settings) -> list[Mapping[str, Any]]:
    """The warm-ups as the host reports them; one that lasted no time is none."""
    return [entry for entry in _settling(settings, "warmups") if entry.get("seconds")]


def baselines(settings: Settings) -> list[Mapping[str, Any]]:
    """The measurements of idle power, in watts, in the order in which they were made."""
    return _settling(settings, "baselines")


def _known(table: Table, column: str) -> pd.Series:
    """A column's known values over all trials that ran, those that were left out included."""
    return table.frame[column].dropna()


def cooldowns(table: Table) -> dict[str, Any] | None:
    """Power at the end of the cool-downs against idle power, and how many did not come back.

    ``judged`` is ``host`` where the experiment waited for idle power and recorded whether it came
    back, ``here`` where it only knew the powers and :data:`IDLE_WITHIN_PCT` decides.
    """
    seconds, watts = _known(table, "cooldown_s"), _known(table, "cooldown_w")
    if not len(seconds):
        return None
    found: dict[str, Any] = {
        "count": len(seconds),
        "mean_s": float(seconds.mean()),
        "watts": float(watts.mean()) if len(watts) else None,
        "idle_w": None,
        "above_idle_pct": None,
        "judged": None,
        "known": 0,
        "not_back": None,
    }
    frame = table.frame.dropna(subset=["cooldown_w", "idle_w"])
    frame = frame[frame["idle_w"] > 0]
    reached = _known(table, "cooldown_reached_idle")
    if len(frame):
        above = 100.0 * (frame["cooldown_w"] / frame["idle_w"] - 1.0)
        found["idle_w"] = float(frame["idle_w"].mean())
        found["above_idle_pct"] = float(above.mean())
        found |= {"judged": "here", "known": len(frame)}
        found["not_back"] = int((above > IDLE_WITHIN_PCT).sum())
    if len(reached):
        found |= {"judged": "host", "known": len(reached)}
        found["not_back"] = int((reached == 0).sum())
    return found


def overhead(table: Table, settings: Settings) -> dict[str, Any] | None:
    """What the meter's own sampling cost.

    ``per_second`` is its processor seconds per second of a trial, ``trial_share`` the same over the
    trials' own processor seconds, ``watts`` what it added to idle power, where a sensor could tell,
    and ``watts_se`` the standard error of that.
    """
    rows = table.frame.dropna(subset=["meter_cpu_s", "trial_time_s"])
    settling = (settings.experiment or {}).get("settling")
    tested = settling.get("overhead") if isinstance(settling, Mapping) else None
    tested = tested if isinstance(tested, Mapping) else {}
    found: dict[str, Any] = dict.fromkeys(("per_second", "trial_share", "watts", "watts_se"))
    found["trials"] = 0
    if len(rows) and rows["trial_time_s"].sum() > 0:
        found["per_second"] = float(rows["meter_cpu_s"].sum() / rows["trial_time_s"].sum())
        found["trials"] = len(rows)
        own = rows.dropna(subset=["trial_cpu_s"])
        if own["trial_cpu_s"].sum() > 0:
            found["trial_share"] = float(own["meter_cpu_s"].sum() / own["trial_cpu_s"].sum())
    elif tested.get("seconds") and tested.get("cpu_seconds") is not None:
        found["per_second"] = float(tested["cpu_seconds"] / tested["seconds"])
    for name in ("watts", "watts_se"):
        if isinstance(tested.get(name), int | float):
            found[name] = float(tested[name])
    return found if found["per_second"] is not None or found["watts"] is not None else None


def during(table: Table) -> list[dict[str, Any]]:
    """Per group, what the machine did beside the usable trials: means, and the worst of each."""
    rows = []
    for group in table.all_groups:
        trials = table.usable[table.usable["group"] == group]
        row: dict[str, Any] = {"group": group}
        for name, column, how in (
            ("other_cores_mean", "other_cores", "mean"),
            ("other_cores_max", "other_cores", "max"),
            ("mhz_mean", "mhz_mean", "mean"),
            ("celsius_begin_mean", "celsius_begin", "mean"),
            ("celsius_max", "celsius_max", "max"),
            ("throttle_events", "throttle_events", "sum"),
            ("missed_samples", "missed_samples", "sum"),
        ):
            values = trials[column].dropna()
            row[name] = float(getattr(values, how)()) if len(values) else None
        rows.append(row)
    known = any(v is not None for row in rows for k, v in row.items() if k != "group")
    return rows if known else []


def flagged(table: Table, word: str) -> int:
    """How many trials carry a flag."""
    return int(table.frame["flags"].str.split(";").map(lambda words: word in words).sum())
