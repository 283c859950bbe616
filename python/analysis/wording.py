"""The sentence of the answer: every resolved difference, and what is not known."""

import math
from collections.abc import Sequence

from analysis import text
from analysis.outcome import Outcome

#: With more groups than this the sentence counts differences instead of naming each.
_MOST_NAMED = 4


def sentence(groups: Sequence[str], comparisons: list[Outcome], level: str) -> str:
    """What is resolved and what is not; ``groups`` from the one that used least, by estimate.

    It begins in lower case unless with a group's name, so that words can be put before it.
    """
    if level == "too few":
        note = next((c.note for c in comparisons if c.note), None) or sizes(comparisons)
        # Of many groups those with the base: every pair would fill a page.
        own = comparisons
        if len(groups) > _MOST_NAMED:
            own = [c for c in comparisons if c.base == comparisons[0].base][:_MOST_NAMED]
        listed = [_observed(c) for c in own]
        if len(comparisons) > len(own):
            listed.append(f"{len(comparisons) - len(own)} more")
        observed = text.join(listed)
        return f"too few data for a conclusion ({note}). Observed: {observed}."
    over = f", over {sizes(comparisons)}."
    if len(comparisons) == 1:
        return _alone(comparisons[0]) + over
    if not any(c.resolved for c in comparisons):
        return _none(groups, comparisons) + over
    if len(groups) > _MOST_NAMED:
        return _many(groups, comparisons) + over
    return _each(comparisons) + over


def _alone(c: Outcome) -> str:
    """The one comparison of two groups."""
    if not c.resolved:
        return (
            f"the difference between {c.group} and {c.base} is not resolved "
            f"({_change(c)}){_equivalent(c)}"
        )
    size, span = _size(c)
    return f"{c.group} used {size} {_than(c)} {c.base} (95% interval {span}){_equivalent(c)}"


def _equivalent(c: Outcome) -> str:
    if not c.equivalent:
        return ""
    return f"; the two are equivalent within ±{c.margin_pct:g}%"


def _none(groups: Sequence[str], comparisons: list[Outcome]) -> str:
    if len(groups) > _MOST_NAMED:
        return f"none of {len(comparisons)} comparisons of {len(groups)} groups is resolved"
    listed = text.join([f"{c.group} against {c.base} ({_change(c)})" for c in comparisons])
    return f"no difference is resolved: {listed}"


def _each(comparisons: list[Outcome]) -> str:
    """Every comparison by name: those of the base, the other resolved ones, the unresolved."""
    base = comparisons[0].base
    own = [c for c in comparisons if c.base == base]
    parts = [_of_base(base, own)] if any(c.resolved for c in own) else []
    for c in comparisons:
        if c.resolved and c.base != base:
            size, span = _size(c)
            first = "" if parts else "95% interval "
            parts.append(f"{c.group} used {size} {_than(c)} {c.base} ({first}{span})")
    unknown = [c for c in comparisons if not c.resolved]
    if unknown:
        listed = [f"{c.group} against {c.base} ({_change(c)})" for c in unknown]
        parts.append(f"not resolved: {text.join(listed)}")
    return "; ".join(parts)


def _of_base(base: str, own: list[Outcome]) -> str:
    resolved = [c for c in own if c.resolved]
    least = len(resolved) == len(own) and all(c.known.pct > 0 for c in own)
    clauses, verb, unit = [], "used ", "" if least else " energy"
    for c in resolved:
        clauses.append(_clause(c, verb, unit))
        verb = unit = ""
    start = f"{base} used the least energy: " if least else f"against {base}, "
    return start + text.join(clauses)


def _clause(c: Outcome, verb: str, unit: str) -> str:
    """One comparison among several; the first says in full what the others leave out."""
    size, span = _size(c)
    interval = "95% interval " if verb else ""
    if c.known.pct >= 100:
        return f"{c.group} {verb}{size} times as much{unit} ({interval}{span})"
    return f"{c.group} {verb}{size} {_word(c)}{unit} ({interval}{span})"


def _many(groups: Sequence[str], comparisons: list[Outcome]) -> str:
    """Of many groups: which used least, how many differences are resolved, and the largest."""
    resolved = [c for c in comparisons if c.resolved]
    least, rest = groups[0], set(groups[1:])
    told = {_other(c, least): c.resolved for c in comparisons if least in _pair(c)}
    tied = [g for g in groups[1:] if g in rest and not told.get(g, False)]
    if not tied:
        start = f"{least} used the least energy of {len(groups)} groups"
    elif len(tied) <= 3:
        start = (
            f"{least} used the least energy of {len(groups)} groups here, not resolved "
            f"from {text.join(tied)}"
        )
    else:
        start = (
            f"{least} used the least energy of {len(groups)} groups here, not resolved "
            f"from {len(tied)} of them"
        )
    largest = max(resolved, key=lambda c: abs(_log(c)))
    size, span = _size(largest)
    count = "all" if len(resolved) == len(comparisons) else f"{len(resolved)} of"
    return (
        f"{start}; {count} {len(comparisons)} comparisons are resolved, the largest: "
        f"{largest.group} used {size} {_than(largest)} {largest.base} (95% interval {span})"
    )


def _pair(c: Outcome) -> tuple[str, str]:
    return c.base, c.group


def _other(c: Outcome, group: str) -> str:
    return c.group if c.base == group else c.base


def _log(c: Outcome) -> float:
    return math.log1p(c.known.pct / 100.0)


def _word(c: Outcome) -> str:
    return "more" if c.known.pct > 0 else "less"


def _than(c: Outcome) -> str:
    return "times as much energy as" if c.known.pct >= 100 else f"{_word(c)} energy than"


def _size(c: Outcome) -> tuple[str, str]:
    """Size and interval without signs: percentages, or multiples from twice as much on."""
    change, low, high = c.known
    decimals = text.percent_decimals(low, high, change)
    if change >= 100:
        size, *ends = (shown.removesuffix("×") for shown in text.change(change, low, high))
        return size, f"{ends[0]} to {ends[1]}"
    near, far = (low, high) if change > 0 else (-high, -low)
    span = f"{near:.{decimals}f} to {far:.{decimals}f}%"
    return text.percent(abs(change), decimals, sign=False), text.minus(span)


def _observed(c: Outcome) -> str:
    change, *interval = _change(c).split(", ", 1)
    return f"{c.group} {change} against {c.base}" + "".join(f" ({i})" for i in interval)


def _change(c: Outcome) -> str:
    """The observed change with its interval."""
    change, low, high = text.change(c.pct_change, c.ci_low, c.ci_high)
    if c.ci_low is None:
        return change
    return f"{change}, 95% interval {low} to {high}"


def sizes(comparisons: list[Outcome]) -> str:
    """How many blocks, or trials, the comparisons rest on."""
    if all(c.within_blocks for c in comparisons):
        blocks = sorted({c.n for c in comparisons})
        span = f"{blocks[0]}" if len(blocks) == 1 else f"{blocks[0]} to {blocks[-1]}"
        return f"{span} {'block' if blocks == [1] else 'blocks'}, paired"
    counts = {c.base: c.n_a for c in comparisons} | {c.group: c.n_b for c in comparisons}
    kind = "trials"
    if any(c.within_blocks for c in comparisons):
        kind += ", in part"
    if len(counts) > _MOST_NAMED:
        sizes = sorted(set(counts.values()))
        span = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        return f"{span} {kind} a group, unpaired"
    return f"{text.join([str(n) for n in counts.values()])} {kind}, unpaired"
