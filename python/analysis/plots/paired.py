"""Every block as a line across the groups: what pairing removes is the lines' common height."""

import numpy as np

from analysis import text
from analysis.findings import Findings
from analysis.plots.style import INK, MUTED, Figure, Palette, canvas, finish, group_axis
from analysis.settings import Settings
from analysis.table import Table

#: Of more blocks than this every second, third … is drawn.
_MOST_LINES = 200

#: From this ratio of the most to the least on, one axis of joules would show flat lines.
_FAR = 3.0


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """Energy of the complete blocks; against the groups' means where these lie far apart."""
    names = [*table.groups, *((table.twin,) if table.twin else ())]
    blocks = table.blocks("energy_j", tuple(names))
    if len(names) < 2 or table.many or len(blocks) < 2:
        return []
    if len(blocks) > _MOST_LINES:
        blocks = blocks.iloc[:: -(-len(blocks) // _MOST_LINES)]
    scale = text.Scale.fit(blocks.to_numpy().ravel(), "J")
    values = blocks.to_numpy() / scale.factor
    far = values.min() > 0 and values.max() / values.min() > _FAR
    if far:
        values = 100.0 * (values / np.exp(np.log(values).mean(axis=0)) - 1.0)
    figure, (axes,) = canvas(3.1)
    places = np.arange(len(names))
    for row in values:
        axes.plot(places, row, color=MUTED, alpha=0.35, linewidth=0.8, zorder=2)
    for place, name in enumerate(names):
        axes.scatter(
            np.full(len(values), place), values[:, place], s=13, color=palette.colours[name],
            marker=palette.markers[name], zorder=3, linewidths=0.8,
        )  # fmt: skip
    middle = np.zeros(len(names)) if far else np.exp(np.log(values).mean(axis=0))
    axes.plot(places, middle, color=INK, linewidth=2, zorder=4)
    group_axis(axes, names)
    axes.set_xlim(-0.35, len(names) - 0.65)
    axes.set_ylabel("Energy against group mean (%)" if far else f"Energy ({scale.unit})")
    if far:
        caption = (
            f"Each thin line is one of {len(blocks)} blocks, in per cent of the groups’ geometric "
            "means, for these lie far apart. A line that runs level is a block in which the "
            "differences are those of the whole."
        )
    else:
        caption = (
            f"Each thin line is one of {len(blocks)} blocks, the thick line the geometric mean. "
            "Lines that run alike mean a difference that holds in every block."
        )
    return [
        finish(
            figure,
            settings,
            "paired_energy_j",
            "Energy, block by block",
            caption,
            f"Lines of {len(blocks)} blocks across {text.join(names)}.",
        )
    ]
