"""Violin, box and every single point of a metric, per group."""

import numpy as np
import seaborn

from analysis import limits, metrics, text
from analysis.findings import Findings
from analysis.plots.style import INK, PAPER, Figure, Palette, canvas, finish, group_axis, label
from analysis.settings import Settings
from analysis.table import Table

#: Fewer values than this have no shape to show; their points and median must do.
_MIN_VIOLIN = 5


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One figure per headline metric."""
    return [_one(table, m, settings, palette) for m in metrics.HEADLINE if m in table.metrics]


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
        shape = "Violin: density; box: quartiles and median, whiskers to 1.5 interquartile ranges;"
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
            x=np.full(len(values), place), y=values, ax=axes, color=colour, inner=None, cut=1,
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
