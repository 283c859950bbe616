"""The sentence of the answer: comparisons with a base, in words."""

from typing import Any

from analysis import text

Comparison = dict[str, Any]


def sentence(base: str, comparisons: list[Comparison], level: str) -> str:
    """What each group used against the base, each with its interval; a base that used least leads.

    It begins in lower case unless with a group's name, so that words can be put before it.
    """
    sizes = _sizes(comparisons)
    if level == "too few":
        note = comparisons[0]["note"] or sizes
        observed = text.join([_observed(c) for c in comparisons])
        return f"too few data for a conclusion ({note}). Observed: {observed}."
    if len(comparisons) == 1:
        return f"{_alone(comparisons[0])}, over {sizes}."
    if not any(c["resolved"] for c in comparisons):
        words = [f"{c['group']} {_numbers(c)}" for c in comparisons]
        return f"no difference from {base} is resolved: {text.join(words)}, over {sizes}."
    clauses, verb, unit = [], "used ", " energy"
    if least := all(c["resolved"] and c["pct_change"] > 0 for c in comparisons):
        unit = ""
    for comparison in comparisons:
        clauses.append(_clause(comparison, verb, unit, first=bool(verb)))
        if comparison["resolved"]:
            verb = unit = ""
    start = f"{base} used the least energy: " if least else f"against {base}, "
    return f"{start}{text.join(clauses)}, over {sizes}."


def _alone(c: Comparison) -> str:
    """The one comparison of two groups."""
    if not c["resolved"]:
        return f"the difference between {c['group']} and {c['base']} is not resolved {_numbers(c)}"
    size, span = _size(c)
    joint = "times as much energy as" if c["pct_change"] >= 100 else f"{_word(c)} energy than"
    return f"{c['group']} used {size} {joint} {c['base']} (95% {c['interval']} {span})"


def _clause(c: Comparison, verb: str, unit: str, first: bool) -> str:
    """One comparison among several; the first says in full what the others leave out."""
    if not c["resolved"]:
        return f"no difference is resolved for {c['group']} {_numbers(c)}"
    size, span = _size(c)
    interval = f"95% {c['interval']} " if first else ""
    if c["pct_change"] >= 100:
        return f"{c['group']} {verb}{size} times as much{unit} ({interval}{span})"
    return f"{c['group']} {verb}{size} {_word(c)}{unit} ({interval}{span})"


def _word(c: Comparison) -> str:
    return "more" if c["pct_change"] > 0 else "less"


def _size(c: Comparison) -> tuple[str, str]:
    """Size and interval without signs: percentages, or multiples from twice as much on."""
    low, high, change = c["ci_low"], c["ci_high"], c["pct_change"]
    decimals = text.percent_decimals(low, high, change)
    if change >= 100:
        places = max(decimals + 1, 1)
        size, *ends = (f"{1 + value / 100:.{places}f}" for value in (change, low, high))
        return size, f"{ends[0]} to {ends[1]}"
    near, far = (low, high) if change > 0 else (-high, -low)
    span = f"{near:.{decimals}f} to {far:.{decimals}f}%"
    return text.percent(abs(change), decimals, sign=False), span


def _numbers(c: Comparison) -> str:
    """The observed change, its interval and whether noise alone would do, in brackets."""
    inside = ", inside the noise floor" if c["inside_floor"] else ""
    return f"({_change(c)}{inside})"


def _observed(c: Comparison) -> str:
    change, *interval = _change(c).split(", ", 1)
    return f"{c['group']} {change} against {c['base']}" + "".join(f" ({i})" for i in interval)


def _change(c: Comparison) -> str:
    low, high = c["ci_low"], c["ci_high"]
    decimals = text.percent_decimals(low, high, c["pct_change"])
    change = text.percent(c["pct_change"], decimals)
    if low is None:
        return change
    ends = f"{text.percent(low, decimals)} to {text.percent(high, decimals)}"
    return f"{change}, 95% {c['interval']} {ends}"


def _sizes(comparisons: list[Comparison]) -> str:
    """How many blocks, or trials, the comparisons rest on."""
    if all(c["paired"] for c in comparisons):
        blocks = sorted({c["n"] for c in comparisons})
        span = f"{blocks[0]}" if len(blocks) == 1 else f"{blocks[0]} to {blocks[-1]}"
        return f"{span} complete {'block' if blocks == [1] else 'blocks'}, paired"
    counts = [comparisons[0]["n_a"], *(c["n_b"] for c in comparisons)]
    return f"{text.join([str(n) for n in counts])} trials, unpaired"
