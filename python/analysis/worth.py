"""What a difference is made of and what it is worth: power and time, joules, money, idling."""

from analysis import text
from analysis.cells import Cell, Changed, Column, Tabulation, change, interval, number, words
from analysis.decomposition import Split
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.tables import energy_scale, further


def split(found: Findings) -> Tabulation | None:
    """Energy as power and time."""
    columns = [
        Column("Pair", False), Column("Energy"), Column("Power"), Column("95% interval"),
        Column("Time"), Column("95% interval"), Column("Time’s share of ln E"),
        Column("95% interval"),
    ]  # fmt: skip
    cells = []
    for r in found.split:
        if (r.a, r.b) not in found.shown:
            continue
        share = r.time_share
        cells.append(
            [
                words(f"{r.b} against {r.a}"),
                change(r.energy_j),
                change(r.power_w),
                _interval(r.power_w),
                change(r.time_s),
                _interval(r.time_s),
                number(share, text.share(share)),
                _share_interval(r),
            ]
        )
    note = "Shares are given for resolved differences of measured energy only (Fieller’s interval)."
    return (
        Tabulation("Energy = power × time", columns, cells, [note, *further(found)])
        if cells
        else None
    )


def _share_interval(r: Split) -> Cell:
    low, high = r.time_share_low, r.time_share_high
    if low is None:
        return number(None)
    return number(low, f"{text.share(low)} to {text.share(high)}")


def _interval(row: Changed) -> Cell:
    return interval(row.ci_low, row.ci_high, row.pct_change)


def practical(found: Findings, settings: Settings) -> Tabulation | None:
    """What the differences are worth."""
    if not found.practical:
        return None
    money = settings.practical.currency
    scale = energy_scale(found)
    parts = (
        ("joules", scale.unit), ("kwh", "kWh"), ("money", money), ("kg_co2e", "kg CO₂e"),
    )  # fmt: skip
    heads = ("per run", "per year", "per year", "per year")
    columns = [Column("Pair", False)]
    columns += [Column(f"{unit} {head}") for (_, unit), head in zip(parts, heads, strict=True)]
    cells = []
    for r in found.practical:
        if (r.a, r.b) not in found.shown:
            continue
        row = [words(f"{r.b} − {r.a}")]
        for key, _ in parts:
            ends = tuple(getattr(r, f"{key}{end}") for end in ("", "_low", "_high"))
            factor = scale.factor if key == "joules" else 1.0
            shown = text.with_interval(*(None if v is None else v / factor for v in ends))
            row.append(number(ends[0], shown))
        cells.append(row)
    notes = ["Differences of arithmetic means, for joules add up."]
    if any(r.joules_low is None for r in found.practical):
        notes.append("Without an interval: a group with a single trial, or without any spread.")
    caption = "What the difference is worth, with Student’s 95% intervals"
    return Tabulation(caption, columns, cells, notes + further(found))


def above_idle(found: Findings) -> Tabulation | None:
    """Differences of energy above idle, in joules."""
    own = [r for r in found.above_idle.pairs if (r.a, r.b) in found.shown]
    if not own:
        return None
    scale = energy_scale(found)
    columns = [Column("Pair", False), Column(f"Difference ({scale.unit} per run)")]
    cells = []
    for r in own:
        ends = (r.joules, r.joules_low, r.joules_high)
        shown = text.with_interval(*(None if v is None else v / scale.factor for v in ends))
        cells.append([words(f"{r.b} − {r.a}"), number(r.joules, shown)])
    caption = "Energy above idle, arithmetic differences (exploratory)"
    return Tabulation(caption, columns, cells, further(found))
