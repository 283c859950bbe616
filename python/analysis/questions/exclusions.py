"""Is every trial accounted for, and does the result hang on what is left out?"""

from analysis import checks, conditions, pairs, provenance, text
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table

_DISTURBANCES = {
    "interference": "other processes kept processors busy",
    "throttled": "the processor was slowed down for its heat",
    "swapped": "memory was swapped",
    "steal": "the hypervisor gave processor time to others",
    "missed-samples": "samples are missing",
    "clock-step": "the wall clock was set",
}


def accounted(table: Table, found: Findings, settings: Settings) -> Answer:
    rows = provenance.integrity(table)
    left_out = provenance.exclusions(table, settings)
    wrapped = sum(r["wrapped"] for r in rows)
    retried = sum(r["retried"] for r in rows)
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
    outside = int((~table.usable["block"].isin(complete)).sum())
    rest = f"{text.count(outside, 'usable trial')} outside them, used in the unpaired reading only"
    lines.append(
        f"{text.count(len(complete), 'block')} complete over all groups and paired; "
        f"{rest if outside else 'no usable trial lies outside them'}."
    )
    if disturbed := _disturbed(table):
        lines.append(disturbed)
    mark = "warn" if left_out or disturbed else "good"
    title = "How many trials wrapped, failed, were retried or excluded, per treatment, and why?"
    own = kept(
        checks.integrity(rows),
        checks.incomplete(table.incomplete_blocks(), bool(table.groups)),
        checks.during(found.conditions["during"]),
    )
    return Answer(title, mark, short, lines, own)


def _disturbed(table: Table) -> str:
    """How many trials were disturbed, by what; empty where none is known to have been."""
    counts = {words: conditions.flagged(table, flag) for flag, words in _DISTURBANCES.items()}
    parts = [f"{words} in {n}" for words, n in counts.items() if n]
    if not parts:
        return ""
    return (
        f"Of {text.count(len(table.frame), 'trial')}, {text.join(parts)}. Such trials are kept: "
        "what lies beside them is in the table of the machine during the trials."
    )


def robust(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Does the conclusion survive all data, rank tests and dropping any one block?"
    tested = [r for r in found.leave_one_out if r["survives"] is not None]
    lines = [found.outliers["rule"]]
    if found.outliers["trials"]:
        names = text.join([f"{b:g}" for b in found.outliers["blocks"]])
        blocks = "block" if len(found.outliers["blocks"]) == 1 else "blocks"
        lines.append(f"The rule names {blocks} {names}; the result without is beside the one with.")
    else:
        lines.append("The rule names no trial.")
    extra = kept(checks.leave_one_out(found), *checks.outliers(found))
    if not tested:
        return Answer(title, "unknown", "Too few complete blocks to leave one out", lines, extra)
    disagree = [
        f"{b} against {a}"
        for a, b in {(r["a"], r["b"]): None for r in tested}
        if not _agree(found, a, b, settings.alpha)
    ]
    fragile = [f"{r['b']} against {r['a']}" for r in tested if not r["survives"]]
    if disagree:
        lines.append(f"The parametric and the rank test disagree for {text.join(disagree)}.")
    if fragile:
        lines.append(f"Leaving out a single block changes the outcome of {text.join(fragile)}.")
    good = not disagree and not fragile
    short = "Yes, for every pair" if good else "Not for every pair"
    return Answer(title, "good" if good else "warn", short, lines, extra)


def _agree(found: Findings, a: str, b: str, alpha: float) -> bool:
    rows = [found.pair(a, b, test) for test in (pairs.PAIRED_T, pairs.WILCOXON)]
    sides = {row["p_holm"] < alpha for row in rows if row and row["p_holm"] is not None}
    return len(sides) < 2
