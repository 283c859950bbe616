"""report.html, one file that needs nothing else, and report.md with the same tables."""

import re
import shlex
from dataclasses import dataclass
from typing import Any

from analysis import (
    carbon,
    cells,
    checks,
    contestants,
    factors_report,
    history,
    limits,
    machine,
    machines_report,
    metrics,
    page,
    plain,
    provenance,
    questions,
    ranking,
    tables,
    text,
    verdict,
)
from analysis.decision.power import POWER
from analysis.experiment import Experiment
from analysis.findings import Findings
from analysis.plots import style
from analysis.plots.style import Figure
from analysis.settings import RESAMPLES, Settings
from analysis.table import Table
from analysis.told import Copy


@dataclass(frozen=True)
class Section:
    """A part of the page that only some experiments have: its sentence, pictures and tables."""

    name: str
    title: str
    said: str
    figures: tuple[str, ...]
    tables: list[cells.Tabulation]


def write(
    table: Table,
    found: Findings,
    answer: verdict.Verdict,
    figures: list[Figure],
    settings: Settings,
) -> list[str]:
    """Write both reports and return their names."""
    context = _context(table, found, answer, figures, settings)
    return page.write("report", context, figures, settings.output, squeeze=True)


def _context(
    table: Table,
    found: Findings,
    answer: verdict.Verdict,
    figures: list[Figure],
    settings: Settings,
) -> dict[str, Any]:
    shown = [m for m in table.metrics if not m.name.startswith("phase_")]
    headline = [m for m in metrics.HEADLINE if m in table.metrics]
    structured = settings.protocol.structured
    structure = _structure(table, found, settings)
    return {
        "settings": settings,
        "verdict": answer,
        "table": table,
        "found": found,
        "figures": figures,
        "figure": {f.name: f for f in figures},
        "head": plain.head(table, settings),
        "plain": plain.words(table, found, answer, settings),
        "answers": questions.answer_all(table, found, settings),
        "group_tables": tables.groups(found.groups, shown),
        "pair_tables": _pair_tables(table, found, shown),
        # Of a history or of levels not every pair is compared: no place could be told.
        "ranking": None if structured else ranking.table(answer.ranking, answer.pairs),
        "matrix": None if structured else ranking.matrix(answer.pairs, answer.ranking),
        "structure": structure,
        "structured_figures": {name for part in structure for name in part.figures},
        "resolved": tables.resolved(answer.pairs, found),
        "omnibus": tables.omnibus(found),
        "published": _published(found, headline),
        "exclusions": checks.exclusions(provenance.exclusions(table, settings)),
        "ignored": [str(note) for note in (*settings.ignored, *settings.notes)],
        "copies": [_copy(entry) for entry in settings.copies],
        "pairing_why": _pairing(settings),
        "domains_why": _domains(settings),
        "experiment_command": _command(settings.experiment),
        "contestants": contestants.table(settings.experiment),
        "contestants_why": contestants.method(settings.experiment),
        "on_record": machine.entries(settings.experiment.told),
        "carbon": carbon,
        "carbon_table": _carbon_table(),
        "resamples": RESAMPLES,
        "power": POWER,
        "blocks_needed": limits.blocks_needed(settings.alpha),
        "outlier_rule": found.outliers.rule,
        "trials": len(table.frame),
        "complete_blocks": len(table.complete_blocks()),
        "bibtex": _bibtex(settings, _year(table)),
    }


def _structure(table: Table, found: Findings, settings: Settings) -> list[Section]:
    """A section for each of: history, factors, machines; of those that there are."""
    sections = []
    if found.history is not None and settings.protocol.history is not None:
        said = history.sentence(found.history)
        told = history.tables(found.history, table)
        sections.append(Section("history", "Release by release", said, ("history",), told))
    if found.factors is not None:
        names = tuple(f"factor_{style.slug(f.factor)}" for f in found.factors.factors)
        said = "; ".join(factors_report.interactions(found.factors))
        sections.append(
            Section("factors", "At each level", said, names, factors_report.tables(found.factors))
        )
    if found.machines is not None:
        said = machines_report.sentence(found.machines).rstrip(".")
        told = machines_report.tables(found.machines)
        sections.append(Section("machines", "The machines", said, ("forest",), told))
    return sections


def _pair_tables(
    table: Table, found: Findings, shown: list[metrics.Metric]
) -> list[cells.Tabulation]:
    """The tests of the pairs that a page shows; of many groups those of energy."""
    if table.many:
        shown = [metrics.ENERGY] if metrics.ENERGY in shown else []
    rows = [r for r in found.pairs if (r.a, r.b) in found.shown or r.control]
    notes = tables.further(found)
    made = (tables.comparisons(rows, m, notes) for m in metrics.compared(shown))
    return [t for t in made if t]


def _published(found: Findings, headline: list[metrics.Metric]) -> dict[str, Any] | None:
    """The tables of the published recipe, and what it dropped."""
    if not found.published:
        return None
    dropped = [
        [
            cells.words(r.group),
            cells.words(next(m.label for m in metrics.HEADLINE if m.name == r.metric)),
            cells.number(r.negative_energy, str(r.negative_energy)),
            cells.number(r.beyond_3_sd, str(r.beyond_3_sd)),
        ]
        for r in found.published.dropped
    ]
    columns = [
        cells.Column("Group", False), cells.Column("Metric", False),
        cells.Column("Negative energy"), cells.Column("Beyond 3 SD"),
    ]  # fmt: skip
    return {
        "dropped": cells.Tabulation("Values that the recipe dropped", columns, dropped),
        "groups": tables.groups(found.published.groups, headline),
        "pairs": [t for m in headline if (t := tables.comparisons(found.published.pairs, m))],
    }


def _carbon_table() -> cells.Tabulation:
    columns = [cells.Column("Place", False), cells.Column("g CO₂e/kWh")]
    rows = [
        [cells.words(i.place), cells.number(i.grams_per_kwh, f"{i.grams_per_kwh:g}")]
        for i in carbon.TABLE
    ]
    return cells.Tabulation(f"Carbon intensity, {carbon.YEAR} means", columns, rows)


def _command(experiment: Experiment) -> str:
    """The command line that runs the same experiment, quoted for a shell; empty where unknown.

    With the seed of the order, which is drawn anew where it is not named.
    """
    words = experiment.command
    if isinstance(words, str):
        return words
    if not words:
        return ""
    words = ("joulerace", *words[1:])
    seed = experiment.plan.order_seed
    if seed is not None and not any(word.split("=")[0] == "--order-seed" for word in words):
        words += ("--order-seed", str(seed))
    return shlex.join(words)


_PAIRED = {
    "experiment": "by the experiment’s own blocks",
    "number": "by the numbers in the files’ names",
    "time": "by neighbourhood in time",
    "none": "not at all",
}


def _pairing(settings: Settings) -> str:
    """How trials were paired, and why; empty where the host did not say."""
    how, why = settings.pairing.how, settings.pairing.why
    if how is None:
        return ""
    return f"Trials were paired {_PAIRED.get(how, how)}{f': {why}' if why else ''}."


def _domains(settings: Settings) -> str:
    """Which domains make the totals that are compared, and why; empty where not said."""
    domains = settings.domains
    if not domains.known:
        return ""
    compared = text.domains(domains.compared) or "none"
    beside, why = text.domains(domains.beside), domains.why
    return (
        f"Compared: {compared}{f'; beside them: {beside}' if beside else ''}"
        f"{f'; {why}' if why else ''}."
    )


def _copy(one: Copy) -> str:
    return f"{one.file} is a copy of {one.same_as} and counts once"


def _year(table: Table) -> str:
    """The year of the measurements, for the citation; empty where it is not known."""
    start = table.frame["start_unix_s"].dropna()
    if not len(start):
        return ""
    import datetime

    return str(datetime.datetime.fromtimestamp(start.min(), datetime.UTC).year)


_BIBTEX = """@misc{{joulerace-data,
  author = {{YOUR NAMES}},
  title  = {{{title}}},{year}
  note   = {{{how} with joulerace {version}}},
  url    = {{ADDRESS OF THIS FOLDER}}
}}
@software{{joulerace,
  author  = {{{{The joulerace authors}}}},
  title   = {{joulerace: what the same training job costs in Keras, in PyTorch and in JAX,
             in joules}},
  version = {{{version}}}
}}"""


def _bibtex(settings: Settings, year: str) -> str:
    """Entries for the data and for the tool; a title's special characters are TeX's."""
    title = re.sub(r"([&%$#_{}])", r"\\\1", settings.title.replace("\\", " "))
    title = title.replace("<", "\\textless{}").replace(">", "\\textgreater{}")
    dated = f"\n  year   = {{{year}}}," if year else ""
    how = "Measured" if settings.source == "experiment" else "Analysed"
    version = settings.version or "(unknown)"
    return _BIBTEX.format(title=title, year=dated, version=version, how=how)
