"""Whether energy depends on when a trial ran: time, position in the block, predecessor, memory.

Everything is judged within blocks or on the means of blocks, for the trials of a block are not
independent of each other. The response is ln E, so that an effect is a percentage change.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from analysis import effects, evidence
from analysis.decision import Decision, confounders, memory
from analysis.decision.confounders import Drift, Factor
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How energy changes over time: of the means of ``blocks``, or of single ``trials``."""

    #: Per what ``pct`` is.
    unit: str
    #: Change per unit and its interval, in per cent.
    pct: float
    ci_low: float
    ci_high: float
    p: float
    #: From the first to the last, in units, and what the slope makes of that, in per cent.
    span: float
    pct_over_experiment: float
    low_over_experiment: float
    high_over_experiment: float
    #: ``blocks`` or ``trials``, and how many.
    of: str
    blocks: int | None = field(default=None, metadata=WHERE_KNOWN)
    trials: int | None = field(default=None, metadata=WHERE_KNOWN)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A partial F-test of position or predecessor, within blocks."""

    #: Whether the design can tell it from the group; without, nothing else is known.
    separable: bool
    levels: int
    f: float | None = field(default=None, metadata=WHERE_KNOWN)
    df1: int | None = field(default=None, metadata=WHERE_KNOWN)
    df2: int | None = field(default=None, metadata=WHERE_KNOWN)
    p: float | None = field(default=None, metadata=WHERE_KNOWN)
    #: By level, against the mean of them, and the largest difference between two; in per cent.
    effects_pct: dict[str, float] | None = field(default=None, metadata=WHERE_KNOWN)
    largest_pct: float | None = field(default=None, metadata=WHERE_KNOWN)


@dataclass(frozen=True)
class PairTrend:
    """How much the difference of ``b`` to ``a`` changes from first to last block, in per cent."""

    a: str
    b: str
    pct_over_experiment: float
    p_holm: float


@dataclass(frozen=True)
class Memory:
    """The memory of blocks that all comparisons show together.

    ``widened_by`` is the correlation that intervals are widened by, 0 for none.
    """

    p: float | None
    widened_by: float


@dataclass(frozen=True)
class Lag:
    """Lag-1 autocorrelation of a group's ln E, or of a pair's log ratios, in block order."""

    series: str
    #: ``group`` or ``pair``.
    kind: str
    #: Blocks.
    n: int
    r1: float | None
    p: float | None
    #: Of a pair: the correlation that its interval is widened by, and what its blocks are worth.
    widened_by: float | None = field(default=None, metadata=WHERE_KNOWN)
    effective_blocks: float | None = field(default=None, metadata=WHERE_KNOWN)


@dataclass(frozen=True)
class Adjusted:
    """A pair's change in per cent, as it is and with position and predecessor in the model."""

    a: str
    b: str
    pct_change: float
    #: With its interval and Holm's p.
    adjusted_pct: float
    ci_low: float
    ci_high: float
    p_holm: float


@dataclass(frozen=True)
class When:
    """Whether energy depends on when a trial ran; None where the data cannot tell."""

    time: Slope | None
    run_order: Slope | None
    position: Effect | None
    predecessor: Effect | None
    drifts: bool
    trends: list[PairTrend]
    #: Which of ``position``, ``predecessor``, ``trend`` and ``memory`` are significant.
    significant: list[str]
    memory: Memory
    autocorrelation: list[Lag]
    adjusted: list[Adjusted]


def analyse(table: Table, settings: Settings, found: Decision) -> When:
    """Drift over time, the factors position and predecessor, memory, and adjusted comparisons."""
    names = (*table.groups, *((table.twin,) if table.twin else ()))
    beside = found.confounders
    return When(
        time=_trend(table, "start_unix_s", 3600.0, "per hour", settings),
        run_order=_trend(table, "run_order", 1.0, "per trial", settings),
        position=_factor(beside.position, str),
        predecessor=_factor(
            beside.predecessor, lambda i: names[i] if 0 <= i < len(names) else "nothing"
        ),
        drifts=found.drifts,
        trends=_trends(table, settings, found),
        significant=[
            c for c in found.cautions if c in ("position", "predecessor", "trend", "memory")
        ],
        memory=Memory(effects.known(found.memory.p), found.memory.widens),
        autocorrelation=_autocorrelation(table, settings, found),
        adjusted=_adjusted(table, settings, found),
    )


def deviations(table: Table) -> pd.DataFrame:
    """Usable trials with ``deviation``: energy against the group's geometric mean, in per cent."""
    frame = table.usable.dropna(subset=["energy_j"]).copy()
    logs = np.log(frame["energy_j"])
    frame["deviation"] = 100.0 * np.expm1(logs - logs.groupby(frame["group"]).transform("mean"))
    return frame


def _trend(table: Table, column: str, scale: float, unit: str, settings: Settings) -> Slope | None:
    """The slope of the block means against a column's block means; without blocks of the trials."""
    wide = table.wide("energy_j").reindex(columns=list(table.groups))
    if not len(wide):
        return _trend_of_trials(table, column, scale, unit, settings)
    at = table.usable.groupby("block")[column].mean().reindex(wide.index)
    if not len(wide) or at.isna().any() or _paused(at):
        return None
    x = ((at - at.min()) / scale).to_numpy(float)
    machines = evidence.strata(table, wide)
    found: Drift | None = confounders.drift(np.log(wide.to_numpy(float)), x, machines)
    if found is None:
        return None
    blocks = found.df + 1 + (1 if machines is None else len(np.unique(machines)))
    return _told(found, unit, settings, "blocks", blocks=blocks)


def _paused(at: pd.Series) -> bool:
    """Whether one pause makes up most of the time: a slope over it would be of what nobody saw."""
    steps = np.diff(np.sort(at.to_numpy(float)))
    return len(steps) > 1 and steps.max() > steps.sum() / 2


def _trend_of_trials(
    table: Table, column: str, scale: float, unit: str, settings: Settings
) -> Slope | None:
    """One slope for all trials, every group (on every machine) with a level of its own."""
    rows = table.usable[table.usable["group"].isin(table.all_groups)]
    at, energy = rows[column], rows["energy_j"]
    if not len(rows) or at.isna().any() or energy.isna().any() or _paused(at):
        return None
    x = ((at - at.min()) / scale).to_numpy(float)
    levels = rows["group"].astype(str) + "\0" + rows["machine"].fillna("").astype(str)
    logs = np.log(energy.to_numpy(float))[:, None]
    found = confounders.drift(logs, x, pd.factorize(levels)[0])
    if found is None:
        return None
    whole = replace(found, span=float(np.ptp(x)))
    return _told(whole, unit, settings, "trials", trials=len(rows))


def _told(found: Drift, unit: str, settings: Settings, of: str, **count: int) -> Slope:
    """A slope and what it makes over the experiment, in per cent."""
    low, high = found.interval(settings.alpha)
    return Slope(
        unit=unit,
        pct=effects.percent(found.slope),
        ci_low=effects.percent(low),
        ci_high=effects.percent(high),
        p=found.p,
        span=found.span,
        pct_over_experiment=effects.percent(found.slope * found.span),
        low_over_experiment=effects.percent(low * found.span),
        high_over_experiment=effects.percent(high * found.span),
        of=of,
        **count,
    )


def _trends(table: Table, settings: Settings, found: Decision) -> list[PairTrend]:
    """How much every pair's difference changes from the first block to the last."""
    return [
        PairTrend(a, b, effects.percent(c.trend), c.trend_p)
        for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True)
        if np.isfinite(c.trend_p)
    ]


def _factor(found: Factor | None, name: Callable[[int], str]) -> Effect | None:
    """A partial F-test within blocks, and whether the design can tell the factor at all."""
    if found is None:
        return None
    if not found.separable or found.effects is None:
        return Effect(separable=False, levels=found.levels)
    levels = {level: value for level, value in found.effects.items() if level >= 0}
    return Effect(
        separable=True,
        levels=found.levels,
        f=found.f,
        df1=found.df1,
        df2=found.df2,
        p=found.p,
        effects_pct={str(name(level)): effects.percent(v) for level, v in levels.items()},
        largest_pct=effects.percent(max(levels.values()) - min(levels.values())),
    )


def _autocorrelation(table: Table, settings: Settings, found: Decision) -> list[Lag]:
    """Lag-1 autocorrelation of each group's ln E in block order, and of the pairs' log ratios.

    The paired tests take the blocks' differences for independent; theirs is what counts.
    """
    rows = []
    wide = table.wide("energy_j").reindex(columns=list(table.all_groups))
    if len(wide) > 1:
        own = memory.lag_one(np.log(wide.to_numpy(float)), evidence.strata(table, wide))
        counts = wide.notna().sum()
        for i, group in enumerate(table.all_groups):
            n = int(counts.iloc[i])
            rows.append(Lag(group, "group", n, effects.known(own.r1[i]), effects.known(own.p[i])))
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        if c.paired:
            effective = float(memory.effective(np.array(c.n), np.array(c.memory)))
            r1, p = effects.known(c.r1), effects.known(c.r1_p)
            rows.append(Lag(f"{b} ÷ {a}", "pair", c.n, r1, p, c.memory, effective))
    return rows


def _adjusted(table: Table, settings: Settings, found: Decision) -> list[Adjusted]:
    """Every pair with position and predecessor in the model, beside the pair as it is."""
    return [
        Adjusted(
            a=a,
            b=b,
            pct_change=effects.percent(c.mean),
            adjusted_pct=effects.percent(c.adjusted),
            ci_low=effects.percent(c.adjusted_low),
            ci_high=effects.percent(c.adjusted_high),
            p_holm=c.adjusted_p,
        )
        for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True)
        if np.isfinite(c.adjusted)
    ]
