"""Energy against the order of the trials and the position in the block."""

import numpy as np
from matplotlib import ticker

from analysis import drift as statistics
from analysis import text
from analysis.findings import Findings
from analysis.plots.style import (
    INK,
    MOST_POINTS,
    Figure,
    Palette,
    canvas,
    finish,
    label,
    legend,
)
from analysis.settings import Settings
from analysis.table import Table


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """Two figures, each only where the order is known."""
    if table.many:
        return []
    frame = statistics.deviations(table)
    if len(frame) > MOST_POINTS:
        frame = frame.sample(MOST_POINTS, random_state=settings.seed)
    figures = []
    if frame["run_order"].notna().sum() >= 3:
        figures.append(_order(table, frame.dropna(subset=["run_order"]), found, settings, palette))
    if frame["position"].nunique() >= 2:
        figures.append(_position(table, frame.dropna(subset=["position"]), settings, palette))
    return figures


def _order(table: Table, frame, found: Findings, settings: Settings, palette: Palette) -> Figure:
    figure, (axes,) = canvas(3.0)
    for name in table.all_groups:
        rows = frame[frame["group"] == name]
        axes.scatter(
            rows["run_order"], rows["deviation"], s=13, marker=palette.markers[name],
            color=palette.colours[name], label=label(name), alpha=0.85, linewidths=0.8,
        )  # fmt: skip
    slope = found.drift.run_order
    words = ""
    if slope:
        x = np.array([frame["run_order"].min(), frame["run_order"].max()])
        rate = np.log1p(slope.pct / 100)
        middle = frame["run_order"].mean()
        axes.plot(x, 100 * np.expm1(rate * (x - middle)), color=INK, linewidth=1.6)
        words = (
            f" Line: the trend of the {'blocks’ means' if slope.of == 'blocks' else 'trials'}, "
            f"{text.percent(slope.pct_over_experiment, 2)} from the first trial to the "
            f"last ({text.p_equation(slope.p)})."
        )
    axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.xaxis.set_major_locator(ticker.MaxNLocator("auto", integer=True))
    axes.set_xlabel("Run order")
    axes.set_ylabel("Energy against group mean (%)")
    legend(figure, axes)
    return finish(
        figure,
        settings,
        "energy_run_order",
        "Energy against run order",
        f"Each trial against the geometric mean of its group.{words}",
        f"Deviation of energy by run order.{words}",
    )


def _position(table: Table, frame, settings: Settings, palette: Palette) -> Figure:
    figure, (axes,) = canvas(3.0)
    places = np.sort(frame["position"].unique())
    step = 0.8 / max(len(table.all_groups), 1)
    rng = np.random.default_rng(settings.seed)
    for i, name in enumerate(table.all_groups):
        rows = frame[frame["group"] == name]
        offset = (i - (len(table.all_groups) - 1) / 2) * step
        jitter = rng.uniform(-0.25, 0.25, len(rows)) * step
        axes.scatter(
            rows["position"] + offset + jitter, rows["deviation"], s=12, alpha=0.8, linewidths=0.8,
            marker=palette.markers[name], color=palette.colours[name], label=label(name),
        )  # fmt: skip
        found = rows.groupby("position")["deviation"].agg(["mean", "size"])
        means = found.loc[found["size"] > 1, "mean"]
        axes.hlines(
            means, means.index + offset - 0.42 * step, means.index + offset + 0.42 * step,
            color=INK, linewidth=1.8, zorder=4,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.set_xlim(places.min() - 0.5, places.max() + 0.5)
    first = places.min() - 1
    axes.set_xticks(places, [text.ordinal(int(p - first)) for p in places])
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("Place in the block")
    axes.set_ylabel("Energy against group mean (%)")
    legend(figure, axes)
    return finish(
        figure,
        settings,
        "energy_position",
        "Energy against position in the block",
        "Each trial against the geometric mean of its group; lines: means per position.",
        f"Deviation of energy by position, for {text.join(list(table.all_groups))}.",
    )
