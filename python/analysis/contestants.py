"""What each treatment is: its script's variant, its environment, versions and lock.

Several environments may be in one experiment, so that versions are a treatment's and not the
experiment's.
"""

from analysis import text
from analysis.cells import Column, Tabulation, words
from analysis.experiment import Contestant, Experiment

#: Digits of a hash that tell locks apart.
_DIGITS = 12

#: More treatments than this are in the table alone.
_MOST_NAMED = 6


def table(experiment: Experiment) -> Tabulation | None:
    """One row per treatment."""
    rows = [
        [
            words(c.treatment), words(_variant(c)), words(_versions(c) or "not on record"),
            words(c.python or "–"), words(_environment(c)), words(_lock(c)),
        ]
        for c in experiment.contestants
    ]  # fmt: skip
    columns = [
        Column("Contestant", False), Column("Variant", False), Column("Versions", False),
        Column("Python", False), Column("Environment", False), Column("Lock (SHA-256)", False),
    ]  # fmt: skip
    notes = ["A lock names every package of an environment with its hash; the same lock, the same"
             " packages."]  # fmt: skip
    return Tabulation("The contestants", columns, rows, notes) if rows else None


def _variant(c: Contestant) -> str:
    if not c.variant:
        return "the script as it is"
    sentence = c.sentence.strip().rstrip(".")
    return f"{c.variant}: {sentence}" if sentence else c.variant


def _versions(c: Contestant) -> str:
    return ", ".join(f"{name} {version}" for name, version in c.packages.items())


def _environment(c: Contestant) -> str:
    return c.environment or "the experiment’s own"


def _lock(c: Contestant) -> str:
    shown = f"{c.lock[:_DIGITS]}…" if len(c.lock) > _DIGITS else c.lock
    own = f"its program’s {c.program_lock[:_DIGITS]}…" if c.program_lock else ""
    return ", ".join(part for part in (shown, c.lock_file, own) if part) or "–"


def method(experiment: Experiment) -> str:
    """The contestants in a sentence each, for a paper's method; of many that there is a table."""
    known = experiment.contestants
    if not known:
        return ""
    if len(known) > _MOST_NAMED:
        locks = {c.lock for c in known if c.lock}
        return (
            f"{len(known)} treatments under {text.count(len(locks), 'lock')}; each one’s variant, "
            "versions, environment and lock are in the table of contestants."
        )
    told = []
    for c in known:
        versions = _versions(c)
        name = f"{c.treatment} ({versions})" if versions else c.treatment
        variant = f", variant {c.variant}" if c.variant else ""
        where = (
            f"environment {c.environment}"
            if c.environment
            else ("the experiment’s own environment")
        )
        python = f", Python {c.python}" if c.python else ""
        lock = _lock(c)
        told.append(f"{name}{variant} in {where}{python}{f', lock {lock}' if lock != '–' else ''}")
    return f"{'; '.join(told)}."


def versions(experiment: Experiment) -> list[str]:
    """Each treatment with its framework's version, where they are not all of the experiment's own
    environment; of many every package once, for the table has whose it is."""
    known = experiment.contestants
    if not any(c.environment for c in known):
        return []
    if len(known) <= _MOST_NAMED:
        return [f"{c.treatment}: {_versions(c)}" for c in known if _versions(c)]
    found: dict[str, set[str]] = {}
    for c in known:
        for name, version in c.packages.items():
            found.setdefault(name, set()).add(version)
    told = {
        name: next(iter(v)) if len(v) == 1 else f"in {len(v)} versions" for name, v in found.items()
    }
    return [f"{name} {version}" for name, version in sorted(told.items())]
