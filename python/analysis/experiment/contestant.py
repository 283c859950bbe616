"""What each treatment is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.experiment.reading import part, parts, text

#: Packages of an experiment's only environment that are a framework's, beside one of its own name.
_PACKAGES = {"keras": ("keras", "tensorflow"), "jax": ("jax", "jaxlib"), "torch": ("torch",)}


@dataclass(frozen=True)
class Contestant:
    """What a treatment is: its script's variant, its packages, its environment and lock."""

    treatment: str
    #: Empty for the script as it is.
    variant: str = ""
    #: What the variant does, by its script.
    sentence: str = ""
    #: Versions by name.
    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    #: Empty for the experiment's own.
    environment: str = ""
    #: SHA-256 of the lock, the file, and SHA-256 of its program's.
    lock: str = ""
    lock_file: str = ""
    program_lock: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Contestant":
        """As the host has it."""
        names = ("treatment", "variant", "sentence", "python", "environment", "lock", "lock_file",
                 "program_lock")  # fmt: skip
        packages = {str(k): str(v) for k, v in part(raw, "packages").items()}
        return cls(packages=packages, **{name: text(raw.get(name) or None) for name in names})


def contestants(raw: Mapping[str, Any]) -> tuple[Contestant, ...]:
    """Every treatment; of earlier experiments what their one environment says of it."""
    known = raw.get("contestants")
    if isinstance(known, list) and known:
        named = [c for c in parts(raw, "contestants") if c.get("treatment")]
        return tuple(map(Contestant.parse, named))
    environment = part(raw, "environment")
    packages = part(environment, "packages")
    made = []
    for one in parts(part(raw, "settings"), "treatments"):
        if not one.get("name"):
            continue
        framework = str(one.get("framework") or one["name"])
        own = _PACKAGES.get(framework, (framework,))
        told = {
            "treatment": one["name"],
            "variant": one.get("variant"),
            "environment": one.get("environment"),
            "packages": {name: packages[name] for name in own if packages.get(name)},
            "python": environment.get("version"),
            "lock": part(raw, "conditions").get("lock"),
        }
        made.append(Contestant.parse(told))
    return tuple(made)
