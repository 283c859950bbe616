"""Power over time: median and spread of each group, its phases shaded."""

import numpy as np
from matplotlib.patches import Patch

from analysis import metrics, text
from analysis.findings import Findings
from analysis.plots.style import MUTED, PHASE_COLOURS, WIDTH, Figure, Palette, finish, label
from analysis.plots.style import Canvas as Blank
from analysis.settings import Settings
from analysis.table import Table, Trace

#: Points of the common time axis.
_POINTS = 240

#: Told apart in grey by a hatch: evaluation from training, building from loading data.
_HATCHES = {"build": "//", "evaluate": "\\\\"}

#: Of more traces than this every second, third … is read.
_MOST_TRACES = 200

#: More panels than this make the figure too tall to read.
_MOST_GROUPS = 6


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One panel per group, all on one time axis."""
    if table.many:
        return []
    traces = {name: _traces(table, name) for name in table.groups[:_MOST_GROUPS]}
    traces = {name: found for name, found in traces.items() if found}
    if not traces:
        return []
    figure = Blank(figsize=(WIDTH, 0.5 + 1.25 * len(traces)), layout="constrained")
    panels = figure.subplots(len(traces), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    longest = max(_span(group) for group in traces.values())
    medians, peaks = [], []
    phased: dict[str, Patch] = {}
    for axes, (name, group) in zip(panels, traces.items(), strict=True):
        level, peak = _panel(axes, group, palette.colours[name])
        peaks.append(peak)
        medians.append(f"{label(name)} {text.significant(level)} W")
        phased |= _shade(axes, _phases(table, name))
        axes.set_title(label(name), color=palette.colours[name], pad=3)
    panels[-1].set_xlim(0, longest)
    panels[-1].set_ylim(0, 1.08 * max(peaks))
    panels[-1].set_xlabel("Time since the first sample (s)")
    panels[len(panels) // 2].set_ylabel("Power (W)")
    if phased:
        figure.legend(
            handles=list(phased.values()), loc="outside upper left", ncols=len(phased),
            handlelength=1.3, handletextpad=0.4, columnspacing=1.2, borderaxespad=0.2,
        )  # fmt: skip
    phases = " Shaded: the phases, by their median durations." if phased else ""
    return [
        finish(
            figure,
            settings,
            "power_over_time",
            "Power over time",
            "Line: median over the trials; band: the middle 90% of them; drawn while at least half "
            f"of the trials still ran.{phases}",
            f"Power over time per group. Typical power: {text.join(medians)}.",
        )
    ]


def _traces(table: Table, group: str) -> list[Trace]:
    trials = table.usable.loc[table.usable["group"] == group, "trial"]
    own = [table.traces[t] for t in trials if t in table.traces]
    return own[:: -(-len(own) // _MOST_TRACES)] if own else own


def _span(traces: list[Trace]) -> float:
    """How long at least half of the trials ran, in seconds."""
    return float(np.median([t.seconds[-1] for t in traces]))


def _panel(axes, traces: list[Trace], colour: str) -> tuple[float, float]:
    """Draw a group's median and band; return its median power and the band's top in watts."""
    grid = np.linspace(0, _span(traces), _POINTS)
    watts = np.array([np.interp(grid, t.seconds, t.watts, right=np.nan) for t in traces])
    low, middle, high = np.nanquantile(watts, [0.05, 0.5, 0.95], axis=0)
    if len(traces) > 1:
        axes.fill_between(grid, low, high, color=colour, alpha=0.25, linewidth=0, zorder=2)
    axes.plot(grid, middle, color=colour, linewidth=1.3, zorder=3)
    return float(np.median(middle)), float(np.nanmax(high))


def _phases(table: Table, group: str) -> list[tuple[str, float, float]]:
    """Phase name, begin and end in seconds: the median durations one after another."""
    rows = table.frame[(table.frame["group"] == group) & table.frame["usable"]]
    found, begin = [], 0.0
    for phase in metrics.PHASES:
        column = f"phase_{phase}_s"
        if column not in rows or rows[column].notna().sum() == 0:
            continue
        end = begin + float(rows[column].median())
        found.append((phase, begin, end))
        begin = end
    return found


def _shade(axes, phases: list[tuple[str, float, float]]) -> dict[str, Patch]:
    """Shade each phase; return a handle for each for the legend."""
    handles = {}
    for phase, begin, end in phases:
        colour, hatch = PHASE_COLOURS[phase][0], _HATCHES.get(phase)
        shade = {"facecolor": colour, "alpha": 0.3, "hatch": hatch}
        axes.axvspan(begin, end, **shade, linewidth=0, zorder=0)
        axes.axvline(end, color=MUTED, linewidth=0.5, alpha=0.5, zorder=1)
        handles[phase] = Patch(**shade, edgecolor=MUTED, linewidth=0.6, label=phase)
    return handles
