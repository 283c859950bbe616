"""Percentage changes with their intervals, one line per metric and pair."""

import numpy as np

from analysis import metrics, pairs, text
from analysis.findings import Findings
from analysis.plots.style import GRID, INK, MUTED, WIDTH, Figure, Palette, canvas, finish, label
from analysis.settings import Settings
from analysis.table import Table

#: More lines than this do not fit a page; the pairs with the base stay.
_MOST_PAIRS = 6


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """The headline metrics of every pair, or of the pairs with the base where there are many."""
    tests = (pairs.PAIRED_T, pairs.WELCH)
    couples = [(a, b) for i, a in enumerate(table.groups) for b in table.groups[i + 1 :]]
    if len(couples) > _MOST_PAIRS:
        couples = [(a, b) for a, b in couples if a == table.base]
    lines = []
    for a, b in couples:
        for metric in metrics.HEADLINE:
            rows = [found.pair(a, b, test, metric.name) for test in tests]
            row = next((r for r in rows if r and r["ci_low"] is not None), None)
            if row:
                lines.append((a, b, metric, row))
    if not lines:
        return []
    shown = sorted({(a, b) for a, b, _, _ in lines}, key=couples.index)
    figure, (axes,) = canvas(0.75 + 0.235 * len(lines) + 0.3 * len(shown), WIDTH)
    _lines(axes, lines, shown, palette)
    floor = (found.floor or {}).get("floor_pct")
    if floor:
        low = 100 * (1 / (1 + floor / 100) - 1)
        axes.axvspan(low, floor, color=GRID, alpha=0.8, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlabel("Change against the base (%)")
    axes.grid(axis="y", visible=False)
    note = (
        f" Grey band: noise floor of the A/A control, ±{text.significant(floor)}%." if floor else ""
    )
    words = [
        f"{m.label}, {label(b)} against {label(a)}: {text.percent(r['pct_change'])} "
        f"({text.percent(r['ci_low'])} to {text.percent(r['ci_high'])})"
        for a, b, m, r in lines
        if m in (metrics.ENERGY, metrics.TIME)
    ]
    figure_name = "effects"
    return [
        finish(
            figure,
            settings,
            figure_name,
            "How large the differences are",
            "Change of the geometric mean with its 95% bootstrap interval; an interval that touches "
            f"zero is no difference.{note}",
            "; ".join(words) + ".",
        )
    ]


def _lines(axes, lines, shown, palette: Palette) -> None:
    """Draw from top to bottom, a bold heading above the metrics of each pair."""
    y, ticks, names = 0.0, [], []
    widest = max(abs(r[k]) for *_, r in lines for k in ("ci_low", "ci_high"))
    span = [
        min(0.0, *(r["ci_low"] for *_, r in lines)),
        max(0.0, *(r["ci_high"] for *_, r in lines)),
    ]
    for a, b in shown:
        axes.text(
            0.0, y, f"{label(b)} against {label(a)}", fontweight="bold", fontsize=8.5, va="center",
            transform=axes.get_yaxis_transform(), color=INK,
        )  # fmt: skip
        y += 1.0
        for first, second, metric, row in lines:
            if (first, second) != (a, b):
                continue
            low, mid, high = row["ci_low"], row["pct_change"], row["ci_high"]
            colour = palette.colours[b]
            axes.hlines(y, low, high, color=colour, linewidth=2.4, zorder=3)
            axes.plot([mid], [y], palette.markers[b], color=colour, markersize=5, zorder=4)
            decimals = text.percent_decimals(low, high)
            beside = text.percent(mid, decimals)
            right = high > 0 or mid > 0
            axes.annotate(
                beside, (high if right else low, y), xytext=(6 if right else -6, 0),
                textcoords="offset points", ha="left" if right else "right", va="center",
                fontsize=8, color=MUTED,
            )  # fmt: skip
            ticks.append(y)
            names.append(metric.label)
            y += 1.0
        y += 0.3
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 0.5, -0.8)
    room = max(np.ptp(span), widest * 0.2) * 0.2
    axes.set_xlim(
        span[0] - (room if span[0] < 0 else room * 0.25),
        span[1] + (room if span[1] > 0 else room * 0.25),
    )
    axes.spines["left"].set_visible(False)
