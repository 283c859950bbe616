"""Tables of checks: what became of the trials, how firm the result is, what could be seen."""

from collections.abc import Sequence
from typing import Any

from analysis import text
from analysis.cells import Cell, Column, Tabulation, number, p_cell, words
from analysis.findings import Findings
from analysis.table import Table


def detectable(found: Findings) -> Tabulation | None:
    """The smallest effects the experiment could have seen."""
    if not found.detectable:
        return None
    columns = [
        Column("Pair", False), Column("n"), Column("Smallest change seen"),
        Column("… after Holm"), Column("Blocks to see 1%"),
    ]  # fmt: skip

    def blocks(value: int | None) -> Cell:
        return number(value, "–" if value is None else str(value))

    def size(value: float | None) -> Cell:
        return number(value, "–" if value is None else f"{text.significant(value, 2)}%")

    cells = [
        [
            words(f"{r['b']} against {r['a']}"), number(r["n"], str(r["n"])), size(r["pct"]),
            size(r["pct_holm"]), blocks(r["blocks_for_1_pct"]),
        ]
        for r in found.detectable
    ]  # fmt: skip
    return Tabulation("Smallest detectable change of energy, 80% power", columns, cells)


def leave_one_out(found: Findings) -> Tabulation | None:
    """The range of results with each block left out."""
    own = [r for r in found.leave_one_out if r["survives"] is not None]
    columns = [
        Column("Pair", False), Column("Blocks"), Column("Change, from"), Column("to"),
        Column("Largest p, t"), Column("Wilcoxon"), Column("Survives", False),
        Column("Strongest block"),
    ]  # fmt: skip
    cells = []
    for r in own:
        decimals = max(text.percent_decimals(r["pct_low"], r["pct_high"]), 1)
        cells.append(
            [
                words(f"{r['b']} against {r['a']}"),
                number(r["blocks"], str(r["blocks"])),
                number(r["pct_low"], text.percent(r["pct_low"], decimals)),
                number(r["pct_high"], text.percent(r["pct_high"], decimals)),
                p_cell(r["worst_p_t"]),
                p_cell(r["worst_p_wilcoxon"]),
                words("yes" if r["survives"] else "no"),
                number(r["most_influential_block"], f"{r['most_influential_block']:g}"),
            ]
        )
    return (
        Tabulation("Each block left out in turn (uncorrected p)", columns, cells) if cells else None
    )


def outliers(found: Findings) -> list[Tabulation]:
    """The outlying trials, and the result with and without their blocks."""
    if not found.outliers["trials"]:
        return []
    trials = [
        [
            words(r["trial"]),
            words(r["group"]),
            number(r["block"], f"{r['block']:g}"),
            number(r["energy_j"], text.quantity(r["energy_j"], "J", 4)),
            number(r["modified_z"]),
        ]
        for r in found.outliers["trials"]
    ]
    first = [Column("Trial", False), Column("Group", False), Column("Block"), Column("Energy")]
    both = []
    for r in found.outliers["pairs"]:
        for name, key in (("all data", "all"), ("without outlying blocks", "without")):
            part = r[key]
            both.append(
                [
                    words(f"{r['b']} against {r['a']}"), words(name),
                    number(part["blocks"], str(part["blocks"])),
                    number(part["pct_change"], text.percent(part["pct_change"], 2)),
                    p_cell(part["p_t"]), p_cell(part["p_wilcoxon"]),
                ]
            )  # fmt: skip
    columns = [
        Column("Pair", False), Column("Data", False), Column("Blocks"), Column("Change"),
        Column("p, paired t"), Column("p, Wilcoxon"),
    ]  # fmt: skip
    found_tables = [Tabulation("Outlying trials", [*first, Column("Modified z")], trials)]
    return found_tables + [Tabulation("With and without outlying blocks", columns, both)]


def phases(table: Table, found: Findings, suffix: str) -> Tabulation | None:
    """Mean energy (``suffix`` j) or time (s) of every phase, a row per group."""
    own = [
        m for m in table.metrics if m.name.startswith("phase_") and m.name.endswith(f"_{suffix}")
    ]
    if not own:
        return None
    means = {(r["group"], r["metric"]): r for r in found.groups}
    known = [means[g, m.name]["mean"] for g in table.all_groups for m in own]
    scale = text.Scale.fit([v for v in known if v is not None], own[0].unit)
    columns = [Column("Group", False), *(Column(m.name.split("_")[1].capitalize()) for m in own)]
    cells = []
    for group in table.all_groups:
        row = [words(group)]
        for metric in own:
            value, sd = means[group, metric.name]["mean"], means[group, metric.name]["sd"]
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


def incomplete(rows: Sequence[dict[str, Any]], any_groups: bool) -> Tabulation | None:
    """The blocks that are left out of every paired test as a whole, and what each lacks."""
    if not rows or not any_groups:
        return None
    cells = [
        [
            words(f"{r['block']:g}"),
            words("; ".join(f"{group}: {why}" for group, why in r["missing"].items())),
        ]
        for r in rows
    ]
    columns = [Column("Block", False), Column("What it lacks", False)]
    return Tabulation("Blocks left out of the paired tests, whole", columns, cells)


def during(rows: Sequence[dict[str, Any]]) -> Tabulation | None:
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
    known = [one for one in shown if any(r[one[0]] is not None for r in rows)]
    if not known:
        return None
    columns = [Column("Group", False), *(Column(label) for _, label, _, _ in known)]
    counts = ("throttle_events", "missed_samples")
    cells = [
        [words(r["group"])]
        + [
            number(r[k], f"{r[k]:.0f}" if k in counts and r[k] is not None else None, digits)
            for k, _, digits, _ in known
        ]
        for r in rows
    ]
    notes = [" ".join(f"{label}: {meaning}." for _, label, _, meaning in known if meaning)]
    return Tabulation("The machine during the usable trials", columns, cells, notes)


def integrity(rows: Sequence[dict[str, Any]]) -> Tabulation:
    """What became of every trial, per group."""
    keys = [k for k in rows[0] if k != "group"] if rows else []
    always = ("trials", "usable", "wrapped", "retried", "failed", "excluded")
    keys = [k for k in keys if k in always or any(r[k] for r in rows)]
    columns = [Column("Group", False), *(Column(k.capitalize()) for k in keys)]
    cells = [[words(r["group"]), *(number(r[k], str(r[k])) for k in keys)] for r in rows]
    return Tabulation("Trials per group", columns, cells)


def exclusions(rows: Sequence[dict[str, str]]) -> Tabulation | None:
    """Everything left out, with its reason."""
    columns = [Column(c, False) for c in ("What", "File", "Status", "Reason")]
    cells = [[words(r[k]) for k in ("what", "file", "status", "reason")] for r in rows]
    return Tabulation("Left out", columns, cells) if cells else None


def positions(found: Findings) -> Tabulation | None:
    """How often each group ran at each position of a block."""
    counts = found.order.get("position_counts")
    if not counts:
        return None
    columns = [Column("Group", False), *(Column(f"Position {i + 1}") for i in range(len(counts)))]
    cells = [
        [words(name), *(number(c, str(c)) for c in row)]
        for name, row in zip(found.order["groups"], counts, strict=True)
    ]
    return Tabulation("How often each group ran at each position", columns, cells)


def autocorrelation(found: Findings) -> Tabulation | None:
    """Lag-1 autocorrelation of groups and of the pairs' log ratios."""
    rows = [r for r in found.drift["autocorrelation"] if r["r1"] is not None]
    columns = [
        Column("Series", False),
        Column("Blocks"),
        Column("Lag-1 r"),
        Column("p (Ljung–Box)"),
    ]
    cells = [
        [words(r["series"]), number(r["n"], str(r["n"])), number(r["r1"], digits=2), p_cell(r["p"])]
        for r in rows
    ]
    return Tabulation("Memory from block to block (ln energy)", columns, cells) if cells else None
