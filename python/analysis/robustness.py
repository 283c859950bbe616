"""Whether the conclusion hangs on few trials: a block, outlying blocks, disturbed trials left out.

Each of these makes the whole decision again, Holm's correction included.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import stats

from analysis import effects, evidence
from analysis.decision import Decision
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN

#: Modified z score beyond which a trial is outlying (Iglewicz and Hoaglin 1993).
MODIFIED_Z = 3.5

#: The rule, fixed before any data: printed in every report.
OUTLIER_RULE = (
    "A block is set aside, whole, when the ln energy of any of its trials has a modified z score "
    f"beyond {MODIFIED_Z:g} (0.6745 × distance from the group's median ÷ median absolute "
    "deviation; Iglewicz and Hoaglin 1993). The headline always uses all data."
)

#: Flags of trials that something disturbed, and what that was; they count, and the result without
#: them is shown.
DISTURBED = {
    "interference": "other processes kept processors busy",
    "throttled": "the processor was slowed down for its heat",
    "swapped": "memory was swapped",
    "steal": "the hypervisor gave processor time to others",
    "missed-samples": "samples are missing",
    "clock-step": "the wall clock was set",
    "suspended": "the machine was suspended",
    "supply-change": "the machine went from mains to battery or back",
}


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What a pair's decision becomes with every block left out in turn."""

    a: str
    b: str
    #: Blocks that have both; 0 where it is unpaired.
    blocks: int
    resolved: bool
    #: Whether the outcome is the same each time; None where that leaves nothing to test.
    survives: bool | None
    #: The least and the largest change, in per cent, and Holm's p.
    pct_low: float | None = field(default=None, metadata=WHERE_KNOWN)
    pct_high: float | None = field(default=None, metadata=WHERE_KNOWN)
    lowest_p: float | None = field(default=None, metadata=WHERE_KNOWN)
    highest_p: float | None = field(default=None, metadata=WHERE_KNOWN)
    #: Numbers of blocks: without which it is another, and the one that changes most.
    undone_by: list[float] | None = field(default=None, metadata=WHERE_KNOWN)
    most_influential_block: float | None = field(default=None, metadata=WHERE_KNOWN)


@dataclass(frozen=True)
class Outlying:
    """A trial that the outlier rule names; energy in joules."""

    trial: str
    group: str
    block: float
    energy_j: float
    modified_z: float


@dataclass(frozen=True)
class Result:
    """One comparison's result on some of the data; the change in per cent."""

    n: int
    paired: bool
    pct_change: float | None
    p_holm: float | None
    resolved: bool


@dataclass(frozen=True)
class Beside:
    """A pair's result on all data, and without some; None where hardly any data are left."""

    a: str
    b: str
    all: Result
    without: Result | None


@dataclass(frozen=True)
class Outliers:
    """What the rule names, and every pair without it; ``same`` is whether nothing changes."""

    rule: str
    trials: list[Outlying]
    blocks: list[float]
    pairs: list[Beside]
    same: bool


@dataclass(frozen=True)
class Disturbed:
    """How many trials have one of the flags, and every pair without them."""

    flags: list[str]
    trials: int
    pairs: list[Beside]
    same: bool


def leave_one_out(table: Table, settings: Settings, found: Decision) -> list[LeftOut]:
    """For each pair what the decision becomes with every block left out in turn.

    ``survives`` is whether the outcome, resolved or not and which way, stays the same each time;
    None where leaving a block out leaves nothing to test.
    """
    rows = []
    blocks = table.wide("energy_j").index.to_numpy()
    for i, (a, b) in enumerate(evidence.comparisons(table, settings)):
        comparison = found.comparisons[i]
        tested = comparison.tested and comparison.paired
        row = LeftOut(
            a=a,
            b=b,
            blocks=comparison.n if comparison.paired else 0,
            resolved=comparison.resolved,
            survives=comparison.survives if tested else None,
        )
        if row.survives is not None and found.without is not None:
            means, p = found.without_mean[:, i], found.without_p[:, i]
            changed = found.without[:, i] != comparison.resolved
            strongest = int(np.nanargmax(np.abs(means - comparison.mean)))
            row = replace(
                row,
                pct_low=effects.percent(np.nanmin(means)),
                pct_high=effects.percent(np.nanmax(means)),
                lowest_p=float(np.nanmin(p)),
                highest_p=float(np.nanmax(p)),
                undone_by=[float(block) for block in blocks[changed]],
                most_influential_block=float(blocks[strongest]),
            )
        rows.append(row)
    return rows


def outlying(table: Table) -> list[Outlying]:
    """The trials that the outlier rule names; their blocks are whole ones to be set aside."""
    rows = []
    for group in table.all_groups:
        trials = table.usable[table.usable["group"].eq(group)].dropna(subset=["energy_j", "block"])
        logs = np.log(trials["energy_j"].to_numpy())
        if len(logs) < 5:
            continue
        distance = stats.median_abs_deviation(logs)
        if distance == 0:
            continue
        scores = 0.6745 * (logs - np.median(logs)) / distance
        for index in np.flatnonzero(np.abs(scores) > MODIFIED_Z):
            trial = trials.iloc[index]
            rows.append(
                Outlying(
                    trial=trial["trial"],
                    group=group,
                    block=float(trial["block"]),
                    energy_j=float(trial["energy_j"]),
                    modified_z=float(scores[index]),
                )
            )
    return rows


def without_outliers(table: Table, settings: Settings, found: Decision) -> Outliers:
    """Every pair's result with all data and without the outlying blocks."""
    trials = outlying(table)
    blocks = sorted({row.block for row in trials})
    other = decided_again(table.without_blocks(blocks), settings) if blocks else None
    return Outliers(
        rule=OUTLIER_RULE,
        trials=trials,
        blocks=blocks,
        pairs=beside(table, settings, found, other),
        same=other is None or outcome(found) == outcome(other),
    )


def without_disturbed(table: Table, settings: Settings, found: Decision) -> Disturbed:
    """Every pair's result with all data and without the trials that something disturbed."""
    words = table.usable["flags"].str.split(";")
    disturbed = words.map(lambda own: any(w.strip() in DISTURBED for w in own))
    other = None
    if disturbed.any():
        other = decided_again(table.without_trials(table.usable.index[disturbed]), settings)
    return Disturbed(
        flags=list(DISTURBED),
        trials=int(disturbed.sum()),
        pairs=beside(table, settings, found, other),
        same=other is None or outcome(found) == outcome(other),
    )


def conclusion_without(disturbed: Disturbed) -> str:
    """What becomes of the conclusion without the disturbed trials, in words."""
    if not disturbed.same:
        return "the conclusion changes"
    left = [pair.without for pair in disturbed.pairs]
    if not any(one and one.p_holm is not None for one in left):
        return "too little is left to tell whether the conclusion holds"
    return "the conclusion is the same"


def decided_again(table: Table, settings: Settings) -> Decision | None:
    """The decision on fewer trials; None where hardly any is left."""
    return evidence.decided(table, settings) if len(table.usable) else None


def outcome(found: Decision | None) -> list[float]:
    """What a decision comes to: which pairs are resolved, and which way."""
    if found is None:
        return []
    return [float(np.sign(c.mean)) if c.resolved else 0.0 for c in found.comparisons]


def beside(
    table: Table, settings: Settings, found: Decision, other: Decision | None
) -> list[Beside]:
    return [
        Beside(a, b, _result(found, i), None if other is None else _result(other, i))
        for i, (a, b) in enumerate(evidence.comparisons(table, settings))
    ]


def _result(found: Decision, i: int) -> Result:
    one = found.comparisons[i]
    return Result(
        n=one.n,
        paired=one.paired,
        pct_change=effects.known_percent(one.mean),
        p_holm=one.p if one.tested else None,
        resolved=one.resolved,
    )
