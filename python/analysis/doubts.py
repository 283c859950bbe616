"""What the numbers themselves say against their p-values, as sentences."""

from collections.abc import Sequence

from analysis import effects, text
from analysis.decision import Comparison
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table

#: More pairs than this are counted, not named.
_MOST_NAMED = 3


def of_numbers(table: Table, found: Findings, settings: Settings) -> list[str]:
    """What the numbers themselves say against their p-values."""
    decision, cautions = found.decision, []
    for name in ("position", "predecessor"):
        part = found.drift.position if name == "position" else found.drift.predecessor
        if name in decision.cautions and part:
            what = "the position in the block" if name == "position" else "what ran before"
            cautions.append(
                f"Energy depends on {what} ({text.p_equation(part.p)}, up to "
                f"{text.size(part.largest_pct)} between them); the comparisons adjusted for it "
                "stand beside, under the first question."
            )
    if "trend" in decision.cautions:
        cautions.append(_trend(table, found, settings))
    if "memory" in decision.cautions:
        widened = [c for c in decision.comparisons if c.memory > 0]
        size = text.significant(max(c.memory for c in widened), 2)
        cautions.append(
            f"Neighbouring blocks’ differences resemble each other ({_named(table, widened)}, a "
            f"lag-1 correlation of up to {size}): intervals and p-values are widened by the number "
            "of blocks that they are worth."
        )
    if "memory-bound" in decision.cautions:
        weak = [c for c in decision.comparisons if c.resolved and not c.holds_with_memory]
        cautions.append(
            f"{_named(table, weak)} would not be resolved if neighbouring blocks resembled each "
            "other as much as these data allow: p-values may look surer than they are."
        )
    if "adjusted" in decision.cautions:
        weak = [c for c in decision.comparisons if c.resolved and c.holds_adjusted is False]
        cautions.append(
            f"{_named(table, weak)} {'is' if len(weak) == 1 else 'are'} not resolved once position "
            "and predecessor are taken into account: p-values may look surer than they are."
        )
    floor = found.floor
    if "control" in decision.cautions and floor:
        decimals = text.percent_decimals(floor.ci_low, floor.ci_high)
        low, high = (text.percent(end, decimals) for end in (floor.ci_low, floor.ci_high))
        cautions.append(
            f"The A/A control failed: {floor.treatment} differs from itself by "
            f"{text.percent(floor.pct_change, decimals)} (95% interval {low} to {high}), so "
            "something else than the treatments makes groups differ."
        )
    return cautions


def _trend(table: Table, found: Findings, settings: Settings) -> str:
    """Pairs whose difference is another at the end than at the beginning."""
    own = [c for c in found.decision.comparisons if c.trend_p < settings.alpha]
    own.sort(key=lambda c: c.trend_p)
    names = table.groups
    listed = [
        f"{names[c.group]} against {names[c.base]} by {text.percent(effects.percent(c.trend), 1)}"
        for c in own[:_MOST_NAMED]
    ]
    if len(own) > _MOST_NAMED:
        listed.append(f"{len(own) - _MOST_NAMED} more")
    return (
        f"Differences drift from the first block to the last ({text.join(listed)}; smallest "
        f"{text.p_equation(own[0].trend_p)}): what drifts for one group alone is not taken out by "
        "pairing, and the size of the difference depends on when it is measured."
    )


def _named(table: Table, comparisons: Sequence[Comparison]) -> str:
    """Pairs in words, or how many there are."""
    if len(comparisons) > _MOST_NAMED:
        return f"{len(comparisons)} differences"
    names = table.groups
    return text.join([f"{names[c.group]} against {names[c.base]}" for c in comparisons])
