"""What the experiment declared before its first trial, and where this analysis departs from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.decision.sequential import Looks


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
            work=_word(raw.get("work")),
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

    def departures(
        self,
        alpha: float,
        margin_pct: float | None,
        groups: Sequence[str],
        coverage: Mapping[str, float],
    ) -> list[str]:
        """Where this analysis departs from what was declared, a sentence each.

        ``coverage`` is the measured share of each trial that is part of the numbers.
        """
        if not self.declared:
            return []
        found = []
        if self.alpha is not None and abs(self.alpha - alpha) > 1e-12:
            found.append(f"α {self.alpha:g} was declared, {alpha:g} is used")
        if margin_pct is not None and self.margin_pct != margin_pct:
            was = "no margin" if self.margin_pct is None else f"a margin of ±{self.margin_pct:g}%"
            found.append(f"{was} was declared, ±{margin_pct:g}% is used")
        if self.primary_test not in (None, "paired-t-log"):
            found.append(f"the declared test is {self.primary_test}; the paired t on logs is used")
        if self.correction not in (None, "holm"):
            found.append(f"the declared correction is {self.correction}; Holm's is used")
        missing = [f"{b} against {a}" for a, b in self.comparisons if not {a, b} <= set(groups)]
        if missing:
            found.append(f"declared and not possible: {', '.join(missing)}")
        if self.comparisons:
            unknown = set(groups) - {name for pair in self.comparisons for name in pair}
            if unknown:
                found.append(f"no declared comparison has {', '.join(sorted(unknown))}")
        if self.coverage_limit is not None:
            low = [t for t, share in coverage.items() if share < self.coverage_limit]
            if low:
                found.append(
                    f"{len(low)} trials below the declared coverage of {self.coverage_limit:.0%} "
                    "are part of the numbers"
                )
        return found


def _pairs(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, list):
        return ()
    return tuple((str(p[0]), str(p[1])) for p in raw if isinstance(p, list | tuple) and len(p) == 2)


def _word(raw: Any) -> str | None:
    return raw if isinstance(raw, str) and raw else None


def _number(raw: Any) -> float | None:
    return float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else None
