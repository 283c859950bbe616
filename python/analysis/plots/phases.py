"""Where the energy goes: the mean energy of each phase, stacked per group."""

import numpy as np

from analysis import metrics, text
from analysis.findings import Findings
from analysis.plots.style import INK, PHASE_COLOURS, Figure, Palette, canvas, finish, label, legend
from analysis.settings import Settings
from analysis.table import Table

_HATCHES = {"import": "", "data": "..", "build": "//", "train": "", "evaluate": "\\\\"}


def draw(table: Table, found: Findings, settings: Settings, palette: Palette) -> list[Figure]:
    """One stacked bar per group, from the trials' own phases."""
    rows = table.frame[table.frame["usable"]]
    phases = [p for p in metrics.PHASES if f"phase_{p}_j" in rows and rows[f"phase_{p}_j"].any()]
    if not phases:
        return []
    names = list(table.all_groups)
    if table.many:
        return []
    means = np.array(
        [
            [np.nan_to_num(rows.loc[rows["group"] == name, f"phase_{p}_j"].mean()) for p in phases]
            for name in names
        ]
    )
    scale = text.Scale.fit(means.sum(axis=1), "J")
    figure, (axes,) = canvas(0.95 + 0.42 * len(names))
    left = np.zeros(len(names))
    places = np.arange(len(names))
    for column, phase in enumerate(phases):
        widths = means[:, column] / scale.factor
        axes.barh(
            places, widths, 0.62, left=left, label=phase, color=PHASE_COLOURS[phase][0],
            hatch=_HATCHES[phase], edgecolor=INK, linewidth=0.6,
        )  # fmt: skip
        left += widths
    for place, total in enumerate(left):
        axes.annotate(
            scale.format(total * scale.factor), (total, place), xytext=(4, 0), va="center",
            textcoords="offset points", fontsize=8.5,
        )  # fmt: skip
    axes.set_yticks(places, [label(n) for n in names])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, left.max() * 1.14)
    axes.set_xlabel(f"Energy of the whole trial ({scale.unit})")
    legend(figure, axes)
    share = [
        f"{label(name)} {100 * row[phases.index('train')] / max(row.sum(), 1e-12):.0f}%"
        for name, row in zip(names, means, strict=True)
        if "train" in phases
    ]
    return [
        finish(
            figure,
            settings,
            "energy_per_phase",
            "Energy per phase",
            "Mean over the trials. The reported window is "
            f"{text.join(settings.protocol.window or metrics.WINDOW)}.",
            "Stacked bars of energy per phase."
            + (f" Share of training: {text.join(share)}." if share else ""),
        )
    ]
