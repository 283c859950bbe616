"""Energy against the levels of each factor, a line for every treatment: how they interact."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import ticker

from analysis import text
from analysis.factors import Levels
from analysis.findings import Findings
from analysis.plots import style
from analysis.plots.style import Figure, Palette
from analysis.settings import Settings
from analysis.table import Table

#: More lines than this cannot be told apart.
_MOST_LINES = 8


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """A figure for each factor, over the mean of the other factors' levels."""
    factors = found.factors
    if factors is None:
        return []
    drawn = {m.factor for m in factors.margins}
    return [
        _interaction(factors, one.factor, one.levels, settings)
        for one in factors.factors
        if one.factor in drawn and len(one.levels) > 1
    ]


def _lines(factors: Levels, factor: str, levels: list[str]) -> dict[str, list[Any]]:
    """By treatment, at each level: geometric mean and ends; None where there is none."""
    known = {
        (m.of, m.level): np.array([m.mean_j, m.low_j, m.high_j])
        for m in factors.margins
        if m.factor == factor
    }
    return {of: [known.get((of, level)) for level in levels] for of in factors.treatments}


def _interaction(factors: Levels, factor: str, levels: list[str], settings: Settings) -> Figure:
    lines = dict(list(_lines(factors, factor, levels).items())[:_MOST_LINES])
    known = [p for points in lines.values() for p in points if p is not None]
    scale = text.Scale.fit([p[2] for p in known], "J")
    figure, (axes,) = style.canvas(3.0)
    colours = _colours(list(lines))
    for i, (name, points) in enumerate(lines.items()):
        # Side by side, so that intervals do not hide each other.
        shift = 0.06 * (i - (len(lines) - 1) / 2)
        at = [k + shift for k, p in enumerate(points) if p is not None]
        own = np.array([p for p in points if p is not None]) / scale.factor
        marker = "osD^vPX*"[i % 8]
        axes.plot(at, own[:, 0], color=colours[name], linewidth=1.3, marker=marker, markersize=5,
                  label=style.label(name))  # fmt: skip
        axes.vlines(at, own[:, 1], own[:, 2], color=colours[name], linewidth=1.8)
    axes.set_yscale(
        "log"
    )  # equal ratios are equal distances: without interaction lines are parallel
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    style.group_axis(axes, levels)
    axes.set_xlim(-0.4, len(levels) - 0.6)
    axes.margins(y=0.12)
    axes.set_xlabel(factor)
    axes.set_ylabel(f"Energy ({scale.unit})")
    if len(lines) > 1:
        style.legend(figure, axes)
    caption, alt = _words(factors, factor, levels, lines, scale)
    title = f"Energy by {factor}"
    return style.finish(figure, settings, f"factor_{style.slug(factor)}", title, caption, alt)


def _colours(names: list[str]) -> Mapping[str, str]:
    known = {"torch": "#d55e00", "keras": "#009e73", "jax": "#0072b2"}
    colours: dict[str, str] = {}
    for name in names:
        wanted = known.get(name)
        free = [c for c in style.COLOURS if c not in colours.values() and c not in known.values()]
        colours[name] = wanted or (free or list(style.COLOURS))[0]
    return colours


def _words(
    factors: Levels,
    factor: str,
    levels: list[str],
    lines: dict[str, Any],
    scale: text.Scale,
) -> tuple[str, str]:
    """What the picture shows, and the same for who cannot see it."""
    caption = (
        "Geometric means with 95% intervals from ln E ~ treatment at level + block, on a scale of "
        "ratios. Lines that are not parallel speak of an interaction; the tests say whether it is "
        "more than chance."
    )
    if len(factors.factors) > 1:
        caption += " Means over the levels of the other factors."
    said = []
    for name, points in lines.items():
        shown = [f"{level} {scale.with_unit(p[0])}"
                 for level, p in zip(levels, points, strict=True) if p is not None]  # fmt: skip
        said.append(f"{name or 'energy'}: {', '.join(shown)}")
    return caption, f"Energy by {factor}. {'; '.join(said)}."
