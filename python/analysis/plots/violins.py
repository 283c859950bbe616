"""Violin, box and every single point of a metric, per group."""

import numpy as np
import seaborn
from matplotlib import ticker

from analysis import limits, metrics, text
from analysis.findings import Findings
from analysis.plots.style import (
    GRID,
    INK,
    MOST_POINTS,
    PAPER,
    Canvas,
    Figure,
    Palette,
    canvas,
    finish,
    folded,
    group_axis,
    label,
    ratio_axis,
)
from analysis.settings import Settings
from analysis.table import Table

#: Fewer values than this have no shape to show; their points and median must do.
_MIN_VIOLIN = 5

#: From this ratio of medians on, violins on one axis of joules would be lines.
_FAR = 2.5

#: So many groups have room for a panel each.
_MOST_PANELS = 4


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One figure per headline metric; of many groups one of energy with a line for each."""
    if table.many:
        return [_rows(table, settings)]
    return [_one(table, m, settings, palette) for m in metrics.HEADLINE if m in table.metrics]


def _rows(table: Table, settings: Settings) -> Figure:
    """Quartiles, median and extremes, a row per group from the least to the most.

    Releases and levels keep their own order.
    """
    values = {name: table.values(metrics.ENERGY.name, name) for name in table.all_groups}
    names = list(table.all_groups)
    if not settings.protocol.structured:
        names.sort(key=lambda name: np.median(values[name]))
    scale = text.Scale.fit([np.max(v) for v in values.values()], "J")
    figure, (axes,) = canvas(0.8 + 0.17 * len(names))
    axes.boxplot(
        [values[name] / scale.factor for name in names], positions=range(len(names)),
        orientation="horizontal", widths=0.6, whis=(0, 100), manage_ticks=False,
        patch_artist=True, boxprops={"facecolor": GRID, "edgecolor": INK, "linewidth": 0.7},
        medianprops={"color": INK, "linewidth": 1.6},
        whiskerprops={"color": INK, "linewidth": 0.7}, capprops={"linewidth": 0},
    )  # fmt: skip
    axes.set_yticks(range(len(names)), [label(name) for name in names], fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"{metrics.ENERGY.label} ({scale.unit})")
    least, most = (f(values, key=lambda name: np.median(values[name])) for f in (min, max))
    return finish(
        figure,
        settings,
        "violin_energy_j",
        "Energy per trial",
        "Box: quartiles and median; line: from the least to the most."
        + " The axis does not begin at zero." * bool(axes.get_xlim()[0] > 0),
        f"Energy of {len(names)} groups, from {label(least)} "
        f"{scale.with_unit(float(np.median(values[least])))} to {label(most)} "
        f"{scale.with_unit(float(np.median(values[most])))} in the median.",
    )


def _one(table: Table, metric: metrics.Metric, settings: Settings, palette: Palette) -> Figure:
    names = list(table.all_groups)
    values = [table.values(metric.name, name) for name in names]
    scale = text.Scale.fit(np.concatenate(values), metric.unit)
    values_shown = [raw / scale.factor for raw in values]
    far = _far(values)
    if far and len(names) <= _MOST_PANELS:
        figure = _panels(names, values_shown, palette, settings)
        axes, how = (
            figure.axes[0],
            "Each group has an axis of its own, of the same span in per cent.",
        )
    else:
        figure, (axes,) = canvas(3.1)
        rng = np.random.default_rng(settings.seed)
        for place, (name, raw) in enumerate(zip(names, values_shown, strict=True)):
            _group(axes, place, raw, palette, name, rng)
        group_axis(axes, names)
        axes.set_xlim(-0.6, len(names) - 0.4)
        how = "The axis does not begin at zero."
        if far:
            ratio_axis(axes)
            how = "The axis is logarithmic: like distances are like ratios."
    axes.set_ylabel(f"{metric.label} ({scale.unit})")
    if max(map(len, values)) >= _MIN_VIOLIN:
        shape = (
            "Violin: density, between the least and the most; box: quartiles and median, whiskers "
            "to 1.5 interquartile ranges;"
        )
    else:
        shape = "Line: median; too few trials for a density;"
    many = max(map(len, values)) > MOST_POINTS
    points = f"trials, of each group {MOST_POINTS} at most" if many else "trials"
    medians = [
        f"{label(name)} {scale.with_unit(float(np.median(raw)))}"
        for name, raw in zip(names, values, strict=True)
        if len(raw)
    ]
    return finish(
        figure,
        settings,
        f"violin_{metric.name}",
        f"{metric.label} per trial",
        f"{shape} points: {points}. {how}",
        f"{metric.label} per group. Medians: {text.join(medians)}.",
    )


def _far(values: list[np.ndarray]) -> bool:
    """Whether one axis would make lines of the violins."""
    medians = [np.median(v) for v in values if len(v)]
    return len(medians) > 1 and min(medians) > 0 and max(medians) / min(medians) > _FAR


def _panels(
    names: list[str], values: list[np.ndarray], palette: Palette, settings: Settings
) -> Canvas:
    """A panel for each group, all of the same span in per cent, so that spreads can be compared."""
    figure, panels = canvas(3.1, columns=len(names))
    rng = np.random.default_rng(settings.seed)
    middles = [float(np.median(v)) for v in values]
    # Each side by itself: a run that broke off must not make room for one that never was.
    low = min(0.999, *(float(v.min()) / m for v, m in zip(values, middles, strict=True)))
    high = max(1.001, *(float(v.max()) / m for v, m in zip(values, middles, strict=True)))
    room = 0.075 * (high - low)
    for axes, name, own, middle in zip(panels, names, values, middles, strict=True):
        _group(axes, 0, own, palette, name, rng)
        group_axis(axes, [name])
        axes.set_xticklabels([folded(name, len(names))])
        axes.set_xlim(-0.55, 0.55)
        axes.set_ylim(middle * max(low - room, 0.0), middle * (high + room))
        axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
        axes.tick_params(axis="y", labelsize=8)
    return figure


def _group(
    axes, place: int, values: np.ndarray, palette: Palette, name: str, rng: np.random.Generator
) -> None:
    colour, marker = palette.colours[name], palette.markers[name]
    if len(values) >= _MIN_VIOLIN and not limits.no_spread(values):
        seaborn.violinplot(
            x=np.full(len(values), place), y=values, ax=axes, color=colour, inner=None, cut=0,
            native_scale=True, width=0.8, linewidth=0.9, linecolor=colour, saturation=1, alpha=0.28,
        )  # fmt: skip
        axes.boxplot(
            values, positions=[place], widths=0.13, showfliers=False, patch_artist=True,
            manage_ticks=False, zorder=4,
            boxprops={"facecolor": PAPER, "edgecolor": INK, "linewidth": 0.9},
            medianprops={"color": INK, "linewidth": 1.8},
            whiskerprops={"color": INK, "linewidth": 0.9}, capprops={"linewidth": 0},
        )  # fmt: skip
    elif len(values):
        median = float(np.median(values))
        axes.hlines(median, place - 0.18, place + 0.18, color=INK, linewidth=1.8, zorder=4)
    if len(values) >= _MIN_VIOLIN:
        side = rng.uniform(0.1, 0.26, len(values)) * rng.choice([-1, 1], len(values))
    else:
        side = 0.06 * (np.arange(len(values)) - (len(values) - 1) / 2)
    shown = slice(None)
    if len(values) > MOST_POINTS:
        shown = rng.choice(len(values), MOST_POINTS, replace=False)
    axes.scatter(
        place + side[shown], values[shown], s=9 if len(values) >= _MIN_VIOLIN else 18,
        marker=marker, color=colour, alpha=0.75, linewidths=0.7, zorder=5,
    )  # fmt: skip
