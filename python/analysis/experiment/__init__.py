"""``experiment.json``, parsed once: all of it that the analysis reads.

What only the page shows stays as the host wrote it (:attr:`Experiment.told`). A part that is
missing, or of another kind than expected, counts as not on record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.experiment.contestant import Contestant, contestants
from analysis.experiment.plan import Asked, Data, Declared, Plan
from analysis.experiment.reading import part, parts, text, word
from analysis.experiment.settling import Look, Settling

__all__ = ["Contestant", "Experiment", "Look", "MachineSeen", "Work"]


@dataclass(frozen=True)
class MachineSeen:
    """A machine that ran blocks of the experiment, by its own word."""

    name: str
    meter: str
    processor: str
    #: What its doctor found before the first trial.
    findings: tuple[str, ...]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "MachineSeen":
        """As the host has it."""
        titles = [f.get("title") for f in parts(raw, "findings")]
        return cls(
            name=str(raw.get("name")),
            meter=text(raw.get("meter") or None),
            processor=_processor(raw),
            findings=tuple(str(title) for title in titles if title),
        )


def _processor(raw: Mapping[str, Any]) -> str:
    return text(part(part(raw, "machine"), "cpu").get("model") or None)


@dataclass(frozen=True)
class Work:
    """Whether the groups' work was the same, and the gate's reasons."""

    identical: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Experiment:
    """One experiment as it tells of itself; empty for files that are no experiment's."""

    #: The whole of it as it was written.
    told: Mapping[str, Any] = field(default_factory=dict)
    #: When it was planned, in UTC.
    created: str | None = None
    #: The command line, in words, or as it was typed.
    command: tuple[str, ...] | str = ()
    asked: Asked = field(default_factory=Asked)
    declared: Declared = field(default_factory=Declared)
    plan: Plan = field(default_factory=Plan)
    data: Data = field(default_factory=Data)
    contestants: tuple[Contestant, ...] = ()
    settling: Settling = field(default_factory=Settling)
    looks: tuple[Look, ...] = ()
    #: None where it is not on record.
    work: Work | None = None
    #: The processor's model, empty where it is not on record.
    processor: str = ""
    #: The environment's packages, their versions by name.
    packages: Mapping[str, str] = field(default_factory=dict)
    #: Whether the code had changes that were not committed.
    dirty: bool = False
    machines: tuple[MachineSeen, ...] = ()
    #: Why shards are missing, one each.
    missing_shards: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is any record of it."""
        return bool(self.told)

    def has(self, *names: str) -> bool:
        """Whether any of these parts is on record."""
        return any(self.told.get(name) for name in names)

    @classmethod
    def parse(cls, raw: Any) -> "Experiment":
        """What ``experiment.json`` says, as far as it is there."""
        if not isinstance(raw, Mapping):
            return cls()
        command, gate = raw.get("command") or (), part(raw, "work")
        packages = part(part(raw, "environment"), "packages")
        work = None
        if isinstance(gate.get("identical"), bool):
            work = Work(gate["identical"], tuple(map(str, gate.get("reasons") or ())))
        return cls(
            told=raw,
            created=word(raw.get("created")),
            command=command if isinstance(command, str) else tuple(map(str, command)),
            asked=Asked.parse(part(raw, "settings")),
            declared=Declared.parse(part(raw, "protocol")),
            plan=Plan.parse(part(raw, "plan")),
            data=Data.parse(part(raw, "dataset")),
            contestants=contestants(raw),
            settling=Settling.parse(part(raw, "settling")),
            looks=tuple(map(Look.parse, parts(raw, "looks"))),
            work=work,
            processor=_processor(raw),
            packages={str(k): str(v) for k, v in packages.items() if v},
            dirty=bool(part(raw, "git").get("dirty")),
            machines=tuple(map(MachineSeen.parse, parts(raw, "machines"))),
            missing_shards=tuple(
                str(s["missing"]) for s in parts(raw, "shards") if s.get("missing")
            ),
        )
