"""What is told of machines: the sentence over them, what limits it, and the tables."""

from collections.abc import Sequence

import numpy as np

from analysis import text
from analysis.cells import Column, Tabulation, number, words
from analysis.decision import Decision
from analysis.machines import Machine, Machines
from analysis.over import Over, interval, percent_text
from analysis.over import table as pooled_table

#: Fewer machines than these say hardly anything of how much machines differ.
_FEW = 3

#: More comparisons than these are counted in sentences.
_MOST_NAMED = 3

#: More machines than these are not all named on a page.
_MOST_ROWS = 60


def sentence(found: Machines) -> str:
    """The answer over machines; empty where no comparison has two machines."""
    pooled = found.pooled
    if not pooled:
        return ""
    count = len(found.names)
    resolved = [o for o in pooled if o.resolved]
    shown = resolved or pooled
    told = [
        f"{o.b} against {o.a} {percent_text(o.pooled.mean)} "
        f"({interval(o.pooled.low, o.pooled.high)})"
        for o in shown[:_MOST_NAMED]
    ]
    if len(shown) > _MOST_NAMED:
        told.append(f"{len(shown) - _MOST_NAMED} more")
    if resolved:
        rest = len(pooled) - len(resolved)
        tail = f"; {text.count(rest, 'comparison')} not resolved over machines" if rest else ""
        return f"For machines like these {count}: {text.join(told)}{tail}."
    return f"For machines like these {count} nothing is resolved: {text.join(told)}."


def caps(
    pooled: Sequence[Over] | None, decision: Decision, compared: Sequence[tuple[str, str]]
) -> list[str]:
    """Why nothing can be firm: what is resolved on these machines alone; None is one machine."""
    if pooled is None:
        return []
    over_all = {(o.a, o.b): np.sign(o.pooled.mean) for o in pooled if o.resolved}
    for pair, c in zip(compared, decision.comparisons, strict=True):
        if c.resolved and over_all.get(pair) != np.sign(c.mean):
            return ["it holds for these machines, and is not resolved over machines like them"]
    return []


def cautions(found: Machines | None) -> list[str]:
    """Machines that misbehave, and what few machines cannot tell."""
    if found is None:
        return []
    told = []
    for row in found.machines:
        if row.apart:
            pairs = text.join(row.apart[:_MOST_NAMED])
            told.append(
                f"Machine {row.name} stands out: what it says of {pairs} differs from the other "
                "machines by more than its blocks explain; see each by itself."
            )
        if row.scatter:
            told.append(
                f"Machine {row.name} is noisy: its log ratios scatter "
                f"{text.significant(row.scatter, 2)} times as much as the others’."
            )
        if row.findings:
            listed = text.join(row.findings[:_MOST_NAMED])
            told.append(f"Machine {row.name}, before its first trial: {listed}.")
    named = {name for row in found.machines if row.apart for name in row.apart}
    alpha = found.alpha / max(len(found.alike), 1)
    for (a, b), one in found.alike.items():
        if one.p < alpha and f"{b} against {a}" not in named:
            told.append(
                f"{b} against {a} differs between machines by more than their blocks explain "
                f"({text.p_equation(one.p)}), without one that stands out: see each by itself."
            )
    other = [row.name for row in found.without if row.same is False]
    if other:
        told.append(f"Without machine {text.join(other, 'or')} the outcome is another.")
    if len(found.names) < _FEW:
        told.append(
            "Two machines hardly tell how much machines differ: that leaves one degree of freedom."
        )
    if found.missing_shards:
        told.append(f"Shards are missing: {'; '.join(found.missing_shards)}.")
    return told


def tables(found: Machines) -> list[Tabulation]:
    """The machines, and every comparison over them."""
    agree = {pair: one.p for pair, one in found.alike.items()}
    made = [pooled_table(found.pooled, "machine", agree)] if found.pooled else []
    return [*made, _machines_table(found)]


def _machines_table(found: Machines) -> Tabulation:
    columns = [
        Column("Machine", False), Column("Blocks"), Column("Trials"), Column("Usable"),
        Column("Flagged"), Column("Without it", False), Column("Stands out", False),
    ]  # fmt: skip
    kinds = {"Meter": _meter, "Processor": lambda m: m.processor or "–"}
    alike = {name: {of(m) for m in found.machines} for name, of in kinds.items()}
    apart = [name for name, own in alike.items() if len(own) > 1]
    columns += [Column(name, False) for name in apart]
    same = {row.name: row.same for row in found.without}
    said = {True: "the same outcome", False: "another outcome", None: "–"}
    rows = []
    shown = sorted(found.machines, key=lambda m: not (m.apart or m.scatter))
    if len(shown) <= _MOST_ROWS:
        shown = found.machines
    for m in shown[:_MOST_ROWS]:
        odd = [f"in {pair}" for pair in m.apart]
        odd += [f"scatter × {text.significant(m.scatter, 2)}"] if m.scatter else []
        rows.append(
            [
                words(m.name), number(m.blocks, str(m.blocks)),
                number(m.trials, str(m.trials)), number(m.usable, str(m.usable)),
                number(m.flagged, str(m.flagged)), words(said[same.get(m.name)]),
                words(", ".join(odd) or "–"),
                *(words(kinds[name](m)) for name in apart),
            ]
        )  # fmt: skip
    notes = [
        "Stands out: set aside until the others agree (analysis of variance of the blocks’ log "
        "ratios, at α over the comparisons), or a scatter larger than the others’ (F-test, Holm)."
    ]
    same_kind = [own.pop() for name, own in alike.items() if len(own) == 1 and own != {"–"}]
    if same_kind:
        notes.append(f"All of them: {', '.join(same_kind)}.")
    if len(shown) > _MOST_ROWS:
        notes.append(f"{len(shown) - _MOST_ROWS} more are in summary.json.")
    return Tabulation("The machines", columns, rows, notes)


def _meter(row: Machine) -> str:
    return row.meter + (" (an estimate)" if row.estimated else "")
