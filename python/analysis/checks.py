"""Tables of checks: what became of the trials, how firm the result is, what could be seen."""

from collections.abc import Sequence
from dataclasses import fields

from analysis import tables, text
from analysis.around import During
from analysis.cells import Cell, Column, Tabulation, number, p_cell, words
from analysis.decision import memory
from analysis.departures import Item
from analysis.findings import Findings
from analysis.provenance import Exclusion, Integrity
from analysis.table import Incomplete, Table


def detectable(found: Findings) -> Tabulation | None:
    """The smallest effects the experiment could have resolved."""
    own = [r for r in found.detectable if (r.a, r.b) in found.shown]
    if not own:
        return None
    columns = [
        Column("Pair", False), Column("n"), Column("Smallest change, of all pairs"),
        Column("of this pair alone"), Column("Blocks to resolve 1%"),
    ]  # fmt: skip

    def blocks(value: int | None) -> Cell:
        return number(value, "–" if value is None else str(value))

    cells = [
        [
            words(f"{r.b} against {r.a}"), number(r.n, str(r.n)),
            number(r.pct_holm, text.detectable(r.pct_holm)),
            number(r.pct, text.detectable(r.pct)),
            blocks(r.blocks_for_1_pct),
        ]
        for r in own
    ]  # fmt: skip
    notes = ["From the spread that was observed; after Holm’s correction over all comparisons."]
    caption = "Smallest change of energy resolved with 80% power"
    return Tabulation(caption, columns, cells, notes + tables.further(found))


def leave_one_out(found: Findings) -> Tabulation | None:
    """What the decision becomes with each block left out."""
    own = [r for r in found.leave_one_out if r.survives is not None and (r.a, r.b) in found.shown]
    columns = [
        Column("Pair", False), Column("Blocks"), Column("Change, from"), Column("to"),
        Column("p (Holm), from"), Column("to"), Column("Outcome", False),
        Column("Strongest block"),
    ]  # fmt: skip
    cells = []
    for r in own:
        c = found.pair(r.a, r.b)
        low, high = (c.ci_low, c.ci_high) if c else (None, None)
        *_, least, most = text.change(c.pct_change if c else None, low, high, r.pct_low, r.pct_high)
        name = "resolved" if r.resolved else "not resolved"
        undone = [f"{b:g}" for b in r.undone_by or []]
        which = text.join(undone) if len(undone) <= 4 else f"any of {len(undone)}"
        cells.append(
            [
                words(f"{r.b} against {r.a}"),
                number(r.blocks, str(r.blocks)),
                number(r.pct_low, least),
                number(r.pct_high, most),
                p_cell(r.lowest_p),
                p_cell(r.highest_p),
                words(f"{name}, always" if r.survives else f"{name}, but not without {which}"),
                number(r.most_influential_block, f"{r.most_influential_block:g}"),
            ]
        )
    caption = "The whole decision, each block left out in turn"
    return Tabulation(caption, columns, cells, tables.further(found)) if cells else None


def phases(table: Table, found: Findings, suffix: str) -> Tabulation | None:
    """Mean energy (``suffix`` j) or time (s) of every phase, a row per group."""
    own = [
        m for m in table.metrics if m.name.startswith("phase_") and m.name.endswith(f"_{suffix}")
    ]
    if not own:
        return None
    means = {(r.group, r.metric): r for r in found.groups}
    known = [means[g, m.name].mean for g in table.all_groups for m in own]
    scale = text.Scale.fit([v for v in known if v is not None], own[0].unit)
    columns = [Column("Group", False), *(Column(m.name.split("_")[1].capitalize()) for m in own)]
    cells = []
    for group in table.all_groups:
        row = [words(group)]
        for metric in own:
            value, sd = means[group, metric.name].mean, means[group, metric.name].sd
            spread = "" if sd is None else f" ± {scale.format(sd)}"
            row.append(number(value, scale.format(value) + spread))
        cells.append(row)
    what = "Energy" if suffix == "j" else "Time"
    return Tabulation(f"{what} per phase in {scale.unit}, mean ± SD", columns, cells)


def accuracy(table: Table) -> Tabulation | None:
    """What the trained models achieved, per group; missing where the workload does not tell."""
    rows = []
    for group in table.all_groups:
        trials = table.usable[table.usable["group"] == group]
        values, losses = trials["accuracy"].dropna(), trials["loss"].dropna()
        if not len(values) and not len(losses):
            continue
        rows.append(
            [
                words(group),
                number(len(values), str(len(values))),
                number(values.mean(), f"{100 * values.mean():.2f}%" if len(values) else "–"),
                number(values.min(), f"{100 * values.min():.2f}%" if len(values) else "–"),
                number(values.max(), f"{100 * values.max():.2f}%" if len(values) else "–"),
                number(losses.mean(), digits=4),
            ]
        )
    columns = [
        Column("Group", False), Column("n"), Column("Mean accuracy"), Column("Lowest"),
        Column("Highest"), Column("Mean loss"),
    ]  # fmt: skip
    return Tabulation("Accuracy on the test set", columns, rows) if rows else None


#: More blocks than this are only in the files.
_MOST_BLOCKS = 20


def incomplete(rows: Sequence[Incomplete], any_groups: bool) -> Tabulation | None:
    """The blocks that lack a group, and why; the pairs that they do have use them."""
    if not rows or not any_groups:
        return None
    cells = [
        [
            words(f"{r.block:g}"),
            words("; ".join(f"{group}: {why}" for group, why in r.missing.items())),
        ]
        for r in rows
    ]
    columns = [Column("Block", False), Column("What it lacks", False)]
    notes = ["A pair of groups uses every block in which both are usable."]
    if len(cells) > _MOST_BLOCKS:
        notes.append(f"{len(cells) - _MOST_BLOCKS} more are in summary.json.")
        cells = cells[:_MOST_BLOCKS]
    return Tabulation("Blocks that lack a group", columns, cells, notes)


def during(rows: Sequence[During]) -> Tabulation | None:
    """What the machine did beside the trials, a row per group; columns that nobody knows go."""
    shown = (
        ("other_cores_mean", "Others’ cores", 2, "processor time of other processes per second"),
        ("other_cores_max", "most", 2, ""),
        ("mhz_mean", "MHz", 4, ""),
        ("celsius_begin_mean", "°C before", 3, "mean at the beginnings of the trials"),
        ("celsius_max", "hottest", 3, ""),
        ("throttle_events", "Throttled", 3, "how often a processor was slowed down for its heat"),
        ("missed_samples", "Missing", 3, "samples"),
    )
    known = [one for one in shown if any(getattr(r, one[0]) is not None for r in rows)]
    if not known:
        return None
    columns = [Column("Group", False), *(Column(label) for _, label, _, _ in known)]
    counts = ("throttle_events", "missed_samples")
    cells = [
        [words(r.group)]
        + [
            number(v, f"{v:.0f}" if k in counts and v is not None else None, digits)
            for k, v, digits in ((k, getattr(r, k), digits) for k, _, digits, _ in known)
        ]
        for r in rows
    ]
    notes = [" ".join(f"{label}: {meaning}." for _, label, _, meaning in known if meaning)]
    return Tabulation("The machine during the usable trials", columns, cells, notes)


def integrity(rows: Sequence[Integrity]) -> Tabulation:
    """What became of every trial, per group."""
    keys = [f.name for f in fields(Integrity) if f.name != "group"] if rows else []
    always = ("trials", "usable", "wrapped", "retried", "failed", "excluded")
    keys = [k for k in keys if k in always or any(getattr(r, k) for r in rows)]
    columns = [Column("Group", False)]
    columns += [Column(k.replace("_", " ").capitalize()) for k in keys]
    cells = [
        [words(r.group), *(number(v, str(v)) for v in (getattr(r, k) for k in keys))] for r in rows
    ]
    return Tabulation("Trials per group", columns, cells)


#: More that was left out than this is only in the files.
_MOST_LEFT_OUT = 100


def exclusions(rows: Sequence[Exclusion]) -> Tabulation | None:
    """Everything left out, with its reason."""
    columns = [Column(c, False) for c in ("What", "File", "Status", "Reason")]
    cells = [[words(v) for v in (r.what, r.file, r.status, r.reason)] for r in rows]
    more = len(cells) - _MOST_LEFT_OUT
    notes = [f"{more} more are in trials.csv and summary.json."] if more > 0 else []
    return Tabulation("Left out", columns, cells[:_MOST_LEFT_OUT], notes) if cells else None


#: More positions than this fill a page with ones and twos.
_MOST_POSITIONS = 12


def positions(found: Findings) -> Tabulation | None:
    """How often each group ran at each position of a block."""
    counts = found.order.balance.position_counts if found.order.balance else []
    if not counts or len(counts) > _MOST_POSITIONS:
        return None
    columns = [Column("Group", False), *(Column(text.ordinal(i + 1)) for i in range(len(counts)))]
    cells = [
        [words(name), *(number(c, str(c)) for c in row)]
        for name, row in zip(found.order.groups, counts, strict=True)
    ]
    return Tabulation("How often each group ran at each position", columns, cells)


def autocorrelation(found: Findings) -> Tabulation | None:
    """Lag-1 autocorrelation of groups and of the pairs' log ratios."""
    names = {f"{b} ÷ {a}" for a, b in found.shown}
    rows = [
        r
        for r in found.drift.autocorrelation
        if r.r1 is not None and (r.series in names or len(found.compared) <= len(names))
    ]
    columns = [
        Column("Series", False), Column("Blocks"), Column("Lag-1 r"), Column("p (one-sided)"),
        Column("Worth blocks"),
    ]  # fmt: skip
    cells = [
        [
            words(r.series),
            number(r.n, str(r.n)),
            number(r.r1, digits=2),
            p_cell(r.p),
            number(r.effective_blocks, digits=2),
        ]
        for r in rows
    ]
    p = found.drift.memory.p
    here = "" if p is None else f", here {text.p_value(p)}"
    note = (
        "Worth blocks: how many independent blocks the pair’s are worth. Intervals are widened by "
        "that where neighbours resemble each other in the mean of all pairs (one-sided p below "
        f"{memory.TOGETHER:g}{here}) or in a pair by itself (below {memory.BY_ITSELF:g} after "
        "Holm)."
    )
    if not cells:
        return None
    return Tabulation("Memory from block to block (ln energy)", columns, cells, [note])


def protocol(items: Sequence[Item]) -> Tabulation | None:
    """What was declared before the first trial, and what was done."""
    columns = [Column(c, False) for c in ("Declared", "As", "Done", "Kept")]
    said = {True: "yes", False: "no", None: "cannot be told"}
    cells = [[words(i.name), words(i.declared), words(i.done), words(said[i.kept])] for i in items]
    caption = "Declared before the first trial, and done"
    return Tabulation(caption, columns, cells) if cells else None
