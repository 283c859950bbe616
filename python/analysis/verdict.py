"""The answer in a sentence, and how sure it is. It never claims more than the data hold."""

import re
from dataclasses import dataclass, field
from typing import Any

from analysis import pairs, provenance, resolution, text, wording
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table

#: How sure a verdict is, from nothing to everything the experiment can give.
LEVELS = ("nothing", "too few", "not comparable", "not resolved", "tentative", "firm")


@dataclass(frozen=True)
class Verdict:
    """``sentence`` is the answer, ``sure`` says how sure and why, ``cautions`` what limits it.

    ``comparisons`` are those of the base with every other group, which the sentence is made of;
    ``pairs`` are all.
    """

    level: str
    sentence: str
    sure: str
    cautions: list[str] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)


def decide(table: Table, found: Findings, settings: Settings) -> Verdict:
    """Put the answer about energy into words."""
    if not table.groups:
        return Verdict("nothing", "There is no usable trial, so there is nothing to say.", "", [])
    prefix, cautions = _limits(table, found, settings)
    if len(table.groups) == 1:
        return _alone(table, found, prefix, cautions)
    everything = [
        _compare(found, settings, a, b)
        for i, a in enumerate(table.groups)
        for b in table.groups[i + 1 :]
    ]
    comparisons = [c for c in everything if c["base"] == table.base]
    level = _level(table, comparisons, settings, found)
    sentence = wording.sentence(table.base, comparisons, level)
    if not prefix:
        sentence = re.sub(
            r"^(too few|the difference|no difference|against)",
            lambda m: m[0].capitalize(),
            sentence,
        )
    sure = _sure(comparisons, level, table, found)
    return Verdict(level, prefix + sentence, sure, cautions, comparisons, everything)


def _alone(table: Table, found: Findings, prefix: str, cautions: list[str]) -> Verdict:
    group = table.groups[0]
    row = next(r for r in found.groups if r["group"] == group and r["metric"] == "energy_j")
    spread = ""
    if row["sd"] is not None:
        spread = f" (standard deviation {text.quantity(row['sd'], 'J')})"
    sentence = (
        f"{prefix}{group} used {text.quantity(row['mean'], 'J')} per run on average over "
        f"{text.count(row['n'], 'trial')}{spread}; with a single group there is nothing to compare."
    )
    return Verdict("nothing", sentence, "", cautions)


def _compare(found: Findings, settings: Settings, base: str, b: str) -> dict[str, Any]:
    """One group against a base: the numbers, whether they are resolved, and why not."""
    paired_t = found.pair(base, b, pairs.PAIRED_T)
    ranks = found.pair(base, b, pairs.WILCOXON)
    paired = bool(paired_t and paired_t["note"] is None and ranks["note"] is None)
    if not paired:
        unpaired = found.pair(base, b, pairs.WELCH)
        # Without enough blocks the trials count one by one, if there are enough of them.
        if unpaired["note"] is None or not paired_t["n"]:
            paired_t, ranks = unpaired, found.pair(base, b, pairs.MANN_WHITNEY)
    low, high = paired_t["ci_low"], paired_t["ci_high"]
    kind = "interval"
    if low is None:
        low, high, kind = paired_t["t_low"], paired_t["t_high"], "t-interval"
    p = [row["p_holm"] for row in (paired_t, ranks)]
    significant = [value is not None and value < settings.alpha for value in p]
    inside = resolution.inside(paired_t["pct_change"], found.floor)
    excludes_zero = low is not None and low * high > 0
    note = paired_t["note"] or ranks["note"]
    why_not = None
    if provenance.work_gate(settings)[0] == "failed":
        why_not = "not the same work"
    elif p == [None, None]:
        why_not = "too few data" if "identical" not in (note or "") else "no spread to test by"
    elif inside:
        why_not = "inside the noise floor"
    elif not any(significant):
        why_not = "not significant after Holm"
    elif not excludes_zero:
        why_not = "the interval includes zero"
    return {
        "base": base,
        "group": b,
        "paired": paired,
        "within_blocks": bool(paired_t["paired"]),
        "n": paired_t["n"],
        "n_a": paired_t["n_a"],
        "n_b": paired_t["n_b"],
        "pct_change": paired_t["pct_change"],
        "ci_low": low,
        "ci_high": high,
        "interval": kind,
        "p_parametric": p[0],
        "p_rank": p[1],
        "tested": p[0] is not None or p[1] is not None,
        "agree": significant[0] == significant[1],
        "inside_floor": inside,
        "resolved": any(significant) and excludes_zero and not inside,
        "why_not": why_not,
        "note": note,
    }


def _limits(table: Table, found: Findings, settings: Settings) -> tuple[str, list[str]]:
    """What changes the first sentence, and the cautions below it."""
    prefix, cautions = "", []
    estimated = provenance.estimated(table)
    gate, reasons = provenance.work_gate(settings)
    if gate == "failed":
        prefix += "The groups did not do the same work, so this is no comparison of them: "
        cautions.append("The work gate failed" + (f": {'; '.join(reasons)}." if reasons else "."))
    if estimated == "all":
        prefix += "By an estimate, not a measurement: "
        cautions.append("The energy is estimated from CPU load; no energy counter was read.")
    elif estimated == "some":
        prefix += "With some of the energy estimated rather than measured: "
        cautions.append("Some trials' energy is estimated from CPU load, not measured.")
    if len(table.groups) < 2:
        return prefix, cautions
    if gate == "unknown":
        cautions.append("Whether the groups did the same work is not on record.")
    if count := provenance.invalid_trials(table):
        cautions.append(
            f"{text.count(count, 'trial')} invalid, for the work or the counters, and left out."
        )
    cautions += _order_cautions(found)
    if found.floor is None:
        cautions.append("No A/A control was run, so the noise floor is not known.")
    cautions += _disturbance_cautions(table)
    lag = [r for r in found.drift["autocorrelation"] if r["kind"] == "pair" and r["p"] is not None]
    if any(r["r1"] > 0 and r["p"] < settings.alpha / len(lag) for r in lag):
        cautions.append(
            "Neighbouring blocks' differences resemble each other (lag-1 autocorrelation): "
            "p-values and intervals look surer than they are."
        )
    return prefix, cautions


def _disturbance_cautions(table: Table) -> list[str]:
    """What else the machine did during trials that count; a flag is set only beyond its limit."""
    words = {
        "interference": "other processes kept processors busy",
        "throttled": "the processor was slowed down for its heat",
        "swapped": "memory was swapped",
        "steal": "the hypervisor gave processor time to others",
    }
    flags = table.usable["flags"].str.split(";")
    counts = {flag: int(flags.map(lambda own, f=flag: f in own).sum()) for flag in words}
    parts = [f"{words[flag]} in {count}" for flag, count in counts.items() if count]
    if not parts:
        return []
    return [f"Of {text.count(len(table.usable), 'usable trial')}, {text.join(parts)}."]


_ORDER_CAUTIONS = {
    "fixed": "The groups ran in the same order in every block, so neither position nor predecessor "
    "can be told from the group.",
    "sequential": "The groups ran one after another, not in blocks: whatever changed over time is "
    "part of the difference.",
    "unbalanced": "Positions within blocks were not balanced over the groups.",
    "unknown": "The order in which the trials ran is not known.",
}


def _order_cautions(found: Findings) -> list[str]:
    order = found.order
    if order["verdict"] != "cyclic":
        return [_ORDER_CAUTIONS[order["verdict"]]] if order["verdict"] in _ORDER_CAUTIONS else []
    if order["period"] > 1:
        return [f"The order was not random: it repeats a cycle of {order['period']} blocks."]
    return [_ORDER_CAUTIONS["fixed"]]


def _level(
    table: Table, comparisons: list[dict[str, Any]], settings: Settings, found: Findings
) -> str:
    if provenance.work_gate(settings)[0] == "failed":
        return "not comparable"
    if not any(c["tested"] for c in comparisons):
        return "too few"
    if not any(c["resolved"] for c in comparisons):
        return "not resolved"
    robust = {r["b"]: r["survives"] for r in found.leave_one_out if r["a"] == table.base}
    solid = all(
        c["paired"] and c["agree"] and c["tested"] and robust.get(c["group"]) is True
        for c in comparisons
        if c["resolved"]
    )
    measured = provenance.estimated(table) == "none"
    ordered = found.order["verdict"] in ("random", "few")
    return "firm" if solid and measured and ordered else "tentative"


def _sure(comparisons: list[dict[str, Any]], level: str, table: Table, found: Findings) -> str:
    if level == "too few":
        return "Not sure at all: no p-value is given for so few data."
    if level == "not comparable":
        return "No conclusion about the groups can be drawn until they do the same work."
    resolved = [c for c in comparisons if c["resolved"]]
    if not resolved:
        smallest = [r["pct"] for r in found.detectable if r["pct"] is not None]
        seen = f" It could have shown a change of {max(smallest):.2g}%." if smallest else ""
        return f"The experiment shows no difference that it can tell from noise.{seen}"
    kind = (
        "paired t and Wilcoxon signed-rank" if resolved[0]["paired"] else "Welch and Mann–Whitney"
    )
    worst = max(p for c in resolved for p in (c["p_parametric"], c["p_rank"]) if p is not None)
    agree = "agree" if all(c["agree"] for c in resolved) else "do not agree"
    words = [f"the {kind} tests {agree} (largest Holm-corrected {text.p_equation(worst)})"]
    survives = {r["b"]: r["survives"] for r in found.leave_one_out if r["a"] == resolved[0]["base"]}
    states = [survives.get(c["group"]) for c in resolved]
    if all(states):
        words.append("the result survives leaving out any one block")
    elif any(state is False for state in states):
        words.append("it does not survive leaving out every single block")
    if level == "firm":
        return f"Firm: {text.join(words)}."
    speaks_for_it = agree == "agree" and all(state is not False for state in states)
    sentence = f"Tentative: {text.join(words)}"
    doubts = _doubts(resolved, table, found)
    if doubts:
        sentence += f", {'but' if speaks_for_it else 'and'} {text.join(doubts)}"
    return f"{sentence}."


def _doubts(resolved: list[dict[str, Any]], table: Table, found: Findings) -> list[str]:
    """Why a resolved difference is tentative, beyond what the tests themselves say."""
    doubts = []
    if provenance.estimated(table) != "none":
        doubts.append("the energy is estimated")
    order = {
        "unknown": "is not known",
        "sequential": "was not by blocks",
        "cyclic": "was not random",
        "unbalanced": "was not balanced",
    }.get(found.order["verdict"])
    if order:
        doubts.append(f"the order of the trials {order}")
    if not all(c["paired"] for c in resolved):
        doubts.append("there are not enough complete blocks to pair")
    return doubts
