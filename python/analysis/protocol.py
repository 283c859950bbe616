"""What the experiment declared before its first trial; :mod:`analysis.departures` checks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.decision.sequential import Looks
from analysis.experiment.reading import number, word


@dataclass(frozen=True)
class History:
    """Releases of ``package``, oldest first, as ``(treatment, release)``."""

    package: str
    releases: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, raw: Any) -> "History | None":
        """As the protocol has it; None where it is none or of another kind."""
        known = raw.get("releases") if isinstance(raw, Mapping) else None
        if not isinstance(known, list):
            return None
        releases = tuple(
            (str(r["treatment"]), str(r.get("release") or r["treatment"]))
            for r in known
            if isinstance(r, Mapping) and r.get("treatment")
        )
        return cls(str(raw.get("package") or "the package"), releases) if releases else None


@dataclass(frozen=True)
class Cell:
    """A treatment at levels; ``of`` is the same without them."""

    treatment: str
    of: str
    levels: Mapping[str, str]


@dataclass(frozen=True)
class Factors:
    """What was varied: the factors with their levels as typed, and every cell."""

    levels: tuple[tuple[str, tuple[str, ...]], ...]
    cells: tuple[Cell, ...]

    @classmethod
    def parse(cls, raw: Any) -> "Factors | None":
        """As the protocol has it; None where it is none or of another kind."""
        if not isinstance(raw, Mapping):
            return None
        known, cells = raw.get("levels"), raw.get("cells")
        if not isinstance(known, list) or not isinstance(cells, list):
            return None
        levels = tuple(
            (str(f["factor"]), tuple(map(str, f["levels"])))
            for f in known
            if isinstance(f, Mapping) and f.get("factor") and isinstance(f.get("levels"), list)
        )
        found = tuple(
            Cell(str(c["treatment"]), str(c.get("of") or ""), _texts(c.get("levels")))
            for c in cells
            if isinstance(c, Mapping) and c.get("treatment")
        )
        return cls(levels, found) if levels and found else None


def _texts(raw: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in raw.items()} if isinstance(raw, Mapping) else {}


@dataclass(frozen=True)
class Protocol:
    """``experiment.json``'s ``protocol``; what it does not declare is None or empty."""

    declared: bool = False
    window: tuple[str, ...] = ()
    work: str | None = None
    comparisons: tuple[tuple[str, str], ...] = ()
    primary_test: str | None = None
    correction: str | None = None
    alpha: float | None = None
    margin_pct: float | None = None
    exclusions: tuple[str, ...] = ()
    coverage_limit: float | None = None
    interference: Mapping[str, Any] | None = None
    seeds: str | None = None
    looks: Looks | None = None
    most_blocks: int | None = None
    history: History | None = None
    factors: Factors | None = None

    @classmethod
    def parse(cls, raw: Any) -> "Protocol":
        """Whatever of it is there; parts of another kind than expected count as not declared."""
        if not isinstance(raw, Mapping):
            return cls()
        sequential = raw.get("sequential")
        most = sequential.get("most") if isinstance(sequential, Mapping) else None
        return cls(
            declared=True,
            window=tuple(str(phase) for phase in raw.get("window") or [] if phase),
            work=word(raw.get("work")),
            comparisons=_pairs(raw.get("comparisons")),
            primary_test=word(raw.get("primary_test")),
            correction=word(raw.get("correction")),
            alpha=number(raw.get("alpha")),
            margin_pct=number(raw.get("margin_pct")),
            exclusions=tuple(str(e) for e in raw.get("exclusions") or [] if e),
            coverage_limit=number(raw.get("coverage_limit")),
            interference=raw["interference"]
            if isinstance(raw.get("interference"), Mapping)
            else None,
            seeds=word(raw.get("seeds")),
            looks=Looks.parse(sequential),
            most_blocks=most if isinstance(most, int) else None,
            history=History.parse(raw.get("history")),
            factors=Factors.parse(raw.get("factors")),
        )

    @property
    def structured(self) -> bool:
        """Whether the comparisons have a sequence and a direction of their own."""
        return self.history is not None or self.factors is not None

    @property
    def sequence(self) -> tuple[str, ...]:
        """The treatments in a sequence of their own: by release, or as levels were typed."""
        if self.history is not None:
            return tuple(treatment for treatment, _ in self.history.releases)
        return tuple(cell.treatment for cell in self.factors.cells) if self.factors else ()

    @property
    def base(self) -> str | None:
        """The group that all declared comparisons are made with, where there is one such."""
        bases = {a for a, _ in self.comparisons}
        return next(iter(bases)) if len(bases) == 1 and len(self.comparisons) > 1 else None


def _pairs(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, list):
        return ()
    return tuple((str(p[0]), str(p[1])) for p in raw if isinstance(p, list | tuple) and len(p) == 2)
