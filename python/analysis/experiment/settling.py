"""What was measured around the trials, and when the experiment was looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.experiment.reading import number, part, parts, whole


@dataclass(frozen=True)
class Warmup:
    """A warm-up: how long it lasted, whether the machine had settled (None: not known), and why."""

    seconds: float
    settled: bool | None
    why: str
    #: As the host has it, which is how it is written.
    told: Mapping[str, Any]

    def written(self) -> dict[str, Any]:
        """For summary.json."""
        return dict(self.told)


@dataclass(frozen=True)
class Baseline:
    """A measurement of idle power, before or after the trials."""

    when: str
    estimated: bool
    #: Busy cores of other processes meanwhile; None where not known.
    other_cores: float | None
    flags: tuple[str, ...]
    #: As the host has it, which is how it is written.
    told: Mapping[str, Any]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Baseline":
        """As the host has it; of earlier experiments the processes stand in a part of their own."""
        cores = raw.get("other_cores")
        if cores is None:
            cores = part(raw, "interference").get("other_cores")
        flags = tuple(map(str, raw.get("flags") or ()))
        when, estimated = str(raw.get("when", "there")), bool(raw.get("estimated"))
        return cls(when, estimated, number(cores), flags, raw)

    def written(self) -> dict[str, Any]:
        """For summary.json."""
        return dict(self.told)


@dataclass(frozen=True)
class Cost:
    """The host's own test of what sampling costs: processor seconds in so many, and watts."""

    seconds: float | None = None
    cpu_seconds: float | None = None
    watts: float | None = None
    watts_se: float | None = None


@dataclass(frozen=True)
class Settling:
    """What was measured around the trials; an experiment that was resumed has several of each."""

    #: Those that lasted any time.
    warmups: tuple[Warmup, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    cost: Cost = field(default_factory=Cost)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Settling":
        """As the host has it."""
        warmups = []
        for one in parts(raw, "warmups"):
            settled, why = one.get("settled"), str(one.get("why") or "").strip().rstrip(".")
            known = settled if isinstance(settled, bool) else None
            if seconds := number(one.get("seconds")):
                warmups.append(Warmup(seconds, known, why, one))
        cost = part(raw, "overhead")
        names = ("seconds", "cpu_seconds", "watts", "watts_se")
        return cls(
            warmups=tuple(warmups),
            baselines=tuple(map(Baseline.parse, parts(raw, "baselines"))),
            cost=Cost(*(number(cost.get(name)) for name in names)),
        )


@dataclass(frozen=True)
class Seen:
    """A comparison as a look found it."""

    a: str
    b: str
    #: Whether it was resolved, or known as precisely as was asked for.
    decided: bool


@dataclass(frozen=True)
class Look:
    """A look at the experiment after whole blocks, and whether it said to stop."""

    blocks: int | None
    stop: bool
    #: None where it does not tell.
    comparisons: tuple[Seen, ...] | None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Look":
        """As the host has it."""
        seen = None
        if isinstance(raw.get("comparisons"), list):
            seen = tuple(
                Seen(str(c.get("a")), str(c.get("b")), bool(c.get("resolved") or c.get("precise")))
                for c in parts(raw, "comparisons")
            )
        return cls(whole(raw.get("blocks")), bool(raw.get("stop")), seen)
