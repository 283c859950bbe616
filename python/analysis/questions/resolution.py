"""What could this experiment have seen?"""

from analysis import checks, provenance, tables, text, worth
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def floor(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What is the noise floor and the smallest effect that this experiment could see?"
    own = kept(checks.detectable(found), tables.equivalence(found, settings))
    seen = [r.pct_holm for r in found.detectable if r.pct_holm is not None]
    smallest = f"{text.detectable(max(seen))} would be resolved with 80% power" if seen else ""
    lines = _equivalence(found, settings)
    floor = found.floor
    if floor is None:
        short = f"No A/A control{'; ' + smallest if smallest else ''}"
        return Answer(title, "unknown", short, lines, own)
    if floor.floor_pct is None:
        return Answer(title, "unknown", f"The A/A control says nothing: {floor.note}", lines, own)
    decimals = text.percent_decimals(floor.ci_low, floor.ci_high)
    low, high = (text.percent(end, decimals) for end in (floor.ci_low, floor.ci_high))
    same = "are" if floor.tost_p < settings.alpha else "are not shown to be"
    lines = [
        (
            f"{floor.treatment} ran twice in each of {floor.blocks} blocks. The mean paired "
            f"difference is {text.percent(floor.pct_change, decimals)} (95% interval {low} to "
            f"{high}); a single block may differ by {text.percent(floor.block_low)} to "
            f"{text.percent(floor.block_high)}."
        ),
        (
            f"By two one-sided tests the two {same} equivalent within ±{floor.margin_pct:g}% "
            f"({text.p_equation(floor.tost_p)}); they would be within "
            f"{text.within(floor.equivalent_within_pct)}."
        ),
        *lines,
    ]
    if floor.fails:
        short = "The A/A control failed: a treatment differs from itself"
        return Answer(title, "warn", short, lines, own)
    short = f"A/A control within ±{text.significant(floor.floor_pct, 2)}%; {smallest}"
    return Answer(title, "good", short, lines, own)


def _equivalence(found: Findings, settings: Settings) -> list[str]:
    """What is equivalent within the margin, or within what it would be."""
    known = [(r.within_pct, r) for r in found.equivalence if r.within_pct is not None]
    if not known:
        return []
    if settings.margin is None:
        within, closest = min(known, key=lambda one: one[0])
        return [
            f"No margin of equivalence was stated (--margin). The closest pair, {closest.b} "
            f"against {closest.a}, would be equivalent within "
            f"{text.within(within)}, by itself."
        ]
    same = [f"{r.b} and {r.a}" for _, r in known if r.equivalent]
    listed = text.join(same) if len(same) <= 4 else f"{len(same)} of {len(known)} pairs"
    return [f"Equivalent within ±{settings.margin:g}%: {listed or 'no pair is shown to be'}."]


def size(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Is the effect power or time; how large, with an interval; does it matter in practice?"
    own = kept(worth.split(found), tables.effects(found), worth.practical(found, settings))
    if not found.compared:
        return Answer(title, "unknown", "A single group has no effect", [], own)
    parts = [
        f"{r.b} against {r.a}: {_share(r.time_share)}"
        for r in found.split
        if r.time_share is not None and r.a == table.base and (r.a, r.b) in found.shown
    ]
    practical = settings.practical
    lines = [
        f"Practical figures are for {practical.runs_per_year:,.0f} runs per year at "
        f"{practical.price_per_kwh:g} {practical.currency}/kWh and "
        f"{practical.carbon_intensity:g} g CO₂e/kWh ({practical.carbon_source}). They cover the "
        "measured domains only.".replace(",", "\u202f", 1)
    ]
    if len(parts) > _MOST_SHARES:
        parts = [*parts[:_MOST_SHARES], "the others are in the table"]
    if not found.split:
        short = "Not told: the times of the trials are not on record"
    elif provenance.estimated(table) != "none":
        short = "Not told: the power of an estimate is the model’s own"
    else:
        short = "; ".join(parts) if parts else "No difference is resolved"
    return Answer(title, "good" if parts else "unknown", short, lines, own)


#: More shares than this are in the table alone.
_MOST_SHARES = 4


def _share(share: float) -> str:
    if share > 1.02:
        return "only time; power went the other way and made up for part"
    if share >= 0.98:
        return "only time"
    if share >= 0.8:
        return f"almost only time ({100 * share:.0f}%)"
    if share > 0.6:
        return f"mostly time ({100 * share:.0f}%)"
    if share > 0.4:
        return f"time ({100 * share:.0f}%) and power alike"
    if share >= 0.2:
        return f"mostly power (time {100 * share:.0f}%)"
    if share > 0.02:
        return f"almost only power (time {100 * share:.0f}%)"
    return "only power" + (
        "; time went the other way and made up for part" if share < -0.02 else ""
    )
