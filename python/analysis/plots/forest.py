"""Each experiment's or machine's interval of each comparison, and the one over all of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis import over
from analysis.decision import student
from analysis.over import Over
from analysis.plots import ratios, style
from analysis.settings import Settings

#: Of more parts than this the outer ones are drawn.
MOST_PARTS = 40


def _fewer(o: Over) -> Over:
    """The comparison with the outer parts alone, where there are too many to draw."""
    if len(o.parts) <= MOST_PARTS:
        return o
    ordered = sorted(o.parts, key=lambda part: part[1])
    outer = (*ordered[: MOST_PARTS // 2], *ordered[-MOST_PARTS // 2 :])
    return replace(o, parts=outer)


def draw(found: Sequence[Over], settings: Settings, kind: str) -> style.Figure:
    """Each part's interval of each comparison, and the one over all below them."""
    cut = [o for o in found if len(o.parts) > MOST_PARTS]
    found = [_fewer(o) for o in found]
    count = sum(len(o.parts) + 2 for o in found)
    figure, (axes,) = style.canvas(0.6 + 0.21 * count)
    y, names, told, heads = 0.0, [], [], []
    places: list[float] = []
    for o in found:
        heads.append(len(places))
        places.append(y)
        names.append(f"{style.label(o.b)} against {style.label(o.a)}")
        for name, mean, error, freedom in o.parts:
            y += 1
            half = float(student.quantile(0.975, np.array(freedom))) * error
            _line(axes, y, mean, mean - half, mean + half, style.MUTED, "o")
            places.append(y)
            names.append(style.label(name))
        y += 1
        p = o.pooled
        _line(axes, y, p.mean, p.low, p.high, style.INK, "D")
        places.append(y)
        names.append("all")
        told.append(
            f"{o.b} against {o.a}: {over.percent_text(p.mean)} ({over.interval(p.low, p.high)})"
        )
        y += 1.4
    axes.axvline(0, color=style.INK, linewidth=1)
    axes.set_yticks(places, names)
    for head in heads:
        axes.get_yticklabels()[head].set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Change of energy")
    marks, called = ratios.ticks(*axes.get_xlim())
    axes.set_xticks(np.log(marks), called)
    caption = (
        f"Change of the geometric mean: Student’s 95% interval of each {kind}, and over all "
        "(diamond). An interval that includes zero leaves open whether there is a difference."
    )
    if cut:
        caption += (
            f" Of {len(cut[0].parts)} {kind}s the {MOST_PARTS // 2} lowest and the "
            f"{MOST_PARTS // 2} highest."
        )
    title = f"Each {kind}, and all together"
    return style.finish(figure, settings, "forest", title, caption, "; ".join(told) + ".")


def _line(
    axes: Any, y: float, mean: float, low: float, high: float, colour: str, mark: str
) -> None:
    axes.plot([low, high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot([mean], [y], mark, color=colour, markersize=5)
