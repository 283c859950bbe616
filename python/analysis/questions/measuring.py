"""Was the work the same, and what exactly was measured?"""

from analysis import around, checks, metrics, provenance, text
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def same_work(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Was the work identical, with equal accuracy?"
    state, reasons = provenance.work_gate(settings)
    accuracy = checks.accuracy(table)
    lines = list(reasons)
    if invalid := provenance.invalid_trials(table):
        lines.append(
            f"{text.count(invalid, 'trial')} invalid and left out; the reasons are under “What was "
            "left out”."
        )
    if accuracy is None:
        lines.append("The trials carry no accuracy.")
    short, mark = {
        "passed": ("Yes: the work gate passed", "good"),
        "failed": ("No: the work gate failed", "warn"),
        "unknown": ("Not on record", "unknown"),
    }[state]
    return Answer(title, mark, short, lines, kept(accuracy))


def domains(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Which domains were measured, by which meter, and what is missing?"
    domains = [m for m in table.metrics if metrics.is_domain(m.name)]
    measured, estimate = provenance.sources(provenance.meters(table))
    meters = text.join(measured) or ("none; an estimate from CPU load" if estimate else "unknown")
    names = [m.label for m in domains]
    state = provenance.estimated(table)
    absent = [
        word
        for word, keys in (
            ("DRAM", ("energy_dram_j", "energy_system_j")),
            ("GPU", ("energy_gpu_j", "energy_gpu0_j", "energy_system_j")),
        )
        if not any(m.name in keys for m in domains)
    ]
    lines = [f"Domains: {text.join(names) or 'not named'}."]
    compared = text.domains(settings.domains.compared)
    beside = text.domains(settings.domains.beside)
    if compared:
        others = f"; beside them stand {beside}" if beside else ""
        lines.append(f"The totals that are compared are of {compared}{others}.")
    if why := settings.domains.why:
        lines.append(f"{why[0].upper()}{why[1:]}.")
    for entry in settings.absent:
        lines.append(f"No counter: {entry.column} never moved.")
    if absent:
        lines.append(f"No reading of {text.join(absent, 'or')}.")
    lines.append(
        "Mains power is not measured: power supply losses, fans, disks and the display are missing "
        "from every figure. Core energy is part of package energy and is never added to it."
    )
    if unusable := around.flagged(table, "core-unusable"):
        lines.append(
            f"Core counters made no sense in {text.count(unusable, 'trial')}: left out there."
        )
    if cost := _overhead(found.around.meter_overhead):
        lines.append(cost)
    if state != "none":
        what = "processor's part of the energy" if state == "part" else "energy"
        lines.insert(0, f"The {what} is estimated from CPU load: a model's guess, no measurement.")
    partly = " (partly an estimate)" if state in ("some", "part") else ""
    short = f"Meter: {meters}{partly}"
    return Answer(title, "good" if state == "none" else "warn", short, lines)


def _overhead(cost: around.Overhead | None) -> str:
    """What the meter itself cost, in words."""
    if not cost:
        return ""
    parts = []
    if (rate := cost.per_second) is not None:
        share = cost.trial_share
        of = "" if share is None else f", {_small_percent(100 * share)} of the trials' own"
        parts.append(f"{text.significant(1000 * rate, 2)} ms of processor time per second{of}")
    if (watts := cost.watts) is not None:
        parts.append(_power_of_sampling(watts, cost.watts_se))
    return f"The meter itself took {text.join(parts)}."


def _power_of_sampling(watts: float, error: float | None) -> str:
    """What sampling added to idle power, or that it cannot be told from the noise of that."""
    if error is None:
        return f"{text.significant(watts, 2)} W of idle power"
    shown = f"{text.significant(watts, 2)} ± {text.significant(error, 2)} W (± standard error)"
    if abs(watts) < 2 * error:
        return f"no power that can be told from idle ({shown})"
    return f"{shown} of idle power"


def _small_percent(value: float) -> str:
    return "less than 0.01%" if 0 < value < 0.01 else f"{text.significant(value, 2)}%"


def window(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What lies inside the window?"
    phases = [m for m in table.metrics if m.name.startswith("phase_") and m.name.endswith("_j")]
    if table.of_rows:
        return Answer(
            title,
            "unknown",
            "What the table’s energies are of",
            ["A row says what a run cost, not when reading began and ended."],
        )
    if settings.source != "experiment" or not phases:
        return Answer(
            title,
            "unknown" if settings.source != "experiment" else "warn",
            "The whole file, first to last sample",
            ["The files carry no phase marks: starting up, importing and loading data are inside."],
        )
    own = kept(*(checks.phases(table, found, suffix) for suffix in "js"))
    return Answer(
        title,
        "good",
        f"{text.join(settings.protocol.window or metrics.WINDOW)}; other phases are outside",
        ["The energy of every phase is given separately; edges between samples are interpolated."],
        own,
    )
