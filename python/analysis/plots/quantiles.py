"""Normal quantile plots of ln energy: per group, and of the pairs' log ratios."""

import numpy as np
from scipy import stats

from analysis import limits, text
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

#: Fewer values than this make no quantile plot.
_MIN_VALUES = 4

#: Of more values than can be drawn, so many at either end all are: that is where tails show.
_ENDS = 100

#: More pairs than this cannot be told apart in one picture.
_MOST_PAIRS = 6


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One figure for the groups, one for the pairs; none of many groups."""
    if table.many:
        return []
    groups = {
        label(name): (np.log(table.values("energy_j", name)), name) for name in table.all_groups
    }
    couples = [(a, b) for i, a in enumerate(table.groups) for b in table.groups[i + 1 :]]
    if len(couples) > _MOST_PAIRS:
        couples = [(a, b) for a, b in couples if a == table.base][:_MOST_PAIRS]
    pairs = {}
    for a, b in couples:
        logs = np.log(table.blocks("energy_j", (a, b)))
        pairs[f"{label(b)} ÷ {label(a)}"] = ((logs[b] - logs[a]).to_numpy(), b)
    figures = [
        _figure(groups, settings, palette, "qq_groups", "Is ln energy normal in each group?"),
        _figure(
            pairs, settings, palette, "qq_pairs", "Are the paired log ratios normal?", distinct=True
        ),
    ]
    return [figure for figure in figures if figure]


def _figure(
    series: dict[str, tuple[np.ndarray, str]],
    settings: Settings,
    palette: Palette,
    name: str,
    title: str,
    distinct: bool = False,
) -> Figure | None:
    series = {
        k: v for k, v in series.items() if len(v[0]) >= _MIN_VALUES and not limits.no_spread(v[0])
    }
    if not series:
        return None
    figure, (axes,) = canvas(3.0)
    colours, markers = list(palette.colours.values()), list(palette.markers.values())
    ends = []
    for i, (words, (values, group)) in enumerate(series.items()):
        theory, ordered = stats.probplot(values, dist="norm", fit=False)
        standard = (ordered - values.mean()) / values.std(ddof=1)
        ends += [theory[0], theory[-1], standard[0], standard[-1]]
        theory, standard = (v[_drawn(len(values))] for v in (theory, standard))
        colour = colours[i % len(colours)] if distinct else palette.colours[group]
        marker = markers[i % len(markers)] if distinct else palette.markers[group]
        axes.plot(
            theory, standard, marker, color=colour, markersize=3.6, alpha=0.85, label=words,
            linestyle="none", markeredgewidth=0.8,
        )  # fmt: skip
    span = np.array([min(ends), max(ends)])
    axes.plot(span, span, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel("Normal quantiles")
    axes.set_ylabel("Standardised ln energy" if not distinct else "Standardised log ratio")
    legend(figure, axes)
    return finish(
        figure,
        settings,
        name,
        title,
        "Points on the dashed line are normal; Shapiro–Wilk beside it in the tables. Neither "
        "chooses a test here.",
        f"Normal quantile plot of {text.join(list(series))}.",
    )


def _drawn(count: int) -> np.ndarray:
    """The places, of so many values in order, that are drawn."""
    if count <= MOST_POINTS:
        return np.arange(count)
    between = np.linspace(_ENDS, count - _ENDS, MOST_POINTS - 2 * _ENDS, endpoint=False)
    return np.r_[:_ENDS, between.astype(int), count - _ENDS : count]
