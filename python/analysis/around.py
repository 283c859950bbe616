"""What the machine did around the trials: settling, interference, and what the meter itself cost.

The trials' part comes as columns of the table, the experiment's as ``experiment["settling"]``:
``warmups``, ``baselines`` (each with ``when``: before or after) and ``overhead``, as the host
measured them. An experiment that was resumed has several of each. Whatever is unknown is absent.
"""

from dataclasses import dataclass, replace

import pandas as pd

from analysis.experiment.settling import Baseline, Warmup
from analysis.settings import Settings
from analysis.table import Table

#: A cool-down counts as back at idle within this many per cent of idle power, where the experiment
#: set no bound of its own.
IDLE_WITHIN_PCT = 10.0


@dataclass(frozen=True, kw_only=True)
class Cooldowns:
    """Power at the end of the cool-downs against idle power, and how many did not come back."""

    count: int
    mean_s: float
    #: Mean power at their ends, and idle power, in watts; how far the one is above the other.
    watts: float | None
    idle_w: float | None = None
    above_idle_pct: float | None = None
    #: ``host`` where the experiment waited for idle power and recorded whether it came back,
    #: ``here`` where it only knew the powers and :data:`IDLE_WITHIN_PCT` decides.
    judged: str | None = None
    #: Of how many that is known, and how many were not back.
    known: int = 0
    not_back: int | None = None


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """What the meter's own sampling cost; None where it is not known."""

    #: Its processor seconds per second of a trial, and the same over the trials' own.
    per_second: float | None = None
    trial_share: float | None = None
    #: What it added to idle power, and the standard error of that.
    watts: float | None = None
    watts_se: float | None = None
    #: Of how many trials the first two are.
    trials: int = 0


@dataclass(frozen=True, kw_only=True)
class During:
    """What the machine did beside a group's usable trials; None where nobody knows."""

    group: str
    #: Busy cores of other processes.
    other_cores_mean: float | None
    other_cores_max: float | None
    mhz_mean: float | None
    #: Degrees Celsius as trials began, and the hottest.
    celsius_begin_mean: float | None
    celsius_max: float | None
    #: How often a processor was slowed down for its heat, and how many samples are missing.
    throttle_events: float | None
    missed_samples: float | None


@dataclass(frozen=True)
class Around:
    """Everything known; the report words it."""

    warmups: tuple[Warmup, ...]
    baselines: tuple[Baseline, ...]
    cooldowns: Cooldowns | None
    meter_overhead: Overhead | None
    during: list[During]


def analyse(table: Table, settings: Settings) -> Around:
    """What the machine did around the trials, whatever is known of it."""
    return Around(
        warmups=settings.experiment.settling.warmups,
        baselines=settings.experiment.settling.baselines,
        cooldowns=cooldowns(table),
        meter_overhead=overhead(table, settings),
        during=during(table),
    )


def _known(table: Table, column: str) -> pd.Series:
    """A column's known values over all trials that ran, those that were left out included."""
    return table.frame[column].dropna()


def cooldowns(table: Table) -> Cooldowns | None:
    """How the cool-downs ended; None where there were none."""
    seconds, watts = _known(table, "cooldown_s"), _known(table, "cooldown_w")
    if not len(seconds):
        return None
    found = Cooldowns(
        count=len(seconds),
        mean_s=float(seconds.mean()),
        watts=float(watts.mean()) if len(watts) else None,
    )
    frame = table.frame.dropna(subset=["cooldown_w", "idle_w"])
    frame = frame[frame["idle_w"] > 0]
    reached = _known(table, "cooldown_reached_idle")
    if len(frame):
        above = 100.0 * (frame["cooldown_w"] / frame["idle_w"] - 1.0)
        found = replace(
            found,
            idle_w=float(frame["idle_w"].mean()),
            above_idle_pct=float(above.mean()),
            judged="here",
            known=len(frame),
            not_back=int((above > IDLE_WITHIN_PCT).sum()),
        )
    if len(reached):
        back = int((reached == 0).sum())
        found = replace(found, judged="host", known=len(reached), not_back=back)
    return found


def overhead(table: Table, settings: Settings) -> Overhead | None:
    """What the meter cost in the trials, or in the host's own test; None where neither tells."""
    rows = table.frame.dropna(subset=["meter_cpu_s", "trial_time_s"])
    tested = settings.experiment.settling.cost
    rate = share = None
    trials = 0
    if len(rows) and rows["trial_time_s"].sum() > 0:
        rate = float(rows["meter_cpu_s"].sum() / rows["trial_time_s"].sum())
        trials = len(rows)
        own = rows.dropna(subset=["trial_cpu_s"])
        if own["trial_cpu_s"].sum() > 0:
            share = float(own["meter_cpu_s"].sum() / own["trial_cpu_s"].sum())
    elif tested.seconds and tested.cpu_seconds is not None:
        rate = tested.cpu_seconds / tested.seconds
    watts, error = tested.watts, tested.watts_se
    if rate is None and watts is None:
        return None
    return Overhead(per_second=rate, trial_share=share, watts=watts, watts_se=error, trials=trials)


def during(table: Table) -> list[During]:
    """Per group, what the machine did beside the usable trials: means, and the worst of each."""

    def one(column: pd.Series, how: str) -> float | None:
        values = column.dropna()
        return float(getattr(values, how)()) if len(values) else None

    rows = []
    for group in table.all_groups:
        trials = table.usable[table.usable["group"] == group]
        rows.append(
            During(
                group=group,
                other_cores_mean=one(trials["other_cores"], "mean"),
                other_cores_max=one(trials["other_cores"], "max"),
                mhz_mean=one(trials["mhz_mean"], "mean"),
                celsius_begin_mean=one(trials["celsius_begin"], "mean"),
                celsius_max=one(trials["celsius_max"], "max"),
                throttle_events=one(trials["throttle_events"], "sum"),
                missed_samples=one(trials["missed_samples"], "sum"),
            )
        )
    known = any(v is not None for row in rows for k, v in vars(row).items() if k != "group")
    return rows if known else []


def flagged(table: Table, word: str) -> int:
    """How many trials carry a flag."""
    return int(table.frame["flags"].str.split(";").map(lambda words: word in words).sum())
