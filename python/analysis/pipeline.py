"""The analysis from request to report, step by step."""

from collections.abc import Callable, Mapping
from typing import Any

from analysis import cautions, findings, plots, report, summary, table, verdict
from analysis.settings import Settings

Emit = Callable[[dict[str, Any]], None]


def run(request: Mapping[str, Any], arrays: Mapping[str, Any], emit: Emit) -> None:
    """Settings, table, statistics, verdict, files, plots, report; see :func:`analysis.run`."""

    def progress(step: str) -> None:
        emit({"event": "progress", "step": step})

    settings = Settings.parse(request)
    progress("statistics")
    trials = table.build(arrays, request.get("strings") or {}, settings)
    found = findings.analyse(trials, settings, progress)
    answer = verdict.decide(trials, found, settings)
    summary.write(trials, found, answer, settings)
    progress("plots")
    figures = plots.draw(trials, found, settings)
    progress("report")
    written = report.write(trials, found, answer, figures, settings)
    names = ["groups.csv", "pairs.csv", "summary.json"]
    names += [name for figure in figures for name in figure.files]
    emit(
        {
            "event": "result",
            "sentence": answer.sentence,
            "cautions": cautions.of_the_answer(trials, found),
            "files": names + written,
        }
    )
