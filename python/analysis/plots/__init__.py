"""The pictures: each one drawn once, saved as SVG and PNG, and handed to the report."""

from collections.abc import Callable

from analysis import files
from analysis.findings import Findings
from analysis.plots import (
    drift,
    effects,
    factors,
    forest,
    history,
    matrix,
    paired,
    phases,
    power,
    quantiles,
    violins,
)
from analysis.plots.style import Figure, Palette, configure
from analysis.settings import Settings
from analysis.table import Table

__all__ = ["Figure", "Palette", "draw"]

_Painter = Callable[[Table, Findings, Settings, Palette], list[Figure]]


def _machines(table: Table, found: Findings, settings: Settings, _: Palette) -> list[Figure]:
    """Each machine's interval, where there are several."""
    if found.machines is None or not found.machines.pooled:
        return []
    shown = [o for o in found.machines.pooled if (o.a, o.b) in found.shown]
    if not shown:
        return []
    most = max(len(o.parts) for o in shown)
    fitting = max(1, min(_MOST_FORESTS, _MOST_LINES // min(most, forest.MOST_PARTS)))
    return [forest.draw(shown[:fitting], settings, "machine")]


#: More comparisons than this make a picture of machines too long.
_MOST_FORESTS, _MOST_LINES = 6, 80

#: In the order of the report.
_PAINTERS: tuple[_Painter, ...] = (
    violins.draw,
    effects.draw,
    history.draw,
    factors.draw,
    _machines,
    matrix.draw,
    paired.draw,
    power.draw,
    phases.draw,
    drift.draw,
    quantiles.draw,
)


def draw(table: Table, found: Findings, settings: Settings) -> list[Figure]:
    """Draw what the data can show into ``plots/``; a picture without data is left out."""
    if not table.groups:
        return []
    files.make_folder(settings.output / "plots")
    configure(table.groups + table.sparse)
    palette = Palette.of(table)
    return [figure for paint in _PAINTERS for figure in paint(table, found, settings, palette)]
