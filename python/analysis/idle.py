"""Energy above idle: idle power interpolated between its measurements before and after."""

from dataclasses import dataclass, field

import numpy as np

from analysis import evidence, practical
from analysis.decision import Decision
from analysis.experiment.settling import Baseline
from analysis.metrics import ABOVE_IDLE
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN

#: Baselines further apart than this many per cent are no common idle power.
MOST_APART_PCT = 10.0

#: Other processes' busy cores beyond which a trial is flagged, where the protocol has no limit.
_OTHERS_CORES = 0.10


@dataclass(frozen=True)
class Above:
    """A group's mean energy above idle, in joules per run."""

    group: str
    joules: float


@dataclass(frozen=True)
class AboveIdle:
    """Idle power before and after the trials, in watts, and what was used above it."""

    before_w: float | None
    after_w: float | None
    #: Why nothing is told; None where it is.
    withheld: str | None = None
    pairs: list[practical.Difference] = field(default_factory=list)
    #: How far the two powers are apart, in per cent of the lower one.
    apart_pct: float | None = field(default=None, metadata=WHERE_KNOWN)
    groups: list[Above] | None = field(default=None, metadata=WHERE_KNOWN)


def above(table: Table, settings: Settings, found: Decision) -> AboveIdle:
    """What was used above idle, per pair as an arithmetic difference in joules.

    ``withheld`` says why there is none. Trials below idle keep their negative energy.
    """
    before, after = settings.baseline.before_w, settings.baseline.after_w
    if before is None and after is None:
        return AboveIdle(before, after, "idle power was not measured")
    if before is None or after is None:
        return AboveIdle(before, after, "idle power was measured on one side of the trials only")
    apart = 100.0 * abs(after - before) / min(abs(before), abs(after)) if before and after else 0.0
    if why := _withheld(apart, settings):
        return AboveIdle(before, after, why, apart_pct=apart)
    idle = interpolated(table, before, after)
    usable = table.usable.copy()
    usable[ABOVE_IDLE] = usable["energy_j"] - idle * usable["time_s"]
    own = table.with_usable(usable)
    pairs = [
        practical.difference(own, ABOVE_IDLE, a, b, c.paired, settings)
        for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True)
    ]
    groups = [Above(g, float(own.values(ABOVE_IDLE, g).mean())) for g in own.groups]
    return AboveIdle(before, after, None, pairs, apart, groups)


def _withheld(apart: float, settings: Settings) -> str | None:
    """Why two idle powers, so many per cent apart, are no common one."""
    if apart > MOST_APART_PCT:
        return (
            f"idle power before and after differ by {apart:.0f}%, more than {MOST_APART_PCT:.0f}%"
        )
    if disturbed := [b for b in settings.experiment.settling.baselines if _disturbed(b, settings)]:
        when = " and ".join(dict.fromkeys(b.when for b in disturbed))
        return f"other processes kept processors busy during idle ({when})"
    return None


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


def _disturbed(baseline: Baseline, settings: Settings) -> bool:
    """Whether others kept processors busy, by the limit that trials have."""
    limits = settings.protocol.interference or {}
    most = limits.get("others_cores", _OTHERS_CORES)
    busy = baseline.other_cores is not None and baseline.other_cores > most
    return busy or "interference" in baseline.flags
