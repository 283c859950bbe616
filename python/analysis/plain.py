"""The report for a first reader: what was compared, what it means, what it does not mean."""

from analysis import contestants, machine, machines, provenance, text
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table
from analysis.verdict import Verdict

#: More names than this are counted.
_MOST_NAMED = 6


def head(table: Table, settings: Settings) -> list[str]:
    """What was run, on what, measured by what, in which versions; what is unknown is left out."""
    experiment = settings.experiment
    asked, data = experiment.asked, experiment.data
    work = [settings.protocol.work] if settings.protocol.work else []
    if data.name:
        name = {"mnist": "MNIST", "digits": "digits (not MNIST)"}.get(data.name, data.name)
        work.append(f"data set {name}")
    if asked.epochs:
        work.append(text.count(asked.epochs, "epoch"))
    if images := asked.train_samples or data.train_images:
        work.append(f"{images:,} training images".replace(",", "\u202f"))
    if (times := asked.repetitions) > 1:
        work.append(f"{times} runs of its command in each trial; numbers are told for one run")
    place = [experiment.processor] if experiment.processor else []
    ran = machines.names(table)
    if len(ran) > 1:
        listed = text.join(ran) if len(ran) <= _MOST_NAMED else "see below"
        place = [f"{len(ran)} machines ({listed})"]
    measured, estimate = provenance.sources(provenance.meters(table))
    if measured:
        place.append(f"measured by {text.join(measured)}{', the rest an estimate' * estimate}")
    elif estimate:
        place.append("an estimate, not a measurement")
    packages = experiment.packages
    versions = [f"{name} {packages[name]}" for name in machine.CHIEF if name in packages]
    versions = contestants.versions(experiment) or versions
    if versions and settings.version:
        versions.append(f"joulerace {settings.version}")
    return [" · ".join(line) for line in (work, place, versions) if line]


def words(table: Table, found: Findings, answer: Verdict, settings: Settings) -> list[str]:
    """Three short paragraphs that need no statistics; empty where nothing is compared."""
    if len(table.groups) < 2:
        return []
    return [_compared(table, found), _means(answer, settings), _not(table, answer, settings)]


def _compared(table: Table, found: Findings) -> str:
    named = f" with {text.join(list(table.groups))}"
    if len(table.groups) > _MOST_NAMED:
        named = f", done in {len(table.groups)} ways"
    counts = sorted({len(table.values("energy_j", group)) for group in table.groups})
    times = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    paired = all(c.paired for c in found.decision.comparisons)
    how = (
        "in rounds (“blocks”) that run every one of them once, so that a warm afternoon or a busy "
        "machine meets all alike"
        if paired
        else "and the runs are compared as heaps, since they do not belong together in rounds"
    )
    return f"What was compared: the energy of one run{named}, {times} usable runs of each, {how}."


def _means(answer: Verdict, settings: Settings) -> str:
    level = answer.level
    if level == "too few":
        return "What it means: nothing yet. So few runs cannot tell a difference from chance."
    if level == "not comparable":
        return (
            "What it means: nothing about the groups. Their figures are not of the same thing, so "
            "a difference of them says nothing about what was compared."
        )
    resolved = [c for c in answer.pairs if c.resolved]
    if not resolved:
        return (
            "What it means: differences such as these can come about by chance even if none "
            "exists. That does not show that the groups are equal: more runs may still tell them "
            "apart."
        )
    most = max(resolved, key=lambda c: abs(c.log_ratio or 0.0))
    change, low, high = text.change(most.pct_change, most.ci_low, most.ci_high)
    some = f"{len(resolved)} of {len(answer.pairs)} "
    if len(resolved) == len(answer.pairs):
        some = "the " if len(resolved) == 1 else f"all {len(resolved)} "
    sure = "Read the points above first: they say why it may look surer than it is."
    if level == "firm":
        sure = "Nothing that was checked undoes it."
    return (
        f"What it means: {some}{text.plural(len(answer.pairs), 'difference')} "
        f"{'is' if len(resolved) == 1 else 'are'} larger than chance would make "
        f"{'it' if len(resolved) == 1 else 'them'}. The largest: {most.group} against "
        f"{most.base}, {change}; were the whole experiment done again and again, an interval "
        f"such as {low} to {high} would hold the true value 95 times in 100. {sure}"
    )


def _not(table: Table, answer: Verdict, settings: Settings) -> str:
    one = len(machines.names(table)) < 2
    what = f"this job, on {'this machine' if one else 'these machines'}, with these versions and "
    what += "settings"
    if (estimated := provenance.estimated(table)) != "none":
        which = "the processor's part of the energy" if estimated == "part" else "the energy"
        what += f"; {which} is worked out from processor time, not measured"
    compared = text.domains(settings.domains.compared)
    part = (
        f" Only the energy of {compared} was counted,"
        if compared
        else " Only what the meter sees was counted,"
    )
    return (
        f"What it does not mean: that the same holds elsewhere. The answer is about {what}.{part} "
        "not the power drawn at the wall."
    )
