"""Tables of results: groups, pairs, effects, and what they are worth."""

from collections.abc import Iterable, Sequence

from analysis import limits, metrics, pairs, ranking, text
from analysis.cells import (
    Cell,
    Column,
    Tabulation,
    change,
    change_of,
    interval,
    number,
    p_cell,
    words,
)
from analysis.findings import Findings
from analysis.groups import Described, Group
from analysis.outcome import Outcome
from analysis.pair import Pair
from analysis.settings import Settings


def groups(rows: Sequence[Described], names: Iterable[metrics.Metric]) -> list[Tabulation]:
    """One table per metric: the groups' location, spread and normality."""
    found = []
    for metric in names:
        own = [r for r in rows if r.metric == metric.name and r.n]
        if not own:
            continue
        scale = text.Scale.fit([r.max for r in own if r.max is not None], metric.unit)
        logs = isinstance(own[0], Group) and own[0].geometric_mean is not None
        labels = {k: v for k, v in _LOCATION.items() if logs or k != "geometric_mean"}
        columns = [Column("Group", False), Column("n"), *map(Column, labels.values())]
        columns += [Column("Shapiro–Wilk W"), Column("p")]
        cells = [
            [words(r.group), number(r.n, str(r.n))]
            + [number(getattr(r, v), scale.format(getattr(r, v))) for v in labels]
            + [number(r.shapiro_w, text.significant(r.shapiro_w)), p_cell(r.shapiro_p)]
            for r in own
        ]
        found.append(Tabulation(f"{metric.label} in {scale.unit}", columns, cells))
    return found


#: What a group's table has, and its headings; changes are those of geometric means.
_LOCATION = {
    "geometric_mean": "Geometric mean",
    "mean": "Mean",
    "sd": "SD",
    "median": "Median",
    "min": "Min",
    "max": "Max",
}

_TESTS = {
    pairs.PAIRED_T: "paired t, logs",
    pairs.WELCH_LOG: "Welch t, logs",
    pairs.WILCOXON: "Wilcoxon, logs",
    pairs.WELCH: "Welch t (arithmetic means)",
    pairs.MANN_WHITNEY: "Mann–Whitney U (arithmetic means)",
    "none": "none",
    "rm-anova-log": "RM-ANOVA on logs (Greenhouse–Geisser)",
    "friedman": "Friedman",
    "welch-anova-log": "Welch ANOVA on logs",
    "kruskal-wallis": "Kruskal–Wallis",
}


def energy_scale(found: Findings) -> text.Scale:
    """The one unit in which the report writes energies."""
    own = [r.max for r in found.groups if r.metric == metrics.ENERGY.name]
    return text.Scale.fit([v for v in own if v is not None], "J")


def further(found: Findings) -> list[str]:
    """A note on pairs that only the files hold."""
    hidden = len(found.compared) - len(found.shown)
    if not hidden:
        return []
    groups = {name for pair in found.compared for name in pair}
    drawn = len(groups) <= ranking.MOST_IN_MATRIX or any(
        c.resolved for c in found.decision.comparisons
    )
    return [f"{text.count(hidden, 'further pair')}: see {'the matrix and ' * drawn}pairs.csv."]


def comparisons(
    rows: Sequence[Pair], metric: metrics.Metric, notes: Sequence[str] = ()
) -> Tabulation | None:
    """Every test of every pair for one metric, why there is no p-value below it."""
    own = [r for r in rows if r.metric == metric.name]
    if not own:
        return None
    columns = [
        Column("Pair", False), Column("Test", False), Column("n"), Column("Change"),
        Column("95% interval"), Column("Statistic"), Column("p"), Column("p (Holm)"),
        Column("Hedges g"), Column("Cliff’s δ"),
    ]  # fmt: skip
    cells, below = [], []
    for r in own:
        n = str(r.n) if r.paired else f"{r.n_a} + {r.n_b}"
        cells.append(
            [
                words(f"{r.b} against {r.a}"),
                words(_TESTS[r.test]),
                number(r.n, n),
                change(r),
                interval(r.ci_low, r.ci_high, r.pct_change),
                number(r.statistic, digits=4),
                p_cell(r.p),
                p_cell(r.p_holm),
                number(r.hedges_g, _effect("hedges_g", r.hedges_g)),
                number(r.cliffs_delta, _effect("cliffs_delta", r.cliffs_delta)),
            ]
        )
        if r.note:
            what = "" if r.p is not None else ", no p-value"
            below.append(f"{r.b} against {r.a}, {_TESTS[r.test]}{what}: {r.note}.")
    if len(below) > _MOST_NOTES:
        below = [f"{len(below)} tests have a note, such as: {below[0]}"]
    kind = "" if metric is metrics.ENERGY else " (exploratory)"
    caption = f"{metric.label}: pairs{kind}"
    return Tabulation(caption, columns, cells, [*dict.fromkeys(below), *notes])


#: More notes than this below a table are one.
_MOST_NOTES = 6


def _effect(key: str, value: float | None) -> str:
    """A standardised effect: two decimals, one where Hedges g is large."""
    if value is None:
        return "–"
    if key == "hedges_g" and abs(value) >= 10:
        return text.minus(f"{value:.1f}")
    return text.minus(f"{value:.2f}")


def resolved(comparisons: Sequence[Outcome], found: Findings) -> Tabulation | None:
    """Every shown pair's change of energy at a glance, and whether it is resolved."""
    own = [c for c in comparisons if (c.base, c.group) in found.shown]
    if not own:
        return None
    columns = [
        Column("Pair", False), Column("Resolved", False), Column("Change of energy"),
        Column("95% interval"), Column("n"), Column("p (Holm)"), Column("p, ranks"),
        Column("Equivalent within"),
    ]  # fmt: skip
    cells = []
    for c in own:
        n = text.count(c.n, "block") if c.within_blocks else f"{c.n_a} + {c.n_b} trials"
        cells.append(
            [
                words(f"{c.group} against {c.base}"),
                words(_said(c.why_not)),
                change(c),
                interval(c.ci_low, c.ci_high, c.pct_change),
                number(c.n, n),
                p_cell(c.p_parametric),
                p_cell(c.p_rank),
                _within(c),
            ]
        )
    notes = [
        "Student’s intervals, each of 95% by itself. “Equivalent within”: the smallest margin that "
        "two one-sided tests of the pair would hold at."
    ]
    if any(c.memory for c in own):
        notes.append("Intervals of pairs whose neighbouring blocks are alike are widened for it.")
    few = [c.rank_note for c in own if c.within_blocks and c.rank_note]
    notes += dict.fromkeys(f"{note[0].upper()}{note[1:]}." for note in few)
    caption = "Every pair at a glance" if len(own) == len(comparisons) else "The pairs that matter"
    return Tabulation(caption, columns, cells, notes + further(found))


def _said(why_not: str | None) -> str:
    """Whether a pair is resolved; the ordinary reason why not needs no words."""
    if why_not is None:
        return "yes"
    return "no" if why_not == limits.INSIGNIFICANT else f"no: {why_not}"


def _within(c: Outcome) -> Cell:
    value = c.equivalent_within_pct
    if value is None:
        return number(None)
    mark = " ✓" if c.equivalent else ""
    return number(value, f"{text.within(value)}{mark}")


def equivalence(found: Findings, settings: Settings) -> Tabulation | None:
    """Whether pairs are equivalent within the margin that was stated."""
    own = [r for r in found.equivalence if (r.a, r.b) in found.shown]
    if settings.margin is None or not own:
        return None
    columns = [
        Column("Pair", False), Column("Margin"), Column("p (Holm)"), Column("Equivalent", False),
        Column("Would hold within"),
    ]  # fmt: skip
    cells = []
    for r in own:
        within = r.within_pct
        cells.append(
            [
                words(f"{r.b} against {r.a}"),
                number(r.margin_pct, f"±{r.margin_pct:g}%"),
                p_cell(r.p),
                words({True: "yes", False: "not shown", None: "no test"}[r.equivalent]),
                number(within, text.within(within)),
            ]
        )
    return Tabulation("Equivalence (two one-sided t-tests)", columns, cells, further(found))


def adjusted(found: Findings) -> Tabulation | None:
    """The comparisons with position and predecessor in the model, and by the mixed model."""
    own = {(r.a, r.b): r for r in found.drift.adjusted if (r.a, r.b) in found.shown}
    models = {(r.a, r.b): r for r in found.mixed.pairs}
    if not own and not models:
        return None
    rows = list(own) or [pair for pair in models if pair in found.shown]
    columns = [
        Column("Pair", False), Column("As it is"), Column("Adjusted"), Column("95% interval"),
        Column("p (Holm)"), Column("Mixed model"), Column("95% interval"), Column("df"),
        Column("p (Holm)"),
    ]  # fmt: skip
    cells = []
    for a, b in rows:
        plain, with_terms, mixed = found.pair(a, b), own.get((a, b)), models.get((a, b))
        row = [words(f"{b} against {a}"), change(plain) if plain else number(None)]
        if with_terms:
            low, high = with_terms.ci_low, with_terms.ci_high
            row += [change_of(with_terms.adjusted_pct, low, high)]
            row += [interval(low, high, with_terms.adjusted_pct)]
            row.append(p_cell(with_terms.p_holm))
        else:
            row += [number(None)] * 3
        if mixed:
            row += [change(mixed)]
            row += [interval(mixed.ci_low, mixed.ci_high, mixed.pct_change)]
            row += [number(mixed.df, digits=3), p_cell(mixed.p_holm)]
        else:
            row += [number(None)] * 4
        cells.append(row)
    terms = text.join(found.mixed.terms) or "nothing more"
    notes = ["Adjusted: position and predecessor beside groups and a term for every block."]
    if models:
        notes.append(
            f"Mixed model: ln E ~ group + {terms.replace(' and ', ' + ')} + (1 | block), "
            "restricted maximum likelihood, Satterthwaite’s degrees of freedom."
        )
    elif found.mixed.note:
        notes.append(f"No mixed model: {found.mixed.note}.")
    return Tabulation(
        "Energy adjusted for position and predecessor", columns, cells, notes + further(found)
    )


def effects(found: Findings) -> Tabulation | None:
    """Standardised effects of energy, and the bootstrap beside Student's interval."""
    own = [
        r for r in found.pairs
        if r.metric == "energy_j" and r.primary and r.hedges_g is not None
        and (r.a, r.b) in found.shown
    ]  # fmt: skip
    columns = [
        Column("Pair", False), Column("Student’s 95% interval"), Column("Bootstrap (BCa)"),
        Column("Hodges–Lehmann"), Column("Hedges g"), Column("Cliff’s δ"),
    ]  # fmt: skip
    cells = []
    for r in own:
        ranks = found.pair(r.a, r.b, pairs.WILCOXON)
        ends = r.bootstrap or pairs.Ends(None, None)
        cells.append(
            [
                words(f"{r.b} against {r.a}"),
                interval(r.ci_low, r.ci_high, r.pct_change),
                interval(ends.low, ends.high, r.pct_change),
                interval(ranks.ci_low, ranks.ci_high, ranks.pct_change) if ranks else number(None),
                number(r.hedges_g, _effect("hedges_g", r.hedges_g)),
                number(r.cliffs_delta, _effect("cliffs_delta", r.cliffs_delta)),
            ]
        )
    note = (
        "The headline’s interval is Student’s. With few blocks a bootstrap is too narrow; it "
        "stands beside it where there are six and more."
    )
    return (
        Tabulation("Other intervals and standardised effects", columns, cells, [note])
        if (cells)
        else None
    )


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
        freedom = [f"{df:.4g}" for df in (r.df1, r.df2) if df is not None]
        cells.append(
            [
                words(names[r.metric]),
                words(_TESTS[r.test]),
                number(r.statistic, digits=4),
                number(r.df1, ", ".join(freedom) or "–"),
                p_cell(r.p),
                number(r.epsilon),
            ]
        )
    notes = sorted({r.note for r in found.omnibus if r.note})
    return Tabulation("All groups at once", columns, cells, [f"No p-value: {n}." for n in notes])
