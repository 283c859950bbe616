"""The answer in a sentence, and how sure it is. It never claims more than the data hold."""

import re
from dataclasses import dataclass, field

import numpy as np

from analysis import (
    cautions,
    effects,
    factors_report,
    history,
    limits,
    machines_report,
    pairs,
    provenance,
    ranking,
    text,
    wording,
)
from analysis.decision import Comparison
from analysis.findings import Findings
from analysis.outcome import Outcome, Place
from analysis.settings import Settings
from analysis.table import Table

#: How sure a verdict is, from nothing to everything the experiment can give.
LEVELS = ("nothing", "too few", "not comparable", "not resolved", "tentative", "firm")

_LEVEL = {"few": "too few"}


@dataclass(frozen=True)
class Verdict:
    """``sentence`` is the answer, ``sure`` says how sure and why, ``cautions`` what limits it.

    ``comparisons`` are those of the base with every other group, ``pairs`` are all; ``ranking`` has
    every group from the one that used least, by estimate, with the places that it may have.
    """

    level: str
    sentence: str
    sure: str
    cautions: list[str] = field(default_factory=list)
    comparisons: list[Outcome] = field(default_factory=list)
    pairs: list[Outcome] = field(default_factory=list)
    ranking: list[Place] = field(default_factory=list)


def decide(table: Table, found: Findings, settings: Settings) -> Verdict:
    """Put the answer about energy into words."""
    if not table.groups:
        return Verdict("nothing", _nothing(table), "", [])
    prefix = _prefix(table, settings)
    limits_of_it = cautions.all_of(table, found, settings)
    if len(table.groups) == 1:
        level = "too few" if table.sparse else "nothing"
        return Verdict(level, _alone(table, found, prefix), "", limits_of_it)
    caps = cautions.caps(table, found, settings)
    level = _level(found, settings, caps)
    everything = [
        _comparison(table, found, settings, c, pair)
        for c, pair in zip(found.decision.comparisons, found.compared, strict=True)
    ]
    places = ranking.places(table, found, everything)
    names = [place.group for place in places]
    over = f", over {wording.sizes(everything)}."
    if not settings.comparable:
        sentence = _unlike(table, found, settings)
    elif found.history is not None and level != "too few":
        sentence = f"{history.sentence(found.history)}{over}"
    elif found.factors is not None and level != "too few":
        sentence = f"{factors_report.sentence(found.factors, everything)}{over}"
    else:
        sentence = wording.sentence(names, everything, level)
    if not prefix:
        sentence = re.sub(
            r"^(too few|the difference|no difference|none of|against|not comparable|over|of)",
            lambda m: m[0].capitalize(),
            sentence,
        )
    sentence = prefix + sentence + _measured(settings) + _sparse(table)
    if found.machines is not None and level not in ("too few", "not comparable"):
        sentence = f"{sentence} {machines_report.sentence(found.machines)}".rstrip()
    sure = _sure(everything, level, found, settings, caps)
    own = [c for c in everything if c.base == table.base]
    return Verdict(level, sentence, sure, limits_of_it, own, everything, places)


def _nothing(table: Table) -> str:
    """That no trial can be used, and the commonest reason."""
    reasons = table.frame.loc[~table.frame["usable"], "reason"].dropna()
    why = f"; the commonest reason: {reasons.mode().iloc[0]}" if len(reasons) else ""
    return f"There is no usable trial, so there is nothing to say{why}."


def _prefix(table: Table, settings: Settings) -> str:
    """What changes the first sentence."""
    prefix, estimated = "", provenance.estimated(table)
    if provenance.work_gate(settings)[0] == "failed" and len(table.groups) > 1:
        prefix += "The groups did not do the same work, so this is no comparison of them: "
    if estimated == "all":
        prefix += "By an estimate, not a measurement: "
    elif estimated == "some":
        prefix += "With some of the energy estimated rather than measured: "
    elif estimated == "part":
        prefix += "With the processor's part of the energy estimated: "
    return prefix


def _alone(table: Table, found: Findings, prefix: str) -> str:
    group = table.groups[0]
    row = next(r for r in found.groups if r.group == group and r.metric == "energy_j")
    spread = ""
    if row.sd is not None:
        spread = f" (standard deviation {text.quantity(row.sd, 'J')})"
    used = (
        f"{prefix}{group} used {text.quantity(row.mean, 'J')} per run on average over "
        f"{text.count(row.n, 'trial')}{spread}; "
    )
    if table.sparse:
        each = "" if len(table.sparse) == 1 else " each"
        return f"{used}too few data to compare it: {_single(table)}{each}."
    return f"{used}with a single group there is nothing to compare."


def _single(table: Table) -> str:
    names = text.join(table.sparse)
    return f"{names} {'has' if len(table.sparse) == 1 else 'have'} a single usable trial"


def _sparse(table: Table) -> str:
    if not table.sparse:
        return ""
    each, them = ("", "it") if len(table.sparse) == 1 else (" each", "them")
    return f" {_single(table)}{each}: no comparison with {them}."


def _measured(settings: Settings) -> str:
    """Which domains were compared, where others were measured beside them; else nothing."""
    compared, beside = list(settings.domains.compared), list(settings.domains.beside)
    if not compared or not beside or not settings.comparable:
        return ""
    were = "was" if len(beside) == 1 else "were"
    return f" Compared: {text.join(compared)}; {text.join(beside)} {were} measured beside."


def _unlike(table: Table, found: Findings, settings: Settings) -> str:
    """The answer where totals are of different kinds."""
    kinds = settings.domains.kinds
    parts = []
    rows = {r.group: r for r in found.groups if r.metric == "energy_j"}
    scale = text.Scale.fit([rows[group].mean for group in table.groups], "J")
    for group in table.groups:
        kind = kinds.get(group, "unknown")
        parts.append(f"{group} {scale.with_unit(rows[group].mean)} ({kind})")
    return (
        f"not comparable: the energies are of different kinds, {text.join(parts)} per run on "
        "average. Measure all with one kind of sensor, or choose domains that all have with "
        "--domains."
    )


def _level(found: Findings, settings: Settings, caps: list[str]) -> str:
    if provenance.work_gate(settings)[0] == "failed" or not settings.comparable:
        return "not comparable"
    level = _LEVEL.get(found.decision.level, found.decision.level)
    return "tentative" if level == "firm" and caps else level


def _comparison(
    table: Table, found: Findings, settings: Settings, c: Comparison, pair: tuple[str, str]
) -> Outcome:
    """One comparison: the numbers, whether it is resolved, and why not."""
    base, group = pair
    row = found.pair(base, group)
    note = row.note if row else None
    ranks = found.pair(base, group, pairs.WILCOXON) if c.paired else None
    why_not = None
    if provenance.work_gate(settings)[0] == "failed":
        why_not = "not the same work"
    elif not settings.comparable:
        why_not = "not of one kind"
    elif not c.tested:
        why_not = "no spread to test by" if "identical" in (note or "") else "too few data"
    elif not c.resolved:
        why_not = limits.INSIGNIFICANT
    return Outcome(
        base=base,
        group=group,
        paired=c.paired,
        within_blocks=c.paired,
        n=c.n,
        n_a=c.n_base,
        n_b=c.n_group,
        pct_change=effects.known_percent(c.mean),
        ci_low=effects.known_percent(c.low),
        ci_high=effects.known_percent(c.high),
        interval="Student",
        log_ratio=effects.known(c.mean),
        log_se=effects.known(c.se),
        df=effects.known(c.df),
        p=c.p_alone if c.tested else None,
        p_parametric=c.p if c.tested else None,
        p_rank=ranks.p if ranks else None,
        rank_note=limits.ranks_cannot(c.n, settings.alpha) if c.paired else "not paired",
        tested=c.tested,
        agree=c.rank_agrees,
        survives=c.survives if c.paired else None,
        resolved=c.resolved and why_not is None,
        why_not=why_not,
        note=note,
        memory=c.memory,
        margin_pct=settings.margin,
        equivalent=bool(c.equivalent_p < settings.alpha) if np.isfinite(c.equivalent_p) else None,
        equivalent_within_pct=effects.known_percent(c.within),
    )


def _sure(
    comparisons: list[Outcome],
    level: str,
    found: Findings,
    settings: Settings,
    caps: list[str],
) -> str:
    if level == "too few":
        return "Not sure at all: no p-value is given for so few data."
    if level == "not comparable":
        what = "they do the same work" if settings.comparable else "they are measured alike"
        return f"No conclusion about the groups can be drawn until {what}."
    resolved = [c for c in comparisons if c.resolved]
    if not resolved:
        return _unresolved(comparisons, found)
    words = [_tests(resolved), *_blocks(resolved)]
    if level == "firm":
        return f"Firm: {text.join(words)}.{_each_by_itself(comparisons)}"
    doubts = list(caps)
    if found.decision.cautions:
        doubts.append("a caution below says that p-values may look surer than they are")
    if not all(c.paired for c in resolved):
        doubts.append("not all of it is paired within blocks")
    doubt = f", but {text.join(doubts)}" if doubts else ""
    return f"Tentative: {text.join(words)}{doubt}.{_each_by_itself(comparisons)}"


def _each_by_itself(comparisons: list[Outcome]) -> str:
    if len(comparisons) < 2:
        return ""
    return " Each interval is of 95% by itself; p-values are corrected for all comparisons."


def _unresolved(comparisons: list[Outcome], found: Findings) -> str:
    seen = [r.pct_holm for r in found.detectable if r.pct_holm is not None]
    within = [c.equivalent_within_pct for c in comparisons if c.equivalent_within_pct]
    words = "The experiment shows no difference that it can tell from noise"
    if len(comparisons) > 1:
        words = "The experiment shows none that it can tell from noise"
    if seen:
        words += (
            "; going by the spread it saw, it would have resolved "
            f"{text.detectable(max(seen))} with 80% power"
        )
    if within:
        words += f". What it shows is equivalence within {text.within(max(within))}"
    return f"{words}.{_each_by_itself(comparisons)}"


def _tests(resolved: list[Outcome]) -> str:
    """The test that decided, and what ranks say to it."""
    worst = text.p_equation(max(c.p_parametric or 0.0 for c in resolved))
    kind = "paired t" if resolved[0].paired else "Welch t"
    several = f" (largest Holm-corrected {worst})" if len(resolved) > 1 else f" ({worst})"
    if not all(c.paired for c in resolved):
        return f"the {kind} test on logs resolves it{several}"
    if any(c.agree is False for c in resolved):
        return f"the paired t test resolves it{several}, which ranks do not confirm"
    if all(c.agree for c in resolved):
        return f"the paired t and Wilcoxon signed-rank tests agree{several}"
    return f"the paired t test resolves it{several}; {resolved[0].rank_note}"


def _blocks(resolved: list[Outcome]) -> list[str]:
    """Whether every single block can be left out."""
    states = [c.survives for c in resolved]
    if all(states):
        return ["the result survives leaving out any one block"]
    if any(state is False for state in states):
        fragile = sum(state is False for state in states)
        of = "it" if len(states) == 1 else f"{fragile} of {len(states)} resolved differences"
        verb = "does" if len(states) == 1 or fragile == 1 else "do"
        return [f"{of} {verb} not survive leaving out every single block"]
    return []
