"""Violin, box and every single point of a metric, per group."""

import numpy as np
import seaborn

from analysis import limits, metrics, text
from analysis.findings import Findings
from analysis.plots.style import (
    GRID,
    INK,
    PAPER,
    Figure,
    Palette,
    canvas,
    finish,
    group_axis,
    label,
)
from analysis.settings import Settings
from analysis.table import Table

#: Fewer values than this have no shape to show; their points and median must do.
_MIN_VIOLIN = 5


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One figure per headline metric; of many groups one of energy with a line for each."""
    if table.many:
        return [_rows(table, settings)]
    return [_one(table, m, settings, palette) for m in metrics.HEADLINE if m in table.metrics]


def _rows(table: Table, settings: Settings) -> Figure:
    """Quartiles, median and extremes, a row per group from the least to the most."""
    values = {name: table.values(metrics.ENERGY.name, name) for name in table.all_groups}
    names = sorted(values, key=lambda name: np.median(values[name]))
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
    least, most = names[0], names[-1]
    return finish(
        figure,
        settings,
        "violin_energy_j",
        "Energy per trial",
        "Box: quartiles and median; line: from the least to the most. The axis does not begin at "
        "zero.",
        f"Energy of {len(names)} groups, from {label(least)} "
        f"{scale.with_unit(float(np.median(values[least])))} to {label(most)} "
        f"{scale.with_unit(float(np.median(values[most])))} in the median.",
    )


def _one(table: Table, metric: metrics.Metric, settings: Settings, palette: Palette) -> Figure:
    names = list(table.all_groups)
    values = [table.values(metric.name, name) for name in names]
    scale = text.Scale.fit(np.concatenate(values), metric.unit)
    figure, (axes,) = canvas(3.1)
    rng = np.random.default_rng(settings.seed)
    for place, (name, raw) in enumerate(zip(names, values, strict=True)):
        _group(axes, place, raw / scale.factor, palette, name, rng)
    group_axis(axes, names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylabel(f"{metric.label} ({scale.unit})")
    if max(map(len, values)) >= _MIN_VIOLIN:
        shape = (
            "Violin: density, between the least and the most; box: quartiles and median, whiskers "
            "to 1.5 interquartile ranges;"
        )
    else:
        shape = "Line: median; too few trials for a density;"
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
        f"{shape} points: trials. The axis does not begin at zero.",
        f"{metric.label} per group. Medians: {text.join(medians)}.",
    )


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
    axes.scatter(
        place + side, values, s=9 if len(values) >= _MIN_VIOLIN else 18, marker=marker,
        color=colour, alpha=0.75, linewidths=0.7, zorder=5,
    )  # fmt: skip
