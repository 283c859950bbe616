"""What is told of treatments at levels: the sentence, what interacts, and the tables."""

import numpy as np

from analysis import text
from analysis.cells import Changed, Column, Tabulation, change, interval, number, p_cell, words
from analysis.factors import Flip, Levels
from analysis.outcome import Outcome

#: More pairs of treatments than these are counted in the sentence.
_MOST_NAMED = 4


def at(levels: dict[str, str]) -> str:
    """Levels in words: ``batch-size 32, threads 1``."""
    return ", ".join(f"{name} {level}" for name, level in levels.items())


def sentence(found: Levels, comparisons: list[Outcome]) -> str:
    """The pairs within levels, and whether the ranking flips; without its end."""
    if not found.flips:
        resolved = [c for c in comparisons if c.resolved]
        told = [
            f"{c.group} against {c.base} {_size(c, i == 0)}"
            for i, c in enumerate(resolved[:_MOST_NAMED])
        ]
        told += ["the others are in the table"] * (len(resolved) > _MOST_NAMED)
        count = text.count(len(comparisons), "comparison")
        head = (
            f"of {count} of levels {len(resolved)} {'is' if len(resolved) == 1 else 'are'} resolved"
        )
        return head + (f": {text.join(told)}" if told else "")
    parts: list[str] = []
    for pair in found.flips[:_MOST_NAMED]:
        known = [
            _size(r, not parts and i == 0, f" at {at(r.levels)}")
            + ("" if r.resolved else ", not resolved")
            for i, r in enumerate(pair.at)
        ]
        if len(known) > 2 * _MOST_NAMED:
            own = sum(r.resolved for r in pair.at)
            known = [f"resolved at {own} of {len(known)} levels"]
        parts.append(f"{pair.b} against {pair.a}: {'; '.join(known)}; {_ranking(pair)}")
    if len(found.flips) > _MOST_NAMED:
        parts.append(f"{len(found.flips) - _MOST_NAMED} more pairs are in the table")
    return ". ".join(parts)


def interactions(found: Levels) -> list[str]:
    """What the tests of interactions come to, a clause each; why there are none."""
    if not found.tests:
        return [f"No interaction is tested: {found.note}"] if found.note else []
    told = []
    for r in found.tests:
        if len(r.of) == 2 and r.p_holm is not None:
            what = " and ".join(r.of)
            p = text.p_equation(r.p_holm)
            told.append(
                f"{what} interact ({p} after Holm)"
                if r.p_holm < found.alpha
                else f"no interaction of {what} is resolved ({p} after Holm)"
            )
    return told


def _ranking(pair: Flip) -> str:
    if pair.state == "flips":
        return "the ranking flips with the level"
    if pair.state == "same":
        return f"{pair.below} used less at every level"
    signs = {np.sign(r.pct_change or 0.0) for r in pair.at}
    if len(signs) > 1:
        return "the estimates change sign, but whether the ranking flips is not resolved"
    return "not resolved at every level, so whether the ranking is the same everywhere is open"


def _size(r: Changed, first: bool = False, where: str = "") -> str:
    size, low, high = text.change(r.pct_change, r.ci_low, r.ci_high)
    return f"{size}{where} ({'95% interval ' if first else ''}{low} to {high})"


def tables(found: Levels) -> list[Tabulation]:
    """Comparisons within levels, tests, and how much the differences change."""
    return [t for t in (_within_levels(found), _test_table(found), _size_table(found)) if t]


def _within_levels(found: Levels) -> Tabulation | None:
    columns = [
        Column("Pair", False), Column("At", False), Column("Resolved", False),
        Column("Change of energy"), Column("95% interval"), Column("p (Holm)"),
    ]  # fmt: skip
    rows = [
        [
            words(f"{pair.b} against {pair.a}"), words(at(r.levels)),
            words("yes" if r.resolved else "no"), change(r),
            interval(r.ci_low, r.ci_high, r.pct_change), p_cell(r.p_holm),
        ]
        for pair in found.flips for r in pair.at
    ]  # fmt: skip
    notes = [f"{p.b} against {p.a}: {_ranking(p)}." for p in found.flips]
    return Tabulation("Within levels", columns, rows, notes) if rows else None


def _test_table(found: Levels) -> Tabulation | None:
    columns = [
        Column("Effect", False), Column("F"), Column("Degrees of freedom"), Column("p"),
        Column("p (Holm)"), Column("ε"),
    ]  # fmt: skip
    rows = [
        [
            words(" × ".join(r.of)), number(r.f, digits=4),
            number(r.df1, f"{r.df1:.4g}, {r.df2:.4g}"), p_cell(r.p),
            p_cell(r.p_holm), number(r.epsilon),
        ]
        for r in found.tests if r.f is not None
    ]  # fmt: skip
    note = found.note
    if not rows:
        return (
            Tabulation("Effects and interactions", columns, [], [f"No tests: {note}."])
            if note
            else None
        )
    told = (
        f"Repeated-measures tests over {found.blocks} blocks with every cell, corrected after "
        "Greenhouse and Geisser. An effect with × is an interaction: what one differs by depends "
        "on the other; Holm over these. Where none is resolved, it is not shown that there is none."
    )
    return Tabulation("Effects and interactions (exploratory)", columns, rows, [told])


def _size_table(found: Levels) -> Tabulation | None:
    columns = [
        Column("Pair", False), Column("Factor", False), Column("From level to level", False),
        Column("The ratio changes by"), Column("95% interval"), Column("p (Holm)"),
    ]  # fmt: skip
    rows = [
        [
            words(f"{r.b} against {r.a}"), words(r.factor),
            words(f"{r.low} → {r.high}"), change(r),
            interval(r.ci_low, r.ci_high, r.pct_change), p_cell(r.p_holm),
        ]
        for r in found.interactions
    ]  # fmt: skip
    caption = "How much differences change with a level (exploratory)"
    return Tabulation(caption, columns, rows) if rows else None
