"""How it was to be decided: metric, comparisons, tests and levels."""

from analysis import text
from analysis.departures.item import Item, named
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table


def metric(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.experiment.declared.primary_metric
    if declared is None:
        return None
    kept = declared.startswith("energy_j") and "log" in declared
    done = "energy_j of the window, on logarithms, is concluded on"
    return Item("Primary metric", declared, done, kept, True)


def comparisons(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.comparisons
    if not declared:
        return None
    made = {frozenset(pair) for pair in found.compared}
    asked = {frozenset(pair) for pair in declared}
    lost = [f"{b} against {a}" for a, b in declared if frozenset((a, b)) not in made]
    more = [f"{b} against {a}" for a, b in found.compared if frozenset((a, b)) not in asked]
    within = {name for pair in asked for name in pair}
    alone = sorted(set(table.groups) - within)
    parts = []
    if lost:
        parts.append(f"not possible: {named(lost)}")
    if more:
        parts.append(f"made beside them: {named(more)}")
    if alone:
        parts.append(f"no declared comparison has {named(alone)}")
    done = "; ".join(parts) or "these were made"
    pairs = text.count(len(declared), "comparison")
    return Item("Comparisons", pairs, done, not parts, bool(more))


def test(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.primary_test
    if declared is None:
        return None
    loose = [
        pair for pair, c in zip(found.compared, found.decision.comparisons, strict=True)
        if not c.paired
    ]  # fmt: skip
    if declared != "paired-t-log":
        return Item("Deciding test", declared, "the paired t on logs is used", False, True)
    if loose:
        pairs = named(f"{b} against {a}" for a, b in loose)
        done = f"Welch’s t on all trials decides {pairs}, which share too few blocks"
        return Item("Deciding test", declared, done, False, True)
    return Item("Deciding test", declared, "it decides every comparison", True)


def correction(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.correction
    if declared is None:
        return None
    return Item("Correction", declared, "Holm’s is used", declared == "holm", True)


def alpha(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.alpha
    if declared is None:
        return None
    kept = abs(declared - settings.alpha) < 1e-12
    return Item(
        "α", f"{declared:g}", f"{settings.alpha:g} is used", kept, settings.alpha > declared
    )


def margin(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared, used = settings.protocol.margin_pct, settings.margin
    if declared is None and used is None:
        return None
    was = "no margin" if declared is None else f"±{declared:g}%"
    return Item("Margin of equivalence", was, f"±{used:g}% is used", declared == used)


#: Declared tests by a word of theirs, and the tests of the report that they are.
_TESTS = {
    "paired t on logs": "paired-t-log",
    "Wilcoxon": "wilcoxon-log",
    "repeated-measures ANOVA": "rm-anova-log",
    "Friedman": "friedman",
    "equivalence within": "equivalence",
}


def tests(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether every declared test was made; of two groups an omnibus test is the pair's own."""
    declared = settings.experiment.declared.tests
    if not declared:
        return None
    made = {r.test for r in found.pairs if r.p is not None and not r.control}
    made |= {r.test for r in found.omnibus if r.p is not None}
    made |= {"equivalence" for r in found.equivalence if r.p is not None}
    lost = []
    for name in declared:
        word, test = next(((w, t) for w, t in _TESTS.items() if w in name), (None, None))
        two_alone = test in ("rm-anova-log", "friedman") and len(table.groups) < 3
        if test not in made and not two_alone:
            lost.append(word or name)
    done = f"not made: {named(lost)}" if lost else "all of them were made"
    return Item("Tests", text.count(len(declared), "test"), done, not lost)
