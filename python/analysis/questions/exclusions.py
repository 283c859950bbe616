"""Is every trial accounted for, and does the result hang on what is left out?"""

from analysis import around, beside, checks, limits, provenance, robustness, stopping, tables, text
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.robustness import Outliers
from analysis.settings import Settings
from analysis.table import Table


def accounted(table: Table, found: Findings, settings: Settings) -> Answer:
    rows = provenance.integrity(table)
    left_out = provenance.exclusions(table, settings)
    wrapped = sum(r.wrapped for r in rows)
    retried = sum(r.retried for r in rows)
    short = (
        f"{len(table.usable)} of {text.count(len(table.frame), 'trial')} usable; {wrapped} wrapped "
        f"(corrected), {retried} retried, {len(left_out)} left out"
    )
    lines = []
    ranges = sorted(set(table.frame["wrap_range_j"].dropna()))
    if wrapped and ranges:
        sizes = text.join([f"{r:,.0f} J".replace(",", "\u202f") for r in ranges])
        lines.append(f"Wrapped counters were subtracted modulo their range of {sizes}.")
    if left_out:
        lines.append("Everything left out, with its reason, is listed under “What was left out”.")
    complete = table.complete_blocks()
    if complete:
        lines.append(
            f"{text.count(len(complete), 'block')} with every group; a pair of groups uses every "
            "block in which both are usable."
        )
    if settings.protocol.looks and settings.protocol.most_blocks:
        ran = table.frame["block"].nunique()
        lines.append(
            f"{ran} of at most {settings.protocol.most_blocks} blocks were run: the experiment was "
            "planned to stop when it is precise enough, and its p-values and intervals hold over "
            "all looks that were planned."
        )
    if table.sparse:
        lines.append(f"With a single usable trial, and so not compared: {text.join(table.sparse)}.")
    if settings.pairing.why:
        lines.append(f"Pairing: {settings.pairing.why}.")
    if stopped := stopping.told(settings.experiment):
        lines.append(stopped)
    if disturbed := _disturbed(table):
        lines.append(disturbed)
    mark = "warn" if left_out or disturbed else "good"
    title = "How many trials wrapped, failed, were retried or excluded, per treatment, and why?"
    own = kept(
        checks.integrity(rows),
        checks.incomplete(table.incomplete_blocks(), bool(table.groups)),
        checks.during(found.around.during),
    )
    return Answer(title, mark, short, lines, own)


def _disturbed(table: Table) -> str:
    """How many trials were disturbed, by what; empty where none is known to have been."""
    counts = {words: around.flagged(table, flag) for flag, words in robustness.DISTURBED.items()}
    parts = [f"{words} in {n}" for words, n in counts.items() if n]
    if not parts:
        return ""
    return (
        f"Of {text.count(len(table.frame), 'trial')}, {text.join(parts)}. Such trials are kept: "
        "what lies beside them is in the table of the machine during the trials."
    )


def robust(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Does the conclusion survive all data, rank tests and dropping any one block?"
    tested = [r for r in found.leave_one_out if r.survives is not None]
    lines = [found.outliers.rule]
    if found.outliers.trials:
        lines.append(_set_aside(found.outliers))
    else:
        lines.append("The rule names no trial.")
    if found.disturbed.trials:
        without = robustness.conclusion_without(found.disturbed)
        lines.append(
            f"Without the {text.count(found.disturbed.trials, 'trial')} that something "
            f"disturbed, {without}."
        )
    extra = kept(
        checks.leave_one_out(found), *beside.outliers(found), beside.disturbed(found),
        *beside.durations(found), tables.adjusted(found),
    )  # fmt: skip
    if not tested:
        return Answer(title, "unknown", "Too few blocks to leave one out", lines, extra)
    pairs = found.decision.comparisons
    disagree = [i for i, c in enumerate(pairs) if c.rank_agrees is False]
    silent = [c for c in pairs if c.paired and c.rank_agrees is None]
    fragile = [r for r in tested if not r.survives]
    if disagree:
        names = _names([found.compared[i] for i in disagree])
        lines.append(f"The t-test and ranks disagree for {names}.")
    if silent:
        note = limits.ranks_cannot(silent[0].n, settings.alpha)
        if note:
            lines.append(f"{note[0].upper()}{note[1:]}, so that they confirm nothing.")
    if fragile:
        names = _names([(r.a, r.b) for r in fragile])
        lines.append(f"Leaving out a single block changes the outcome of {names}.")
    good = not disagree and not fragile and not silent
    short = "Yes, for every pair" if good else "Not for every pair"
    if silent and not disagree and not fragile:
        short = "Every block can be left out; ranks cannot tell"
    changed = not (found.disturbed.same and found.outliers.same and found.durations.same)
    return Answer(title, "good" if good and not changed else "warn", short, lines, extra)


def _set_aside(outliers: Outliers) -> str:
    blocks = outliers.blocks
    named = text.join([f"{b:g}" for b in blocks]) if len(blocks) <= 12 else f"{len(blocks)} of them"
    same = "the conclusion is the same" if outliers.same else "the conclusion is another"
    return f"The rule names {'block' if len(blocks) == 1 else 'blocks'} {named}; without, {same}."


def _names(pairs: list[tuple[str, str]]) -> str:
    if len(pairs) > 6:
        return f"{len(pairs)} pairs"
    return text.join([f"{b} against {a}" for a, b in pairs])
