"""What limits the answer: sentences, and the reasons why nothing can be firm."""

import re
from typing import Any

from analysis import (
    departures,
    doubts,
    durations,
    machines_report,
    periods,
    provenance,
    repeats,
    robustness,
    text,
)
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table

#: Below this share of a trial's time without a reading, nothing is said.
_COVERAGE = 0.95

#: More pairs than this are counted, not named.
_MOST_NAMED = 3

_ORDER = {
    "sequential": "The groups ran one after another, not in blocks: whatever changed over time is "
    "part of the difference.",
    "stretches": "The trials ran in long stretches of one group, not in random order: whatever "
    "changed over time is part of the difference.",
    "unbalanced": "Positions within blocks were not balanced over the groups.",
    "unknown": "The order in which the trials ran is not known.",
}

_FIXED = (
    "The groups ran in the same order in every block, so neither position nor predecessor can be "
    "told from the group."
)

_DOUBTS = {
    "unknown": "the order of the trials is not known",
    "sequential": "the order of the trials was not by blocks",
    "apart": "not all groups ran at the same time",
    "cyclic": "the order of the trials was not random",
    "stretches": "the order of the trials was not random",
    "unbalanced": "the order of the trials was not balanced",
}

#: Orders in which time is part of the difference.
_NOT_RANDOM = ("sequential", "apart", "stretches")

ESTIMATED_PART = "The processor's part of the energy is estimated from its load, not measured."


def caps(table: Table, found: Findings, settings: Settings) -> list[str]:
    """Why nothing can be firm, whatever the numbers say; clauses for the sentence about it."""
    reasons = []
    if (estimated := provenance.estimated(table)) != "none":
        reasons.append(("part of " if estimated == "part" else "") + "the energy is estimated")
    if provenance.work_gate(settings)[0] == "unknown":
        reasons.append("whether the work was the same is not on record")
    if found.order.verdict in _DOUBTS:
        reasons.append(_DOUBTS[found.order.verdict])
    if table.usable["coverage"].isna().any():
        reasons.append("how much of the time was measured is not on record")
    elif len(_uncovered(table, settings)):
        reasons.append("part of the time was not measured")
    if not found.disturbed.same:
        reasons.append("it is another without the disturbed trials")
    if not found.durations.same:
        reasons.append("it is another without the trials of an odd length")
    over = found.machines.pooled if found.machines else None
    reasons += machines_report.caps(over, found.decision, found.compared)
    known = departures.items(table, found, settings)
    if any(item.kept is False and item.weakens for item in known):
        reasons.append("it departs from the protocol")
    return reasons


def _uncovered(table: Table, settings: Settings) -> Any:
    """The coverage of the usable trials that were measured too little."""
    limit = settings.protocol.coverage_limit or _COVERAGE
    coverage = table.usable["coverage"].dropna()
    return coverage[coverage < limit]


def all_of(table: Table, found: Findings, settings: Settings) -> list[str]:
    """Every caution, the gravest first."""
    cautions = []
    gate, reasons = provenance.work_gate(settings)
    if gate == "failed":
        cautions.append("The work gate failed" + (f": {'; '.join(reasons)}." if reasons else "."))
    estimated = provenance.estimated(table)
    if estimated == "all":
        cautions.append("The energy is estimated from CPU load; no energy counter was read.")
    elif estimated == "some":
        cautions.append("Some trials' energy is estimated from CPU load, not measured.")
    elif estimated == "part":
        cautions.append(ESTIMATED_PART)
    cautions += _data(settings)
    cautions += _domains(table, settings)
    if len(table.groups) + len(table.sparse) < 2:
        return cautions
    cautions += _sparse(table)
    if gate == "unknown":
        cautions.append("Whether the groups did the same work is not on record.")
    cautions += _invalid(table)
    cautions += _order(found)
    cautions += _pairing(table, found, settings)
    cautions += machines_report.cautions(found.machines)
    cautions += doubts.of_numbers(table, found, settings)
    if found.floor is None:
        cautions.append("No A/A control was run, so the noise floor is not known.")
    cautions += _coverage(table, settings)
    cautions += durations.told(found.durations)
    cautions += _repeated(table)
    cautions += _disturbances(table, found)
    cautions += _protocol(table, found, settings)
    return cautions


def of_the_answer(table: Table, found: Findings) -> list[str]:
    """The cautions without which the first sentence alone would mislead; a terminal shows them."""
    if len(table.groups) < 2:
        return []
    own = _order(found) if found.order.verdict in _NOT_RANDOM else []
    own += durations.told(found.durations)
    return own + _repeated(table)


def _data(settings: Settings) -> list[str]:
    """Other data than those that the experiment is about."""
    data = settings.experiment.data
    if (data.name or "").lower() == "digits":
        return [
            "Trained on scikit-learn’s handwritten digits, not on MNIST: what it says holds for "
            "them, and is no figure for MNIST."
        ]
    if data.warning:
        which = f": {text.join(list(data.unpublished))}" if data.unpublished else ""
        return [f"The data are not as published{which}. experiment.json has the checksums."]
    return []


def _invalid(table: Table) -> list[str]:
    """The trials that could not be accepted, by what was wrong with them."""
    invalid = table.frame[table.frame["status"].eq("invalid")]
    if not len(invalid):
        return []
    reasons = invalid["reason"].fillna("no reason recorded").astype(str)
    kinds = reasons.map(_kind).value_counts()
    named = list(kinds.items())[:_MOST_NAMED]
    if len(kinds) > _MOST_NAMED:
        named.append(("other reasons", int(kinds.iloc[_MOST_NAMED:].sum())))
    parts = []
    for kind, count in named:
        shares = [float(m[1]) for r in reasons[reasons.map(_kind).eq(kind)] if (m := _SAMPLED(r))]
        worst = f", at worst {min(shares):g}% of it" if len(shares) > 1 else ""
        parts.append(f"{kind}{worst}" if len(kinds) == 1 else f"{count} as {kind}{worst}")
    if len(invalid) == 1 and (found := _SAMPLED(reasons.iloc[0])):
        parts = [found[0]]
    be = "is" if len(invalid) == 1 else "are"
    return [f"{text.count(len(invalid), 'trial')} {be} invalid and left out: {text.join(parts)}."]


#: How the host says that a trial was not measured for long enough.
_SAMPLED = re.compile(r"only ([\d.]+)% of its time was sampled").match


def _kind(reason: str) -> str:
    """A reason without what is one trial's own, so that like ones can be counted."""
    if _SAMPLED(reason):
        return "too little of the time was sampled"
    reason = re.sub(r" fell from .*", " fell otherwise than by a wrap", reason)
    # A column's unit, as in 'PACKAGE_ENERGY (J)', belongs to its name.
    return re.split(r"[:;]|\((?!J\))", reason, maxsplit=1)[0].strip().rstrip(".")


def _domains(table: Table, settings: Settings) -> list[str]:
    """Counters that are missing, and kinds of totals that are not comparable."""
    cautions = []
    if not settings.comparable:
        kinds = settings.domains.kinds
        listed = text.join([f"{group}: {kind}" for group, kind in kinds.items()])
        cautions.append(
            f"The totals are not of one kind ({listed}). Comparable are groups measured by the "
            "same kind of sensor: measure them again with one meter, or choose domains that all "
            "have with --domains."
        )
    for entry in settings.absent:
        where = f" in {text.join(list(entry.groups))}" if entry.groups else ""
        count = "" if entry.trials is None else f" ({text.count(entry.trials, 'trial')})"
        cautions.append(f"No counter{where}: {entry.column} never moved{count}.")
    return cautions


def _sparse(table: Table) -> list[str]:
    if not table.sparse:
        return []
    one = len(table.sparse) == 1
    return [
        f"{text.join(table.sparse)} {'has' if one else 'have'} a single usable trial"
        f"{'' if one else ' each'}, which has no spread: nothing can be said of "
        f"{'it' if one else 'them'}."
    ]


def _repeated(table: Table) -> list[str]:
    """Trials that are others once more, and count twice."""
    rows = table.usable
    same = rows[repeats.found(rows["energy_j"], rows["time_s"])]
    if not len(same):
        return []
    one = len(same) == 1
    return [
        f"{text.count(len(same), 'trial')} {'has' if one else 'have'} the energy and the time of "
        "another to the last digit: the same run, there twice, makes the scatter look smaller "
        "than it is. joulerace audit tells what is left without."
    ]


def _order(found: Findings) -> list[str]:
    order = found.order
    if order.verdict == "apart":
        when = periods.told(order.apart, order.periods)
        return [
            f"Not all groups ran at the same time: {when}; whatever changed over time is part of "
            "their difference."
        ]
    if order.verdict != "cyclic":
        return [_ORDER[order.verdict]] if order.verdict in _ORDER else []
    if order.repetition and (order.repetition.period or 0) > 1:
        period = order.repetition.period
        return [f"The order was not random: it repeats a cycle of {period} blocks."]
    return [_FIXED]


def _pairing(table: Table, found: Findings, settings: Settings) -> list[str]:
    """Comparisons that could not stay within blocks."""
    loose = [c for c in found.decision.comparisons if not c.paired]
    if not loose:
        return []
    why = settings.pairing.why
    all_of_them = len(loose) == len(found.decision.comparisons)
    start = "The trials are compared one by one, not within blocks"
    if not all_of_them:
        start = (
            f"{len(loose)} of {len(found.decision.comparisons)} comparisons are not within blocks"
        )
    return [f"{start}{f': {why}' if why else ''}."]


def _coverage(table: Table, settings: Settings) -> list[str]:
    low = _uncovered(table, settings)
    if not len(low):
        return []
    return [
        f"Of {text.count(len(low), 'usable trial')}, part of the time was not measured (at worst "
        f"{100 * (1 - low.min()):.0f}% of it); their totals are of the rest."
    ]


_NOT_THE_MACHINE = ("missed-samples", "clock-step")


def _disturbances(table: Table, found: Findings) -> list[str]:
    """What else the machine did during trials that count; a flag is set only beyond its limit."""
    # Missing samples and a clock that was set are no work of the machine's.
    words = {k: v for k, v in robustness.DISTURBED.items() if k not in _NOT_THE_MACHINE}
    flags = table.usable["flags"].str.split(";")
    counts = {flag: int(flags.map(lambda own, f=flag: f in own).sum()) for flag in words}
    parts = [f"{words[flag]} in {count}" for flag, count in counts.items() if count]
    if not parts:
        return []
    without = robustness.conclusion_without(found.disturbed)
    return [
        f"Of {text.count(len(table.usable), 'usable trial')}, {text.join(parts)}; without such "
        f"trials {without}."
    ]


def _protocol(table: Table, found: Findings, settings: Settings) -> list[str]:
    told = departures.told(departures.items(table, found, settings))
    return [f"Not as declared. {one}." for one in told]
