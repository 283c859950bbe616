"""Every comparison of many groups at once: a square of changes, unresolved ones left white."""

import numpy as np

from analysis import text
from analysis.decision import Comparison
from analysis.findings import Findings
from analysis.plots.style import Figure, Palette, canvas, finish, label
from analysis.settings import Settings
from analysis.table import Table

#: Of so many groups the matrix is a table with its numbers.
_MOST_IN_TABLE = 12

#: Changes beyond this many per cent, as a ratio, have the strongest colour.
_MOST_PCT = 100.0


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One square where there are many groups; the rows from the least energy to the most."""
    comparisons: tuple[Comparison, ...] = found.decision.comparisons
    resolved = sum(c.resolved for c in comparisons)
    # Where nothing is resolved the square would be white.
    if len(table.groups) <= _MOST_IN_TABLE or not resolved:
        return []
    means = {
        r.group: r.geometric_mean or np.inf
        for r in found.groups
        if r.metric == "energy_j" and r.group in table.groups
    }
    names = sorted(means, key=lambda g: means[g])
    place = {name: i for i, name in enumerate(names)}
    square = np.full((len(names), len(names)), np.nan)
    for (a, b), c in zip(found.compared, comparisons, strict=True):
        if c.resolved:
            square[place[b], place[a]], square[place[a], place[b]] = c.mean, -c.mean
    side = min(2.4 + 0.11 * len(names), 9.0)
    figure, (axes,) = canvas(side, max(4.3, side))
    known = np.abs(square[np.isfinite(square)])
    most = min(float(known.max(initial=0.01)), np.log1p(_MOST_PCT / 100.0))
    picture = axes.imshow(square, cmap="PuOr_r", vmin=-most, vmax=most, interpolation="nearest")
    size = max(4.0, 8.0 - 0.06 * len(names))
    axes.set_xticks(range(len(names)), [label(n) for n in names], rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), [label(n) for n in names], fontsize=size)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, extend="both")
    ticks = np.linspace(-most, most, 5)
    bar.set_ticks(ticks, labels=[_percent(t) for t in ticks])
    return [
        finish(
            figure,
            settings,
            "matrix",
            "Every comparison",
            "Change of energy of the row’s group against the column’s, where it is resolved; white "
            "where it is not. Groups from the one that used least, by estimate.",
            f"{resolved} of {len(comparisons)} comparisons of {len(names)} groups are resolved.",
            wide=True,
        )
    ]


def _percent(log_ratio: float) -> str:
    return text.percent(100.0 * float(np.expm1(log_ratio)), 0)
