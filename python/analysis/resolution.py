"""What the experiment could have seen: the A/A control, detectable differences, equivalence."""

from dataclasses import dataclass, field, replace

import numpy as np

from analysis import effects, evidence
from analysis.decision import Comparison, Decision, power, student
from analysis.settings import EQUIVALENCE_MARGIN_PCT, Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What an A/A control says: ``treatment`` against its ``twin``; changes in per cent.

    Without an interval ``note`` says why, and the rest is None.
    """

    treatment: str
    twin: str | None
    #: Blocks that have both.
    blocks: int
    #: The interval's end further from zero.
    floor_pct: float | None = None
    pct_change: float | None = field(default=None, metadata=WHERE_KNOWN)
    ci_low: float | None = field(default=None, metadata=WHERE_KNOWN)
    ci_high: float | None = field(default=None, metadata=WHERE_KNOWN)
    p: float | None = field(default=None, metadata=WHERE_KNOWN)
    #: Whether the interval excludes zero.
    fails: bool | None = field(default=None, metadata=WHERE_KNOWN)
    #: What a single block may show.
    block_low: float | None = field(default=None, metadata=WHERE_KNOWN)
    block_high: float | None = field(default=None, metadata=WHERE_KNOWN)
    #: The margin within which two one-sided tests ask whether they agree, and the tests' p.
    margin_pct: float | None = field(default=None, metadata=WHERE_KNOWN)
    tost_p: float | None = field(default=None, metadata=WHERE_KNOWN)
    #: The smallest margin that would hold.
    equivalent_within_pct: float | None = field(default=None, metadata=WHERE_KNOWN)
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """The smallest change, in per cent, of ``b`` against ``a`` that is resolved with 80% power."""

    a: str
    b: str
    paired: bool
    #: Blocks, or trials of both.
    n: int
    #: Of the pair by itself, and after Holm's correction.
    pct: float | None = None
    pct_holm: float | None = None
    #: Blocks that would resolve 1% after the correction.
    blocks_for_1_pct: int | None = None


@dataclass(frozen=True)
class Equivalence:
    """Whether a pair is equivalent within ``margin_pct`` per cent, by Holm's ``p``."""

    a: str
    b: str
    margin_pct: float | None
    p: float | None
    equivalent: bool | None
    #: The smallest margin that would hold, of the pair by itself.
    within_pct: float | None


def noise_floor(table: Table, settings: Settings, found: Decision) -> Floor | None:
    """What an A/A control, one treatment twice per block, says about the experiment's validity.

    Where the interval of its mean paired difference excludes zero (``fails``), something other
    than the treatment makes groups differ. ``floor_pct`` is that interval's end further from zero,
    ``block_low`` and ``block_high`` bound what a single block may show. Two one-sided t-tests ask
    whether the two agree within ``margin_pct``. None of this overrules other pairs' results.
    """
    control = found.control
    if control is None or not settings.control:
        return None
    row = Floor(treatment=settings.control.treatment, twin=table.twin, blocks=control.n)
    if not np.isfinite(control.low):
        note = "fewer than two blocks have both" if control.n < 2 else "identical in every block"
        return replace(row, note=note)
    n, df = control.n, control.n - 1
    se = control.sd / np.sqrt(n)
    spread = student.quantile(1.0 - settings.alpha / 2.0, df) * control.sd * np.sqrt(1.0 + 1.0 / n)
    margin_pct = settings.margin or EQUIVALENCE_MARGIN_PCT
    t = (np.log1p(margin_pct / 100.0) - abs(control.mean)) / se
    two = float(student.two_sided(np.array(t), np.array(df)))
    one_sided = float(student.quantile(1.0 - settings.alpha, df) * se)
    return replace(
        row,
        pct_change=effects.percent(control.mean),
        ci_low=effects.percent(control.low),
        ci_high=effects.percent(control.high),
        p=control.p,
        fails=control.fails,
        block_low=effects.percent(control.mean - spread),
        block_high=effects.percent(control.mean + spread),
        floor_pct=effects.percent(max(abs(control.low), abs(control.high))),
        margin_pct=margin_pct,
        tost_p=two / 2.0 if t > 0 else 1.0 - two / 2.0,
        equivalent_within_pct=effects.percent(abs(control.mean) + one_sided),
    )


def detectable(table: Table, settings: Settings, found: Decision) -> list[Detectable]:
    """For each pair: the smallest change of energy that its test resolves with 80% power.

    ``pct`` is for the pair by itself, ``pct_holm`` after Holm's correction, which is what decides.
    Both are from the spread that was observed. ``blocks_for_1_pct`` is the number of blocks that
    would resolve a change of 1% after the correction.
    """
    pairs = evidence.comparisons(table, settings)
    divisor = power.holm_divisor(len(pairs), len(table.groups))
    return [
        _detectable(Detectable(a=a, b=b, paired=c.paired, n=c.n), c, divisor, settings)
        for (a, b), c in zip(pairs, found.comparisons, strict=True)
    ]


def _detectable(row: Detectable, c: Comparison, divisor: float, settings: Settings) -> Detectable:
    if not c.tested:
        return row
    # An unpaired comparison's error and degrees of freedom are like those of so many differences.
    n = c.n if c.paired else max(c.df + 1.0, 2.0)
    sd = c.se * np.sqrt(n)
    alpha, looks = settings.alpha, settings.protocol.looks
    levels = [alpha, alpha / divisor]
    if looks is not None:
        levels = [looks.level(level, n) for level in levels]
    if min(levels) <= 0:
        return row
    blocks = None
    if c.paired and looks is None:
        blocks = power.blocks_for(float(np.log1p(0.01)), sd, divisor, alpha)
    return replace(
        row,
        pct=effects.percent(power.detectable(n, sd, 1.0, levels[0])),
        pct_holm=effects.percent(power.detectable(n, sd, 1.0, levels[1])),
        blocks_for_1_pct=blocks,
    )


def equivalence(table: Table, settings: Settings, found: Decision) -> list[Equivalence]:
    """For each pair: whether it is equivalent within the margin, and within what it would be.

    ``p`` is Holm's of two one-sided tests (TOST), None without a margin. ``within_pct`` is the
    smallest margin that would hold, of each pair by itself.
    """
    rows = []
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        p = effects.known(c.equivalent_p)
        within = effects.known_percent(c.within)
        holds = None if p is None else p < settings.alpha
        rows.append(Equivalence(a, b, settings.margin, p, holds, within))
    return rows
