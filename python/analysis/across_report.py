"""The page of several experiments: the answer, a forest plot, and what it rests on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis import across, files, over, page
from analysis.cells import Column, Tabulation, number, words
from analysis.plots import forest, style
from analysis.settings import Settings


def write(
    parts: Sequence["across.Part"],
    found: Sequence[over.Over],
    answer: "across.Answer",
    request: Mapping[str, Any],
) -> list[str]:
    """Write plot and pages into the request's output; their names."""
    title = f"{len(parts)} experiments of one plan"
    settings = Settings(Path(request["output"]), title, version=request.get("version") or "")
    style.configure()
    files.make_folder(settings.output / "plots")
    figures = [forest.draw(found, settings, "experiment")] if found else []
    context = {
        "title": title,
        "version": settings.version,
        "command": request.get("command") or "",
        "answer": answer,
        "tables": [over.table(found, "experiment"), parts_table(parts)]
        if found
        else [parts_table(parts)],
        "figures": figures,
    }
    written = page.write("across", context, figures, settings.output)
    return [name for f in figures for name in f.files] + written


def parts_table(parts: Sequence["across.Part"]) -> Tabulation:
    """The experiments: where and when they ran, and what each says by itself."""
    columns = [
        Column("Experiment", False), Column("Day", False), Column("Machine", False),
        Column("Trials"), Column("Blocks"), Column("By itself", False), Column("Its answer", False),
    ]  # fmt: skip
    rows = []
    for part in parts:
        usable, blocks = part.usable, part.blocks
        rows.append(
            [
                words(part.name),
                words(part.day),
                words(part.machine),
                number(usable, str(usable)),
                number(blocks, str(blocks)),
                words(part.level or "–"),
                words(part.sentence),
            ]
        )
    return Tabulation("The experiments", columns, rows)
