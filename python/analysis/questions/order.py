"""Was the order random, and does it matter?"""

from typing import Any

from analysis import checks, text
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def was_random(table: Table, found: Findings, settings: Settings) -> Answer:
    order, drift = found.order, found.drift
    verdict = order["verdict"]
    short, mark = {
        "random": ("Random and balanced, as far as can be tested", "good"),
        "few": ("Too few complete blocks to test the order", "unknown"),
        "unbalanced": ("Positions were not balanced", "warn"),
        "cyclic": ("No: the order repeats itself", "warn"),
        "sequential": ("No: the groups ran one after another", "warn"),
        "unknown": ("The order is not known", "unknown"),
    }[verdict]
    lines = []
    if "balance_p" in order:
        lines.append(
            f"Over {text.count(order['blocks'], 'complete block')}, position counts give "
            f"χ² = {text.significant(order['balance_chi_square'])}; of random orders, a share of "
            f"{text.significant(order['balance_p'], 2)} is at least as unbalanced. "
            f"{order['distinct_orders']} of {order['possible_orders']} possible orders occurred; "
            f"{text.count(order['same_as_previous'], 'block')} repeated the one before."
        )
    if verdict == "cyclic":
        chance = text.significant(order["period_chance"], 1)
        cycle = "; ".join(" → ".join(one) for one in order["cycle"])
        lines.append(
            f"The orders follow a cycle of {text.count(order['period'], 'block')} ({cycle}); "
            f"random orders would do that with a chance of {chance}."
        )
    lines.append(_slopes(drift))
    lines.append(_factors(drift))
    return Answer(
        "Was the order that was run random and balanced; do position or predecessor matter?",
        mark,
        short,
        [line for line in lines if line],
        kept(checks.positions(found), checks.autocorrelation(found)),
    )


def _slopes(drift: dict[str, Any]) -> str:
    slope = drift["time"] or drift["run_order"]
    if not slope:
        return "Drift over time cannot be estimated from these data."
    if "pct" not in slope:
        return f"Drift over time: {slope['note']}."
    decimals = text.percent_decimals(slope["ci_low"], slope["ci_high"])
    return (
        f"Energy drifted by {text.percent(slope['pct'], decimals)} {slope['unit']} (95% interval "
        f"{text.percent(slope['ci_low'], decimals)} to {text.percent(slope['ci_high'], decimals)}, "
        f"{text.p_equation(slope['p'])}), {text.percent(slope['pct_over_experiment'], 2)} over the "
        "whole experiment."
    )


def _factors(drift: dict[str, Any]) -> str:
    lines = []
    for name in ("position", "predecessor"):
        part = drift[name]
        if part is None:
            lines.append(f"The effect of {name} cannot be estimated from these data.")
        elif not part["separable"]:
            lines.append(f"The effect of {name} cannot be told from that of the group.")
        else:
            lines.append(
                f"{name.capitalize()}: F({part['df1']:g}, {part['df2']:g}) = "
                f"{text.significant(part['f'])}, {text.p_equation(part['p'])}, largest difference "
                f"{text.percent(part['largest_pct'], 2, sign=False)}."
            )
    return " ".join(lines)
