"""One comparison over several experiments or machines: what is pooled, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis import effects, text
from analysis.cells import Column, Tabulation, number, p_cell, words
from analysis.decision import student
from analysis.decision.pooled import Pooled, pool

#: Log ratio, standard error and degrees of freedom of one part, after its name.
Part = tuple[str, float, float, float]


@dataclass(frozen=True)
class Over:
    """One comparison over all parts that have it; ``p_holm`` counts the comparisons."""

    a: str
    b: str
    pooled: Pooled
    p_holm: float
    resolved: bool
    parts: tuple[Part, ...]


def over(
    pairs: Sequence[tuple[str, str]], parts: Sequence[Sequence[Part]], alpha: float
) -> list[Over]:
    """Every pair that two parts or more have, Holm over them."""
    found = []
    for (a, b), known in zip(pairs, parts, strict=True):
        if len(known) > 1:
            _, means, errors, freedoms = zip(*known, strict=True)
            found.append((a, b, pool(means, errors, freedoms, alpha), tuple(known)))
    corrected = student.holm(np.array([pooled.p for _, _, pooled, _ in found]))
    return [
        Over(a, b, pooled, float(p), bool(p < alpha), known)
        for (a, b, pooled, known), p in zip(found, corrected, strict=True)
    ]


def percent_text(log: float) -> str:
    """A log ratio as ``+3.1%``."""
    return text.percent(effects.known_percent(log))


def interval(low: float, high: float) -> str:
    """An interval of log ratios in percent, with the digits that its width bears out."""
    ends = effects.known_percent(low), effects.known_percent(high)
    decimals = text.percent_decimals(*ends)
    return f"{text.percent(ends[0], decimals)} to {text.percent(ends[1], decimals)}"


def table(
    found: Sequence[Over], kind: str, alike: Mapping[tuple[str, str], float] | None = None
) -> Tabulation:
    """Every comparison over all of a ``kind``, such as ``experiment``.

    ``alike`` has the p-values of Brown and Forsythe's test, where single blocks are at hand.
    """
    counts = sorted({o.pooled.k for o in found})
    columns = [
        Column("Comparison", False), Column(f"{kind.capitalize()}s"), Column("Change"),
        Column("95% interval"), Column("p, Holm"), Column("These alone"), Column("Next one"),
        Column("Between, SD"), Column("I²"), Column("p, alike"),
    ]  # fmt: skip
    rows = []
    for o in found:
        p = o.pooled
        rows.append(
            [
                words(f"{o.b} against {o.a}"),
                number(p.k, str(p.k)),
                number(p.mean, percent_text(p.mean)),
                number(p.low, interval(p.low, p.high)),
                number(o.p_holm, text.p_value(o.p_holm)),
                number(p.within_low, interval(p.within_low, p.within_high)),
                number(p.next_low, interval(p.next_low, p.next_high)),
                number(p.tau, f"{text.significant(100 * np.expm1(p.tau), 2)}%"),
                number(p.i2, f"{100 * p.i2:.0f}%"),
                p_cell(p.q_p if alike is None else alike[o.a, o.b]),
            ]
        )
    caption = f"Over all {kind}s"
    if len(counts) == 1:  # said once
        caption = f"Over all {counts[0]} {kind}s"
        columns = columns[:1] + columns[2:]
        rows = [row[:1] + row[2:] for row in rows]
    test = "Cochran’s Q" if alike is None else "Brown and Forsythe’s test on the blocks"
    notes = [
        f"Change of the plain mean of the {kind}s’ log ratios. The 95% interval is over {kind}s "
        "and holds for others like these; “these alone” says nothing of others; “next one” is "
        f"where a further {kind}’s result is expected. Between: the standard deviation between "
        f"{kind}s beyond what their blocks explain (Paule–Mandel); I²: its share; p, alike: "
        f"{test}."
    ]
    return Tabulation(caption, columns, rows, notes)
