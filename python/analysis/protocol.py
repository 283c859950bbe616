"""What the experiment declared before its first trial; :mod:`analysis.departures` checks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.decision.sequential import Looks


@dataclass(frozen=True)
class Protocol:
    """``experiment.json``'s ``protocol``; what it does not declare is None or empty."""

    declared: bool = False
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

    @classmethod
    def parse(cls, raw: Any) -> "Protocol":
        """Whatever of it is there; parts of another kind than expected count as not declared."""
        if not isinstance(raw, Mapping):
            return cls()
        sequential = raw.get("sequential")
        most = sequential.get("most") if isinstance(sequential, Mapping) else None
        return cls(
            declared=True,
            comparisons=_pairs(raw.get("comparisons")),
            primary_test=_word(raw.get("primary_test")),
            correction=_word(raw.get("correction")),
            alpha=_number(raw.get("alpha")),
            margin_pct=_number(raw.get("margin_pct")),
            exclusions=tuple(str(e) for e in raw.get("exclusions") or [] if e),
            coverage_limit=_number(raw.get("coverage_limit")),
            interference=raw["interference"]
            if isinstance(raw.get("interference"), Mapping)
            else None,
            seeds=_word(raw.get("seeds")),
            looks=Looks.parse(sequential),
            most_blocks=most if isinstance(most, int) else None,
        )

    @property
    def base(self) -> str | None:
        """The group that all declared comparisons are made with, where there is one such."""
        bases = {a for a, _ in self.comparisons}
        return next(iter(bases)) if len(bases) == 1 and len(self.comparisons) > 1 else None


def _pairs(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, list):
        return ()
    return tuple((str(p[0]), str(p[1])) for p in raw if isinstance(p, list | tuple) and len(p) == 2)


def _word(raw: Any) -> str | None:
    return raw if isinstance(raw, str) and raw else None


def _number(raw: Any) -> float | None:
    return float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else None
