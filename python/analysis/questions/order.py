"""Was the order random, and does it matter?"""

from analysis import checks, periods, text
from analysis.cells import Column, Tabulation, number, p_cell, words
from analysis.drift import When
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def was_random(table: Table, found: Findings, settings: Settings) -> Answer:
    order, drift = found.order, found.drift
    verdict = order.verdict
    short, mark = {
        "random": (_RANDOM.get(_planned(settings), _RANDOM[""]), "good"),
        "few": (
            f"Too few {'trials' if order.changes else 'complete blocks'} to test the order",
            "unknown",
        ),
        "mixed": ("Mixed in time as random orders are; there were no blocks", "good"),
        "unbalanced": ("Positions were not balanced", "warn"),
        "cyclic": ("No: the order repeats itself", "warn"),
        "sequential": ("No: the groups ran one after another", "warn"),
        "apart": ("No: not all groups ran at the same time", "warn"),
        "stretches": ("No: the trials ran in long stretches of one group", "warn"),
        "unknown": ("The order is not known", "unknown"),
    }[verdict]
    lines = []
    balance, repeated, changes = order.balance, order.repetition, order.changes
    if balance and repeated:
        lines.append(
            f"Over {text.count(order.blocks, 'complete block')}, position counts give "
            f"χ² = {text.significant(balance.balance_chi_square)}; of random orders, a share of "
            f"{text.significant(balance.balance_p, 2)} is at least as unbalanced. "
            f"{repeated.distinct_orders} of {_orders(repeated.possible_orders)} possible orders "
            f"occurred; "
            f"{text.count(repeated.same_as_previous, 'block')} repeated the one before."
        )
    if changes:
        lines.append(
            f"From one trial to the next the group changes {text.count(changes.changes, 'time')}; "
            f"in random order it would some {changes.expected_changes:.0f} times (of random "
            f"orders, a share of {text.significant(changes.changes_p, 2)} changes no more often)."
        )
    if order.verdict == "apart":
        when = periods.told(order.apart, order.periods)
        lines.append(f"{when[0].upper()}{when[1:]}.")
    if repeated and repeated.period and repeated.cycle:
        chance = text.significant(repeated.period_chance, 1)
        cycle = "; ".join(" → ".join(one) for one in repeated.cycle)
        lines.append(
            f"The orders follow a cycle of {text.count(repeated.period, 'block')} ({cycle}); "
            f"random orders would do that with a chance of {chance}."
        )
    lines.append(_slopes(drift))
    lines.append("" if changes else _factors(drift))
    if found.decision.cautions:
        mark = "warn"
    return Answer(
        "Was the order that was run random and balanced; do position or predecessor matter?",
        mark,
        short,
        [line for line in lines if line],
        kept(
            checks.positions(found),
            checks.autocorrelation(found),
            _trends(drift),
            _effects(table, drift),
        ),
    )


_RANDOM = {
    "": "Random and balanced, as far as can be tested",
    "balanced": "Random, and balanced by design",
}


def _orders(number: int) -> str:
    """How many orders there are; of very many about how many."""
    return str(number) if number < 1e6 else text.significant(float(number), 2)


def _planned(settings: Settings) -> str:
    """The kind of order that the experiment planned; empty where that is not on record."""
    experiment = settings.experiment
    return experiment.plan.order or experiment.asked.order or ""


def _slopes(drift: When) -> str:
    slope = drift.time or drift.run_order
    if not slope:
        return "Drift over time cannot be estimated from these data."
    change, low, high = text.change(
        slope.pct_over_experiment, slope.low_over_experiment, slope.high_over_experiment
    )
    whose = (
        "block to the last the blocks’ mean energy"
        if slope.of == "blocks"
        else "trial to the last the energy, each against its group’s,"
    )
    told = (
        f"From the first {whose} changed by {change} (95% interval {low} to {high}, "
        f"{text.p_equation(slope.p)})"
    )
    if drift.drifts:
        told += "; pairing takes out what all groups share of it"
    pairs = [row for row in drift.trends if row.p_holm is not None]
    if pairs and "trend" not in drift.significant:
        smallest = text.p_equation(min(row.p_holm for row in pairs))
        told += f". No pair’s difference drifts over the blocks (smallest {smallest} after Holm)"
    return f"{told}."


def _trends(drift: When) -> Tabulation | None:
    """How much each pair's difference changes, where one does."""
    if "trend" not in drift.significant:
        return None
    rows = [
        [
            words(f"{r.b} against {r.a}"),
            number(r.pct_over_experiment, text.percent(r.pct_over_experiment, 1)),
            p_cell(r.p_holm),
        ]
        for r in sorted(drift.trends, key=lambda r: r.p_holm)[:_MOST_TRENDS]
    ]
    columns = [Column("Pair", False), Column("First block to last"), Column("p (Holm)")]
    return Tabulation("Differences that drift over the blocks", columns, rows)


#: More pairs than this are in summary.json alone.
_MOST_TRENDS = 15


def _factors(drift: When) -> str:
    lines = []
    for name, part in (("position", drift.position), ("predecessor", drift.predecessor)):
        if part is None:
            lines.append(f"The effect of {name} cannot be estimated from these data.")
        elif not part.separable:
            lines.append(f"The effect of {name} cannot be told from that of the group.")
        else:
            lines.append(
                f"{name.capitalize()}, within blocks: F({part.df1:g}, {part.df2:g}) = "
                f"{text.significant(part.f)}, {text.p_equation(part.p)}, largest difference "
                f"{text.percent(part.largest_pct, 2, sign=False)}."
            )
    return " ".join(lines)


def _effects(table: Table, drift: When) -> Tabulation | None:
    """What each position and predecessor does, where one is significant."""
    rows = []
    known = table.usable["position"].dropna()
    first = int(known.min()) if len(known) else 1
    for name, part in (("position", drift.position), ("predecessor", drift.predecessor)):
        if name in drift.significant and part:
            for level, pct in (part.effects_pct or {}).items():
                where = f"after {level}"
                if name == "position":
                    where = f"{text.ordinal(int(level) - first + 1)} in the block"
                rows.append([words(where), number(pct, text.percent(pct, 2))])
    columns = [Column("Where or after what", False), Column("Energy against the mean")]
    return Tabulation("Effects within blocks", columns, rows) if rows else None
