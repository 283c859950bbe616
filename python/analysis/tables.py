"""Tables of results: groups, pairs, effects, and what they are worth."""

from collections.abc import Iterable, Sequence
from typing import Any

from analysis import metrics, pairs, text
from analysis.cells import Cell, Column, Tabulation, change, interval, number, p_cell, words
from analysis.findings import Findings
from analysis.settings import Settings


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
    pairs.WILCOXON: "Wilcoxon, logs",
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


#: Below six blocks or trials a bootstrap's interval would be far too narrow.
_STUDENT = "t-intervals: there are too few data for a bootstrap."


def resolved(comparisons: Sequence[dict[str, Any]], floor: float | None) -> Tabulation | None:
    """Every pair's change of energy at a glance, and whether it is resolved."""
    if not comparisons:
        return None
    columns = [
        Column("Pair", False), Column("Change of energy"), Column("95% interval"), Column("n"),
        Column("p (Holm), t"), Column("p (Holm), ranks"), Column("Resolved", False),
    ]  # fmt: skip
    cells = []
    for c in comparisons:
        n = text.count(c["n"], "block") if c["within_blocks"] else f"{c['n_a']} + {c['n_b']} trials"
        cells.append(
            [
                words(f"{c['group']} against {c['base']}"),
                change(c),
                interval(c["ci_low"], c["ci_high"]),
                number(c["n"], n),
                p_cell(c["p_parametric"]),
                p_cell(c["p_rank"]),
                words("yes" if c["why_not"] is None else f"no: {c['why_not']}"),
            ]
        )
    notes = [_STUDENT] if any(c["interval"] == "t-interval" for c in comparisons) else []
    if floor is not None:
        notes.append(f"Noise floor by the A/A control: ±{text.significant(floor, 2)}%.")
    return Tabulation("Every pair at a glance", columns, cells, notes)


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
    kinds = {r["interval"] for r in found.practical}
    notes = [_STUDENT] if "t-interval" in kinds else []
    if None in kinds:
        notes.append("Without an interval: a group with a single trial, or without any spread.")
    return Tabulation("What the difference is worth, with 95% intervals", columns, cells, notes)
