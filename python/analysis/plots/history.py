"""Energy, time and power against the release, with intervals; resolved steps are marked."""

from matplotlib.axes import Axes

from analysis import text
from analysis.findings import Findings
from analysis.history import SHOWN, Release, Releases, sentence
from analysis.metrics import Metric
from analysis.plots import style
from analysis.plots.style import Figure, Palette
from analysis.settings import Settings
from analysis.table import Table

#: More releases than this need the width of two columns.
_MOST_NARROW = 8

#: The colours of the panels, in their order.
_COLOURS = ("#0072b2", "#009e73", "#d55e00")


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One figure of a panel per metric; nothing where it is no history, or too short to fit one."""
    history = found.history
    if history is None or settings.protocol.history is None:
        return []
    releases = history.releases
    shown = [m for m in SHOWN if any(r.level(m) for r in releases)]
    if not shown:
        return []
    wide = len(releases) > _MOST_NARROW
    width = style.WIDTH * (2 if wide else 1)
    figure = style.Canvas(figsize=(width, 0.7 + 1.45 * len(shown)), layout="constrained")
    panels = list(figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0])
    for axes, metric, colour in zip(panels, shown, _COLOURS, strict=False):
        _panel(axes, releases, metric, colour)
    _steps(panels[0], history)
    for axes in panels[1:]:
        _steps(axes, history, told=False)
    names = [r.release for r in releases]
    style.group_axis(panels[-1], names)
    panels[-1].set_xlim(-0.5, len(names) - 0.5)
    panels[-1].set_xlabel(f"Release of {history.package}")
    caption = (
        "Geometric means with Student’s 95% intervals, each by itself, from ln y ~ release + "
        "block. Shaded: steps between neighbours whose change of energy is resolved after Holm’s "
        "correction. Elsewhere a step may be none, or smaller than the experiment can show."
    )
    told = sentence(history)
    return [
        style.finish(
            figure, settings, "history", "Energy, time and power by release", caption,
            f"{told[0].upper()}{told[1:]}.", wide,
        )
    ]  # fmt: skip


def _panel(axes: Axes, releases: list[Release], metric: Metric, colour: str) -> None:
    known = [(i, v) for i, r in enumerate(releases) if (v := r.level(metric))]
    scale = text.Scale.fit([v.high for _, v in known], metric.unit)
    places = [i for i, _ in known]
    means = [v.mean / scale.factor for _, v in known]
    axes.plot(places, means, color=colour, linewidth=1.1, alpha=0.55)
    for i, v in known:
        axes.vlines(i, v.low / scale.factor, v.high / scale.factor, color=colour, linewidth=2)
    axes.plot(places, means, "o", color=colour, markersize=4.5)
    axes.margins(y=0.18)
    axes.set_ylabel(f"{metric.label.removeprefix('Mean ').capitalize()} ({scale.unit})")


def _steps(axes: Axes, history: Releases, told: bool = True) -> None:
    """A band between two releases that differ, with the change above it."""
    place = {r.treatment: i for i, r in enumerate(history.releases)}
    for row in history.neighbours:
        if not row.resolved:
            continue
        left, right = place[row.a], place[row.b]
        axes.axvspan(left, right, color=style.GRID, zorder=0)
        if told:
            shown = text.change(row.pct_change, row.ci_low, row.ci_high)[0]
            axes.annotate(
                shown, ((left + right) / 2, 1.0), xycoords=("data", "axes fraction"), ha="center",
                va="bottom", fontsize=8, xytext=(0, 1.5), textcoords="offset points",
                color=style.INK,
            )  # fmt: skip
