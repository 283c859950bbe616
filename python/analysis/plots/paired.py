"""Every block as a line across the groups: what pairing removes is the lines' common height."""

import numpy as np

from analysis import text
from analysis.findings import Findings
from analysis.plots.style import INK, MUTED, Figure, Palette, canvas, finish, group_axis
from analysis.settings import Settings
from analysis.table import Table

#: Of more blocks than this every second, third … is drawn.
_MOST_LINES = 200


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """Energy of the complete blocks; on a logarithmic axis where the groups lie far apart."""
    names = [*table.groups, *((table.twin,) if table.twin else ())]
    blocks = table.blocks("energy_j", tuple(names))
    if len(names) < 2 or table.many or len(blocks) < 2:
        return []
    if len(blocks) > _MOST_LINES:
        blocks = blocks.iloc[:: -(-len(blocks) // _MOST_LINES)]
    scale = text.Scale.fit(blocks.to_numpy().ravel(), "J")
    values = blocks.to_numpy() / scale.factor
    figure, (axes,) = canvas(3.1)
    places = np.arange(len(names))
    for row in values:
        axes.plot(places, row, color=MUTED, alpha=0.35, linewidth=0.8, zorder=2)
    for place, name in enumerate(names):
        axes.scatter(
            np.full(len(values), place), values[:, place], s=13, color=palette.colours[name],
            marker=palette.markers[name], zorder=3, linewidths=0.8,
        )  # fmt: skip
    axes.plot(places, np.exp(np.log(values).mean(axis=0)), color=INK, linewidth=2, zorder=4)
    low, high = values.min(), values.max()
    if low > 0 and high / low > 3:
        axes.set_yscale("log")
        _plain_log(axes, low, high)
    group_axis(axes, names)
    axes.set_xlim(-0.35, len(names) - 0.65)
    axes.set_ylabel(f"Energy ({scale.unit})")
    return [
        finish(
            figure,
            settings,
            "paired_energy_j",
            "Energy, block by block",
            f"Each thin line is one of {len(blocks)} blocks, the thick line the "
            "geometric mean. Lines that run alike mean a difference that holds in every block.",
            f"Lines of {len(blocks)} blocks across {text.join(names)}.",
        )
    ]


def _plain_log(axes, low: float, high: float) -> None:
    """A logarithmic axis labelled with plain numbers at 1, 2 and 5 times powers of ten."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 3, 5)]
    ticks = [t for t in ticks if low * 0.9 <= t <= high * 1.1]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_yticks([], minor=True)
