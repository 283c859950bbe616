"""What each treatment is: its script's variant, its environment, versions and lock.

Several environments may be in one experiment, so that versions are a treatment's and not the
experiment's.
"""

from collections.abc import Mapping
from typing import Any

from analysis import text
from analysis.cells import Column, Tabulation, words

#: Packages of an experiment's only environment that are a framework's, beside one of its own name.
_PACKAGES = {"keras": ("keras", "tensorflow"), "jax": ("jax", "jaxlib"), "torch": ("torch",)}

#: Digits of a hash that tell locks apart.
_DIGITS = 12

#: More treatments than this are in the table alone.
_MOST_NAMED = 6


def of(experiment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every treatment as the record has it; of earlier records what their one environment says."""
    known = experiment.get("contestants")
    if isinstance(known, list) and known:
        return [c for c in known if isinstance(c, Mapping) and c.get("treatment")]
    settings = _part(experiment, "settings")
    packages = _part(_part(experiment, "environment"), "packages")
    made = []
    for one in settings.get("treatments") or []:
        if not isinstance(one, Mapping) or not one.get("name"):
            continue
        framework = str(one.get("framework") or one["name"])
        own = _PACKAGES.get(framework, (framework,))
        made.append({
            "treatment": one["name"], "framework": framework, "variant": one.get("variant"),
            "environment": one.get("environment"),
            "python": _part(experiment, "environment").get("version"),
            "packages": {name: packages[name] for name in own if packages.get(name)},
            "lock": _part(experiment, "conditions").get("lock"),
        })  # fmt: skip
    return made


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def table(experiment: Mapping[str, Any]) -> Tabulation | None:
    """One row per treatment."""
    rows = [
        [
            words(c["treatment"]), words(_variant(c)), words(_versions(c) or "not on record"),
            words(c.get("python") or "–"), words(_environment(c)), words(_lock(c)),
        ]
        for c in of(experiment)
    ]  # fmt: skip
    columns = [
        Column("Contestant", False), Column("Variant", False), Column("Versions", False),
        Column("Python", False), Column("Environment", False), Column("Lock (SHA-256)", False),
    ]  # fmt: skip
    notes = ["A lock names every package of an environment with its hash; the same lock, the same"
             " packages."]  # fmt: skip
    return Tabulation("The contestants", columns, rows, notes) if rows else None


def _variant(c: Mapping[str, Any]) -> str:
    if not c.get("variant"):
        return "the script as it is"
    sentence = str(c.get("sentence") or "").strip().rstrip(".")
    return f"{c['variant']}: {sentence}" if sentence else str(c["variant"])


def _versions(c: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in _part(c, "packages").items())


def _environment(c: Mapping[str, Any]) -> str:
    return str(c.get("environment") or "the experiment’s own")


def _lock(c: Mapping[str, Any]) -> str:
    digest = str(c.get("lock") or "")
    shown = f"{digest[:_DIGITS]}…" if len(digest) > _DIGITS else digest
    program = str(c.get("program_lock") or "")
    own = f"its program’s {program[:_DIGITS]}…" if program else ""
    parts = (shown, str(c.get("lock_file") or ""), own)
    return ", ".join(part for part in parts if part) or "–"


def method(experiment: Mapping[str, Any]) -> str:
    """The contestants in a sentence each, for a paper's method; of many that there is a table."""
    known = of(experiment)
    if not known:
        return ""
    if len(known) > _MOST_NAMED:
        locks = {str(c.get("lock")) for c in known if c.get("lock")}
        return (
            f"{len(known)} treatments under {text.count(len(locks), 'lock')}; each one’s variant, "
            "versions, environment and lock are in the table of contestants."
        )
    told = []
    for c in known:
        versions = _versions(c)
        name = f"{c['treatment']} ({versions})" if versions else str(c["treatment"])
        variant = f", variant {c['variant']}" if c.get("variant") else ""
        where = (
            f"environment {c['environment']}"
            if c.get("environment")
            else ("the experiment’s own environment")
        )
        python = f", Python {c['python']}" if c.get("python") else ""
        lock = _lock(c)
        told.append(f"{name}{variant} in {where}{python}{f', lock {lock}' if lock != '–' else ''}")
    return f"{'; '.join(told)}."


def versions(experiment: Mapping[str, Any]) -> list[str]:
    """Each treatment with its framework's version, where they are not all of the experiment's own
    environment; of many every package once, for the table has whose it is."""
    known = of(experiment)
    if not any(c.get("environment") for c in known):
        return []
    if len(known) <= _MOST_NAMED:
        return [f"{c['treatment']}: {_versions(c)}" for c in known if _versions(c)]
    found: dict[str, set[str]] = {}
    for c in known:
        for name, version in _part(c, "packages").items():
            found.setdefault(str(name), set()).add(str(version))
    told = {
        name: next(iter(v)) if len(v) == 1 else f"in {len(v)} versions" for name, v in found.items()
    }
    return [f"{name} {version}" for name, version in sorted(told.items())]
