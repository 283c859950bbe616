"""What the host decided before the analysis, and what it passed over, parsed once.

``summary.json`` repeats each of them as the host told it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.experiment.reading import number, part, text, whole, word


@dataclass(frozen=True)
class Told:
    """Something that the host told, which is written as it was told."""

    told: Any = None

    def written(self) -> Any:
        """For summary.json."""
        return self.told


def _reason(raw: Any) -> str:
    """A reason as the end of a sentence."""
    return text(raw).strip().rstrip(".")


def _names(raw: Any) -> tuple[str, ...]:
    return tuple(map(str, raw)) if isinstance(raw, list | tuple) else ()


@dataclass(frozen=True)
class Pairing(Told):
    """How trials were paired: by ``experiment``, ``number``, ``time`` or ``none``; and why."""

    how: str | None = None
    why: str = ""

    @classmethod
    def parse(cls, raw: Any) -> "Pairing":
        """As the host tells it."""
        raw = raw if isinstance(raw, Mapping) else {}
        return cls(raw, word(raw.get("how")), _reason(raw.get("why")))


@dataclass(frozen=True)
class Domains(Told):
    """Which domains make the totals that are compared, what was measured beside them, and why."""

    compared: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    why: str = ""
    #: What kind of total each group has; empty where that was not asked.
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the host tells anything of them."""
        return bool(self.told)

    @classmethod
    def parse(cls, raw: Any) -> "Domains":
        """As the host tells it."""
        raw = raw if isinstance(raw, Mapping) else {}
        kinds = {str(k): str(v) for k, v in part(raw, "kinds").items()}
        names = (_names(raw.get("compared")), _names(raw.get("beside")))
        return cls(raw, *names, _reason(raw.get("why")), kinds)


@dataclass(frozen=True)
class Idle(Told):
    """Idle power at an experiment's two ends and its drift, in watts; None where not measured."""

    before_w: float | None = None
    after_w: float | None = None
    drift_w: float | None = None

    @classmethod
    def parse(cls, raw: Any) -> "Idle":
        """As the host tells it."""
        known = raw if isinstance(raw, Mapping) else {}
        return cls(raw, *(number(known.get(k)) for k in ("before_w", "after_w", "drift_w")))


@dataclass(frozen=True)
class Absent(Told):
    """A counter that never moved: its column, in which groups, and in how many trials."""

    column: str = ""
    groups: tuple[str, ...] = ()
    trials: int | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Absent":
        """As the host tells it."""
        return cls(raw, str(raw.get("column")), _names(raw.get("groups")), whole(raw.get("trials")))


@dataclass(frozen=True)
class Copy(Told):
    """A file that holds the same trial as another, and so does not count."""

    file: str = ""
    same_as: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Copy":
        """As the host tells it."""
        return cls(raw, str(raw.get("file")), str(raw.get("same_as")))


@dataclass(frozen=True)
class Unread(Told):
    """A file that could not be read: why, and where in it."""

    file: str = ""
    reason: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Unread":
        """As the host tells it."""
        row = raw.get("row")
        where = f" (row {row})" if row not in (None, "") else ""
        reason = f"{raw.get('reason', 'no reason recorded')}{where}"
        return cls(raw, str(raw.get("file", "")), reason)


@dataclass(frozen=True)
class Note(Told):
    """What was passed over, or is to be known: of one kind, in how many cases, and some of them."""

    kind: str = ""
    count: int = 0
    examples: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Any) -> "Note":
        """As the host tells it."""
        if not isinstance(raw, Mapping):
            return cls(raw, text(raw))
        examples = _names(raw.get("examples"))
        return cls(raw, str(raw.get("kind")), whole(raw.get("count")) or len(examples), examples)

    def __str__(self) -> str:
        """A line of it."""
        if not self.count:
            return self.kind
        more = ", …" if self.count > len(self.examples) else ""
        listed = f": {', '.join(self.examples)}{more}" if self.examples else ""
        return f"{self.count} × {self.kind}{listed}"
