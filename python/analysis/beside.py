"""Tables of what the result is without some trials: outlying, disturbed, or of an odd length."""

from collections.abc import Sequence

from analysis import tables, text
from analysis.cells import Column, Tabulation, number, p_cell, words
from analysis.findings import Findings
from analysis.robustness import Beside

#: More outlying trials than this are only in the files.
_MOST_TRIALS = 20


def outliers(found: Findings) -> list[Tabulation]:
    """The outlying trials, and the result with and without their blocks."""
    if not found.outliers.trials:
        return []
    scale = tables.energy_scale(found)
    trials = [
        [
            words(r.trial),
            words(r.group),
            number(r.block, f"{r.block:g}"),
            number(r.energy_j, scale.format(r.energy_j)),
            number(r.modified_z),
        ]
        for r in found.outliers.trials
    ]
    first = [Column("Trial", False), Column("Group", False), Column("Block")]
    first.append(Column(f"Energy ({scale.unit})"))
    if len(trials) > _MOST_TRIALS:
        more = [f"{len(trials) - _MOST_TRIALS} more are in summary.json."]
        trials = trials[:_MOST_TRIALS]
    else:
        more = []
    named = Tabulation("Outlying trials", [*first, Column("Modified z")], trials, more)
    caption = "With and without outlying blocks"
    return [named, _with_and_without(found, found.outliers.pairs, "outlying blocks", caption)]


def disturbed(found: Findings) -> Tabulation | None:
    """The result with and without trials that something disturbed."""
    if not found.disturbed.trials:
        return None
    caption = "With and without disturbed trials"
    return _with_and_without(found, found.disturbed.pairs, "disturbed trials", caption)


def durations(found: Findings) -> list[Tabulation]:
    """The trials of an odd length, and the result with and without them."""
    rows = found.durations.trials
    if not rows:
        return []
    cells = [
        [words(r.trial), words(r.group), number(r.time_s), number(r.median_s)]
        for r in rows[:_MOST_TRIALS]
    ]
    columns = [
        Column("Trial", False), Column("Group", False), Column("Time (s)"), Column("Median (s)"),
    ]  # fmt: skip
    more = len(rows) - _MOST_TRIALS
    notes = [found.durations.rule]
    if more > 0:
        notes.append(f"{more} more are in summary.json.")
    named = Tabulation("Trials of an odd length", columns, cells, notes)
    caption = "With and without trials of an odd length"
    pairs = found.durations.pairs
    return [named, _with_and_without(found, pairs, "trials of an odd length", caption)]


def _with_and_without(
    found: Findings, rows: Sequence[Beside], what: str, caption: str
) -> Tabulation:
    both = []
    for r in rows:
        if (r.a, r.b) not in found.shown:
            continue
        for name, part in (("all data", r.all), (f"without {what}", r.without)):
            if part is None:
                continue
            c = found.pair(r.a, r.b)
            whole = (c.pct_change, c.ci_low, c.ci_high) if c else (None, None, None)
            *_, shown = text.change(*whole, part.pct_change)
            both.append(
                [
                    words(f"{r.b} against {r.a}"), words(name),
                    number(part.n, str(part.n)),
                    number(part.pct_change, shown),
                    p_cell(part.p_holm), words("yes" if part.resolved else "no"),
                ]
            )  # fmt: skip
    columns = [
        Column("Pair", False), Column("Data", False), Column("n"), Column("Change"),
        Column("p (Holm)"), Column("Resolved", False),
    ]  # fmt: skip
    return Tabulation(caption, columns, both, tables.further(found))
