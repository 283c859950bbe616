"""The page of several experiments: the answer, a forest plot, and what it rests on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import ticker

from analysis import across, files, report, text
from analysis.cells import Column, Tabulation, number, words
from analysis.decision import student
from analysis.plots import style
from analysis.settings import Settings


def write(
    parts: Sequence["across.Part"],
    over: Sequence["across.Over"],
    answer: "across.Answer",
    request: Mapping[str, Any],
) -> list[str]:
    """Write plot and pages into the request's output; their names."""
    title = f"{len(parts)} experiments of one plan"
    settings = Settings(Path(request["output"]), title, version=request.get("version") or "")
    style.configure()
    files.make_folder(settings.output / "plots")
    figures = [forest(over, settings)] if over else []
    context = {
        "title": title,
        "version": settings.version,
        "command": request.get("command") or "",
        "answer": answer,
        "tables": [pooled_table(over), parts_table(parts)] if over else [parts_table(parts)],
        "figures": figures,
    }
    css, script = report._asset("report.css") + report._theme(), report._asset("report.js")
    page = report.environment(html=True).get_template("across.html.j2")
    html = page.render(
        context,
        style=Markup(css),  # our own file, no user's text in it
        script=Markup(script),
        script_hash=report._hash(script),
        pictures={f.name: Markup(f.svg) for f in figures},  # matplotlib escapes the text inside
    )
    files.write(settings.output / "report.html", html)
    markdown = report.environment(html=False).get_template("across.md.j2").render(context)
    files.write(settings.output / "report.md", markdown.strip() + "\n")
    return [name for f in figures for name in f.files] + ["report.html", "report.md"]


def pooled_table(over: Sequence["across.Over"]) -> Tabulation:
    """Every comparison over all experiments."""
    columns = [
        Column("Comparison", False), Column("Experiments"), Column("Change"),
        Column("95% interval"), Column("p, Holm"), Column("These alone"), Column("Next one"),
        Column("Between, SD"), Column("I²"), Column("p, alike"),
    ]  # fmt: skip
    rows = []
    for o in over:
        p = o.pooled
        rows.append(
            [
                words(f"{o.b} against {o.a}"),
                number(p.k, str(p.k)),
                number(p.mean, across.percent_text(p.mean)),
                number(p.low, across.interval(p.low, p.high)),
                number(o.p_holm, text.p_value(o.p_holm)),
                number(p.within_low, across.interval(p.within_low, p.within_high)),
                number(p.next_low, across.interval(p.next_low, p.next_high)),
                number(p.tau, f"{text.significant(100 * np.expm1(p.tau), 2)}%"),
                number(p.i2, f"{100 * p.i2:.0f}%"),
                number(p.q_p, text.p_value(p.q_p)),
            ]
        )
    notes = [
        "Change of the plain mean of the experiments’ log ratios. The 95% interval is over "
        "experiments and holds for others like these; “these alone” says nothing of others; “next "
        "one” is where a further experiment’s result is expected. Between: the standard deviation "
        "between experiments beyond what their blocks explain (Paule–Mandel); I²: its share; p, "
        "alike: Cochran’s Q."
    ]
    return Tabulation("Over all experiments", columns, rows, notes)


def parts_table(parts: Sequence["across.Part"]) -> Tabulation:
    """The experiments: where and when they ran, and what each says by itself."""
    columns = [
        Column("Experiment", False), Column("Day", False), Column("Machine", False),
        Column("Trials"), Column("Blocks"), Column("By itself", False), Column("Its answer", False),
    ]  # fmt: skip
    rows = []
    for part in parts:
        trials = part.summary.get("trials") or {}
        usable, blocks = trials.get("usable"), trials.get("complete_blocks")
        rows.append(
            [
                words(part.name),
                words(part.day),
                words(part.machine),
                number(usable, str(usable)),
                number(blocks, str(blocks)),
                words(part.summary.get("level") or "–"),
                words(part.summary.get("sentence") or "–"),
            ]
        )
    return Tabulation("The experiments", columns, rows)


def forest(over: Sequence["across.Over"], settings: Settings) -> style.Figure:
    """Each experiment's interval of each comparison, and the one over all below them."""
    count = sum(len(o.parts) + 2 for o in over)
    figure, (axes,) = style.canvas(0.6 + 0.21 * count)
    y, places, names, told = 0.0, [], [], []
    for o in over:
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
            f"{o.b} against {o.a}: {across.percent_text(p.mean)} ({across.interval(p.low, p.high)})"
        )
        y += 1.4
    axes.axvline(0, color=style.INK, linewidth=1)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Change of energy")
    axes.xaxis.set_major_formatter(
        ticker.FuncFormatter(
            lambda x, _: text.percent(across.percent(x), 0 if abs(x) > 0.03 else 1)
        )
    )
    caption = (
        "Change of the geometric mean: Student’s 95% interval of each experiment, and over all "
        "(black). An interval that includes zero leaves open whether there is a difference."
    )
    title = "Each experiment, and all together"
    return style.finish(figure, settings, "forest", title, caption, "; ".join(told) + ".")


def _line(
    axes: Any, y: float, mean: float, low: float, high: float, colour: str, mark: str
) -> None:
    axes.plot([low, high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    axes.plot([mean], [y], mark, color=colour, markersize=5)
