"""Can somebody else do it again?"""

from collections.abc import Mapping
from typing import Any

from analysis import checks, departures, text
from analysis.findings import Findings
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def reproducible(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What reproduces it: hardware, versions, seeds, order, raw files, one command?"
    experiment = settings.experiment or {}
    known = [
        word
        for word, keys in (
            ("hardware", ("machine",)),
            ("versions", ("environment", "versions")),
            ("order", ("plan",)),
            ("revision", ("git",)),
            ("seeds", ("settings",)),
        )
        if any(experiment.get(k) for k in keys)
    ]
    lines = [
        f"Analysis seed {settings.seed}, alpha {settings.alpha:g}, joulerace {settings.version}."
    ]
    if seeds := _seeds(experiment):
        lines.insert(0, seeds)
    if (experiment.get("git") or {}).get("dirty"):
        lines.append("The code had changes that are not committed.")
    if settings.command:
        lines.append(f"Command: {settings.command}")
    declared = departures.items(table, found, settings)
    if told := departures.told(declared):
        be = "item is" if len(told) == 1 else "items are"
        lines.append(f"Of what was declared before the first trial, {len(told)} {be} not as done.")
    own = kept(checks.protocol(declared))
    if not experiment:
        short = "The raw files and this command; the machine and versions are not on record"
        return Answer(title, "warn", short, lines)
    missing = [w for w in ("hardware", "versions") if w not in known]
    short = f"On record: {text.join(known)}" if known else "An experiment record without details"
    return Answer(title, "warn" if missing or told else "good", short, lines, own)


def _seeds(experiment: Mapping[str, Any]) -> str:
    """The experiment's own seeds, and what drew its order."""
    plan, own = experiment.get("plan"), experiment.get("settings")
    plan, own = (part if isinstance(part, Mapping) else {} for part in (plan, own))
    job = own.get("job") if isinstance(own.get("job"), Mapping) else {}
    order, training = plan.get("order_seed", own.get("order_seed")), job.get("seed")
    parts = []
    if order is not None:
        drawn = f" ({plan['generator']})" if plan.get("generator") else ""
        parts.append(f"order seed {order}{drawn}")
    if own.get("seed_per_block"):
        parts.append("a training seed of its own for every block, the same for all its treatments")
    elif training is not None:
        parts.append(f"training seed {training}")
    return f"The experiment: {text.join(parts)}." if parts else ""
