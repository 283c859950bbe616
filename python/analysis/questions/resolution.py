"""What could this experiment have seen?"""

from analysis import checks, tables, text
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import EQUIVALENCE_MARGIN_PCT, Settings
from analysis.table import Table


def floor(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What is the noise floor and the smallest effect that this experiment could see?"
    own = kept(checks.detectable(found))
    seen = [r["pct"] for r in found.detectable if r["pct"] is not None]
    smallest = f"changes from {text.significant(max(seen), 2)}% on could be seen" if seen else ""
    floor = found.floor
    if floor is None:
        short = f"Noise floor not known: no A/A control{'; ' + smallest if smallest else ''}"
        return Answer(title, "unknown", short, [], own)
    if floor["floor_pct"] is None:
        return Answer(title, "unknown", f"The A/A control says nothing: {floor['note']}", [], own)
    decimals = text.percent_decimals(floor["ci_low"], floor["ci_high"])
    low, high = (text.percent(floor[k], decimals) for k in ("ci_low", "ci_high"))
    same = "are" if floor["tost_p"] < settings.alpha else "are not shown to be"
    lines = [
        (
            f"{floor['treatment']} ran twice in each of {floor['blocks']} blocks. The mean paired "
            f"difference is {text.percent(floor['pct_change'], decimals)} (95% band {low} to "
            f"{high}); a single block may differ by {text.percent(floor['block_low'])} to "
            f"{text.percent(floor['block_high'])}."
        ),
        (
            f"By two one-sided tests the two {same} equivalent within ±{EQUIVALENCE_MARGIN_PCT:g}% "
            f"({text.p_equation(floor['tost_p'])}); they would be within "
            f"±{text.significant(floor['equivalent_within_pct'], 2)}%."
        ),
    ]
    short = f"Noise floor ±{text.significant(floor['floor_pct'], 2)}%; {smallest}"
    return Answer(title, "good", short, lines, own)


def size(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Is the effect power or time; how large, with an interval; does it matter in practice?"
    own = kept(tables.split(found), tables.effects(found), tables.practical(found, settings))
    if not found.split:
        return Answer(title, "unknown", "A single group has no effect", [], own)
    shares = {(r["a"], r["b"]): r["time_share"] for r in found.split if r["time_share"] is not None}
    parts = [
        f"{b} against {a}: {_share(share)}" for (a, b), share in shares.items() if a == table.base
    ]
    practical = settings.practical
    lines = [
        f"Practical figures are for {practical.runs_per_year:,.0f} runs per year at "
        f"{practical.price_per_kwh:g} {practical.currency}/kWh and "
        f"{practical.carbon_intensity:g} g CO₂e/kWh ({practical.carbon_source}). They cover the "
        "measured domains only.".replace(",", "\u202f", 1)
    ]
    short = "; ".join(parts) if parts else "No pair's interval excludes no change"
    return Answer(title, "good" if parts else "unknown", short, lines, own)


def _share(share: float) -> str:
    if share > 1.1:
        return f"time, {100 * share:.0f}% of it; power made up for part"
    if share >= 0.8:
        return f"almost only time ({100 * share:.0f}%)"
    if share > 0.6:
        return f"mostly time ({100 * share:.0f}%)"
    if share > 0.4:
        return f"time ({100 * share:.0f}%) and power alike"
    if share >= 0.2:
        return f"mostly power (time {100 * share:.0f}%)"
    if share >= -0.1:
        return f"almost only power (time {100 * share:.0f}%)"
    return "power; time made up for part"
