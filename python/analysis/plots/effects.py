"""Percentage changes with their intervals, one line per metric and pair."""

import numpy as np
from matplotlib.transforms import blended_transform_factory

from analysis import metrics, text
from analysis.findings import Findings
from analysis.pair import Pair
from analysis.plots import ratios
from analysis.plots.style import INK, MUTED, PAPER, Figure, Palette, canvas, finish, label
from analysis.settings import Settings
from analysis.table import Table

#: More lines than this do not fit a page; the pairs with the base stay.
_MOST_PAIRS = 6

#: Of very many pairs, so many lines.
_MOST_LINES = 12

#: With more pairs than this, only energy is shown of each.
_MOST_IN_FULL = 4


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """The headline metrics of every pair; of many pairs energy, and only those that matter."""
    couples = [pair for pair in found.compared if pair in found.shown]
    if len(couples) > _MOST_PAIRS:
        # A history's steps and the pairs within levels have no base in common.
        own = [pair for pair in couples if pair[0] == table.base] * (
            not settings.protocol.structured
        )
        couples = (own or couples)[:_MOST_LINES]
    shown = metrics.HEADLINE if len(couples) <= _MOST_IN_FULL else (metrics.ENERGY,)
    lines = []
    for a, b in couples:
        for metric in shown:
            row = found.pair(a, b, metric=metric.name)
            if row and row.ci_low is not None:
                lines.append((a, b, metric, row))
    if not lines:
        return []
    couples = sorted({(a, b) for a, b, _, _ in lines}, key=couples.index)
    figure, (axes,) = canvas(0.75 + 0.235 * len(lines) + 0.3 * len(couples))
    _lines(axes, lines, couples, palette)
    axes.axvline(1, color=INK, linewidth=1)
    axes.grid(axis="y", visible=False)
    words = [
        f"{m.label}, {label(b)} against {label(a)}: {_words(r)}"
        for a, b, m, r in lines
        if m in (metrics.ENERGY, metrics.TIME)
    ]
    caption = (
        "Change of the geometric mean with Student’s 95% interval, each by itself. One that "
        "crosses the line of no change leaves open whether there is a difference; it does not show "
        "that there is none. The axis is logarithmic."
    )
    return [
        finish(
            figure,
            settings,
            "effects",
            "How large the differences are",
            caption,
            "; ".join(words) + ".",
        )
    ]


def _words(row: Pair) -> str:
    """A change with its interval, to the digits that the tables have."""
    change, low, high = text.change(row.pct_change, row.ci_low, row.ci_high)
    return f"{change} ({low} to {high})"


def _lines(axes, lines, couples, palette: Palette) -> None:
    """Draw from top to bottom, a bold heading above the metrics of each pair."""
    y, places, names = 0.0, [], []
    _axis(axes, [_ratio(end) for *_, r in lines for end in (r.ci_low, r.ci_high)])
    # The heading starts at the figure's left edge, whatever room the labels take.
    edge = blended_transform_factory(axes.figure.transFigure, axes.transData)
    for a, b in couples:
        heading = axes.text(
            0.012, y, f"{label(b)} against {label(a)}", transform=edge, fontweight="bold",
            va="center", zorder=5, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        heading.set_in_layout(False)
        y += 1.0
        for first, second, metric, row in lines:
            if (first, second) == (a, b):
                _line(axes, y, row, palette.colours[b], palette.markers[b])
                places.append(y)
                names.append(metric.label)
                y += 1.0
        y += 0.3
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(y - 0.5, -0.6)
    axes.spines["left"].set_visible(False)


def _ratio(percent: float) -> float:
    """A percentage change as a ratio, which is what the logarithmic axis is made of."""
    return 1.0 + percent / 100.0


def _axis(axes, ends: list[float]) -> None:
    """A logarithmic axis, of multiples where groups are far apart: +100% and -50% lie equally far
    from no change.
    """
    low, high = np.log(min(1.0, *ends)), np.log(max(1.0, *ends))
    # Room beside the outer ends for the values; where all lie on one side, some beyond zero too.
    room = 0.28 * max(high - low, np.log(1.0005))
    low -= 1.4 * room if low < 0 else room / 4
    high += room if high > 0 else room / 4
    axes.set_xscale("log")
    axes.set_xlim(np.exp(low), np.exp(high))
    far = ratios.far(low, high)
    axes.set_xlabel("Ratio to the base" if far else "Change against the base")
    axes.set_xticks(*ratios.ticks(low, high))
    axes.set_xticks([], minor=True)


def _line(axes, y: float, row: Pair, colour: str, marker: str) -> None:
    """One interval with its value beside the end further from zero."""
    low, middle, high = row.ci_low, row.pct_change, row.ci_high
    axes.hlines(y, _ratio(low), _ratio(high), color=colour, linewidth=2.4, zorder=3)
    axes.plot([_ratio(middle)], [y], marker, color=colour, markersize=5, zorder=4)
    right = middle > 0
    shown = text.change(middle, low, high)[0]
    axes.annotate(
        shown, (_ratio(high if right else low), y), va="center", fontsize=8,
        xytext=(7 if right else -7, 0), textcoords="offset points", color=MUTED,
        ha="left" if right else "right",
    )  # fmt: skip
