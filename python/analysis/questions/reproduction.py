"""Can somebody else do it again?"""

from analysis import checks, departures, text
from analysis.experiment import Experiment
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def reproducible(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What reproduces it: hardware, versions, seeds, order, raw files, one command?"
    experiment = settings.experiment
    known = [
        word
        for word, keys in (
            ("hardware", ("machine",)),
            ("versions", ("environment", "versions")),
            ("order", ("plan",)),
            ("revision", ("git",)),
            ("seeds", ("settings",)),
        )
        if experiment.has(*keys)
    ]
    lines = [
        f"Analysis seed {settings.seed}, alpha {settings.alpha:g}, joulerace {settings.version}."
    ]
    if seeds := _seeds(experiment):
        lines.insert(0, seeds)
    if experiment.dirty:
        lines.append("The code had changes that are not committed.")
    if settings.command:
        lines.append(f"Command: {settings.command}")
    declared = departures.items(table, found, settings)
    if told := departures.told(declared):
        be = "item is" if len(told) == 1 else "items are"
        lines.append(f"Of what was declared before the first trial, {len(told)} {be} not as done.")
    own = kept(checks.protocol(declared))
    if not experiment.known:
        short = "The raw files and this command; the machine and versions are not on record"
        return Answer(title, "warn", short, lines)
    missing = [w for w in ("hardware", "versions") if w not in known]
    short = f"On record: {text.join(known)}" if known else "An experiment record without details"
    return Answer(title, "warn" if missing or told else "good", short, lines, own)


def _seeds(experiment: Experiment) -> str:
    """The experiment's own seeds, and what drew its order."""
    plan, asked = experiment.plan, experiment.asked
    order = plan.order_seed if plan.order_seed is not None else asked.order_seed
    said = []
    if order is not None:
        drawn = f" ({plan.generator})" if plan.generator else ""
        said.append(f"order seed {order}{drawn}")
    if asked.seed_per_block:
        said.append("a training seed of its own for every block, the same for all its treatments")
    elif asked.seed is not None:
        said.append(f"training seed {asked.seed}")
    return f"The experiment: {text.join(said)}." if said else ""
