"""The request of the host, turned once into typed settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis import carbon
from analysis.experiment import Experiment
from analysis.protocol import Protocol
from analysis.told import Absent, Copy, Domains, Idle, Note, Pairing, Unread

#: Resamples of the bootstrap that stands beside Student's interval.
RESAMPLES = 9999

#: Largest A/A difference, in per cent, that counts as "the same" where no margin was stated.
EQUIVALENCE_MARGIN_PCT = 1.0


#: What the host appends to a treatment's name for its A/A twin.
_TWIN = "-control"


class RequestError(ValueError):
    """The host asked for something that cannot be analysed; the message names the part."""


@dataclass(frozen=True)
class Practical:
    """What one run more or less is worth: how often it runs, and what a kilowatt-hour costs."""

    runs_per_year: float = 1000.0
    price_per_kwh: float = 0.30
    currency: str = "EUR"
    carbon_intensity: float = carbon.DEFAULT.grams_per_kwh
    carbon_source: str = carbon.DEFAULT.describe()


@dataclass(frozen=True)
class Control:
    """An A/A control: ``twin`` is ``treatment`` run a second time in every block."""

    treatment: str
    twin: str


@dataclass(frozen=True)
class Settings:
    """Everything the analysis was told; repeated verbatim in ``summary.json``."""

    output: Path
    title: str = "Energy experiment"
    source: str = "csv"
    method: str = "joulerace"
    alpha: float = 0.05
    seed: int = 42
    base: str | None = None
    practical: Practical = field(default_factory=Practical)
    experiment: Experiment = field(default_factory=Experiment)
    excluded: tuple[Unread, ...] = ()
    ignored: tuple[Note, ...] = ()
    control: Control | None = None
    baseline: Idle = field(default_factory=Idle)
    pairing: Pairing = field(default_factory=Pairing)
    domains: Domains = field(default_factory=Domains)
    absent: tuple[Absent, ...] = ()
    copies: tuple[Copy, ...] = ()
    notes: tuple[Note, ...] = ()
    margin_pct: float | None = None
    protocol: Protocol = field(default_factory=Protocol)
    command: str = ""
    version: str = ""
    #: Where the files lie in the end; they may be written elsewhere first.
    place: str | None = None

    @property
    def published(self) -> bool:
        """Whether the tables repeat the published recipe."""
        return self.method == "published"

    @property
    def margin(self) -> float | None:
        """The largest difference, in per cent, that counts as none: as asked for, or declared."""
        return self.margin_pct if self.margin_pct is not None else self.protocol.margin_pct

    @property
    def comparable(self) -> bool:
        """Whether the groups' totals are of one kind."""
        return len(set(self.domains.kinds.values())) < 2

    @property
    def confidence(self) -> float:
        """Level of every interval, such as 0.95."""
        return 1.0 - self.alpha

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> "Settings":
        """Check the request's settings.

        Raises:
            RequestError: a part is missing or out of range.
        """
        output = Path(_required(request, "output"))
        if not output.is_dir():
            raise RequestError(f"output: {output} is no folder; create it first")
        method = request.get("method") or "joulerace"
        if method not in ("joulerace", "published"):
            raise RequestError(f"method: {method!r} is neither 'joulerace' nor 'published'")
        alpha = float(request.get("alpha") or 0.05)
        if not 0.0 < alpha < 0.5:
            raise RequestError(f"alpha: {alpha} is not between 0 and 0.5")
        practical = {k: v for k, v in (request.get("practical") or {}).items() if v is not None}
        seed = request.get("seed")
        margin = request.get("margin_pct")
        if margin is not None and not 0.0 < float(margin) < 100.0:
            raise RequestError(f"--margin: {margin} is not between 0 and 100 per cent")
        experiment = Experiment.parse(request.get("experiment"))
        return cls(
            output=output,
            title=request.get("title") or cls.title,
            source=request.get("source") or cls.source,
            method=method,
            alpha=alpha,
            seed=cls.seed if seed is None else int(seed),
            base=request.get("base"),
            practical=Practical(**practical),
            experiment=experiment,
            excluded=tuple(map(Unread.parse, request.get("excluded") or ())),
            ignored=tuple(map(Note.parse, request.get("ignored") or ())),
            control=_control(request, experiment),
            baseline=Idle.parse(request.get("baseline")),
            pairing=Pairing.parse(request.get("pairing")),
            domains=Domains.parse(request.get("domains")),
            absent=tuple(map(Absent.parse, request.get("absent") or ())),
            copies=tuple(map(Copy.parse, request.get("copies") or ())),
            notes=tuple(map(Note.parse, request.get("notes") or ())),
            margin_pct=None if margin is None else float(margin),
            protocol=Protocol.parse(experiment.told.get("protocol")),
            command=request.get("command") or "",
            version=request.get("version") or "",
            place=request.get("place"),
        )


def _control(request: Mapping[str, Any], experiment: Experiment) -> Control | None:
    """The A/A control: as the request says, else as the experiment's settings name it.

    In an experiment the twin is a treatment named ``<treatment>-control``.
    """
    if given := request.get("control"):
        return Control(given["treatment"], given["twin"])
    name = experiment.asked.twin
    if name is None or not name.endswith(_TWIN):
        return None
    return Control(name.removesuffix(_TWIN), name)


def _required(request: Mapping[str, Any], key: str) -> Any:
    if not request.get(key):
        raise RequestError(f"{key}: missing from the request")
    return request[key]
