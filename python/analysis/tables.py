"""Tables of results as rows of cells, for the page and for Markdown alike."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis import metrics, pairs, text
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table


@dataclass(frozen=True)
class Cell:
    """What is shown, and what it sorts by."""

    text: str
    sort: float | str = ""


@dataclass(frozen=True)
class Column:
    """A heading; numbers are right-aligned and sort as numbers."""

    label: str
    number: bool = True


@dataclass(frozen=True)
class Tabulation:
    """A captioned table. The first column names the row."""

    caption: str
    columns: Sequence[Column]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)


def words(value: Any) -> Cell:
    """A cell of text."""
    shown = str(value)
    return Cell(shown, shown)


def number(value: float | None, shown: str | None = None, digits: int = 3) -> Cell:
    """A cell of a number; missing ones sort last."""
    if value is None or math.isnan(value):
        return Cell(shown or "–", float("inf"))
    return Cell(shown if shown is not None else text.significant(value, digits), float(value))


def interval(low: float | None, high: float | None) -> Cell:
    """An interval of percentages."""
    if low is None or high is None:
        return Cell("–", float("inf"))
    decimals = text.percent_decimals(low, high)
    return Cell(f"{text.percent(low, decimals)} to {text.percent(high, decimals)}", low)


def change(row: dict[str, Any], key: str = "pct_change") -> Cell:
    """A percentage change with as many digits as its interval bears out."""
    decimals = text.percent_decimals(row.get("ci_low"), row.get("ci_high"), row.get(key))
    return number(row.get(key), text.percent(row.get(key), decimals))


def p_cell(p: float | None) -> Cell:
    """A p-value."""
    return number(p, text.p_value(p))


def groups(rows: Sequence[dict[str, Any]], names: Iterable[metrics.Metric]) -> list[Tabulation]:
    """One table per metric: the groups' location, spread and normality."""
    found = []
    for metric in names:
        own = [r for r in rows if r["metric"] == metric.name and r["n"]]
        if not own:
            continue
        scale = text.Scale.fit([r["max"] for r in own], metric.unit)
        labels = ("mean", "sd", "median", "min", "max")
        columns = [Column("Group", False), Column("n"), *(Column(v.capitalize()) for v in labels)]
        columns[3] = Column("SD")
        columns += [Column("Shapiro–Wilk W"), Column("p")]
        cells = [
            [words(r["group"]), number(r["n"], str(r["n"]))]
            + [number(r[v], scale.format(r[v])) for v in labels]
            + [number(r["shapiro_w"], text.significant(r["shapiro_w"])), p_cell(r["shapiro_p"])]
            for r in own
        ]
        found.append(Tabulation(f"{metric.label} in {scale.unit}", columns, cells))
    return found


_TESTS = {
    pairs.PAIRED_T: "paired t, logs",
    pairs.WILCOXON: "Wilcoxon signed-rank, logs",
    pairs.WELCH: "Welch t",
    pairs.MANN_WHITNEY: "Mann–Whitney U",
    "none": "none",
    "rm-anova-log": "RM-ANOVA on logs (Greenhouse–Geisser)",
    "friedman": "Friedman",
    "welch-anova-log": "Welch ANOVA on logs",
    "kruskal-wallis": "Kruskal–Wallis",
}


def comparisons(
    rows: Sequence[dict[str, Any]], metric: metrics.Metric, caption: str = ""
) -> Tabulation | None:
    """Every test of every pair for one metric, why there is no p-value below it."""
    own = [r for r in rows if r["metric"] == metric.name]
    if not own:
        return None
    columns = [
        Column("Pair", False), Column("Test", False), Column("n"), Column("Change"),
        Column("95% interval"), Column("Statistic"), Column("p"), Column("p (Holm)"),
        Column("Hedges g"), Column("Cliff’s δ"),
    ]  # fmt: skip
    cells, notes = [], []
    for r in own:
        n = str(r["n"]) if r["paired"] else f"{r['n_a']} + {r['n_b']}"
        cells.append(
            [
                words(f"{r['b']} against {r['a']}"),
                words(_TESTS[r["test"]]),
                number(r["n"], n),
                change(r),
                interval(r["ci_low"], r["ci_high"]),
                number(r["statistic"], digits=4),
                p_cell(r["p"]),
                p_cell(r["p_holm"]),
                number(r["hedges_g"], _effect("hedges_g", r["hedges_g"])),
                number(r["cliffs_delta"], _effect("cliffs_delta", r["cliffs_delta"])),
            ]
        )
        if r["note"]:
            notes.append(f"{r['b']} against {r['a']}, no p-value: {r['note']}.")
    return Tabulation(
        caption or f"{metric.label}: pairs", columns, cells, list(dict.fromkeys(notes))
    )


def _effect(key: str, value: float | None) -> str:
    """A standardised effect: two decimals, one where Hedges g is large."""
    if value is None:
        return "–"
    if key == "hedges_g" and abs(value) >= 10:
        return text.minus(f"{value:.1f}")
    return text.minus(f"{value:.2f}")


def effects(found: Findings) -> Tabulation | None:
    """Standardised effects of energy with their intervals."""
    tests = (pairs.PAIRED_T, pairs.WELCH)
    own = [
        r for r in found.pairs
        if r["metric"] == "energy_j" and r["test"] in tests and r["hedges_g"] is not None
    ]  # fmt: skip
    columns = [
        Column("Pair", False), Column("Reading", False), Column("Hedges g"), Column("95% interval"),
        Column("Cliff’s δ"), Column("95% interval"),
    ]  # fmt: skip

    def span(r: dict[str, Any], key: str) -> Cell:
        low, high = r[f"{key}_low"], r[f"{key}_high"]
        if low is None:
            return number(None)
        shown = f"{_effect(key, low)} to {_effect(key, high)}"
        return number(low, shown)

    cells = [
        [
            words(f"{r['b']} against {r['a']}"),
            words("within blocks, logs" if r["paired"] else "unpaired, values"),
            number(r["hedges_g"], _effect("hedges_g", r["hedges_g"])),
            span(r, "hedges_g"),
            number(r["cliffs_delta"], _effect("cliffs_delta", r["cliffs_delta"])),
            span(r, "cliffs_delta"),
        ]
        for r in own
    ]
    return Tabulation("Standardised effects on energy", columns, cells) if (cells) else None


def omnibus(found: Findings) -> Tabulation | None:
    """The tests of all groups at once."""
    if not found.omnibus:
        return None
    names = {m.name: m.label for m in metrics.HEADLINE}
    columns = [
        Column("Metric", False), Column("Test", False), Column("Statistic"),
        Column("Degrees of freedom"), Column("p"), Column("ε"),
    ]  # fmt: skip
    cells = []
    for r in found.omnibus:
        freedom = [f"{r[k]:.4g}" for k in ("df1", "df2") if r.get(k) is not None]
        cells.append(
            [
                words(names[r["metric"]]),
                words(_TESTS[r["test"]]),
                number(r["statistic"], digits=4),
                number(r.get("df1"), ", ".join(freedom) or "–"),
                p_cell(r["p"]),
                number(r.get("epsilon")),
            ]
        )
    notes = sorted({r["note"] for r in found.omnibus if r["note"]})
    return Tabulation("All groups at once", columns, cells, [f"No p-value: {n}." for n in notes])


def split(found: Findings) -> Tabulation | None:
    """Energy as power and time."""
    columns = [
        Column("Pair", False), Column("Energy"), Column("Power"), Column("95% interval"),
        Column("Time"), Column("95% interval"), Column("Time’s share of ln E"),
    ]  # fmt: skip
    cells = []
    for r in found.split:
        share = r["time_share"]
        cells.append(
            [
                words(f"{r['b']} against {r['a']}"),
                change(r["energy_j"]),
                change(r["power_w"]),
                interval(r["power_w"]["ci_low"], r["power_w"]["ci_high"]),
                change(r["time_s"]),
                interval(r["time_s"]["ci_low"], r["time_s"]["ci_high"]),
                number(share, "–" if share is None else text.percent(100 * share, 0, sign=False)),
            ]
        )
    return Tabulation("Energy = power × time", columns, cells) if cells else None


def practical(found: Findings, settings: Settings) -> Tabulation | None:
    """What the differences are worth."""
    if not found.practical:
        return None
    money = settings.practical.currency
    parts = (
        ("joules", "J"), ("kwh", "kWh"), ("money", money), ("kg_co2e", "kg CO₂e"),
    )  # fmt: skip
    heads = ("per run", "per year", "per year", "per year")
    columns = [Column("Pair", False)]
    columns += [Column(f"{unit} {head}") for (_, unit), head in zip(parts, heads, strict=True)]
    cells = []
    for r in found.practical:
        row = [words(f"{r['b']} − {r['a']}")]
        for key, _ in parts:
            value = r[key]
            shown = text.with_interval(value, r[f"{key}_low"], r[f"{key}_high"])
            row.append(number(value, shown))
        cells.append(row)
    return Tabulation("What the difference is worth, with 95% intervals", columns, cells)


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
