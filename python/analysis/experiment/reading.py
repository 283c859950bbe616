"""How what the host wrote is read: what is missing, or of another kind, is not on record."""

import math
from collections.abc import Mapping
from typing import Any


def part(raw: Any, name: str) -> Mapping[str, Any]:
    """A part of what was written; empty where it is missing or has no parts."""
    found = raw.get(name) if isinstance(raw, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def parts(raw: Any, name: str) -> list[Mapping[str, Any]]:
    """A list of parts; what is none is passed over."""
    found = raw.get(name) if isinstance(raw, Mapping) else None
    return [p for p in found if isinstance(p, Mapping)] if isinstance(found, list) else []


def word(raw: Any) -> str | None:
    """A text; None where it is none, or empty."""
    return raw if isinstance(raw, str) and raw else None


def text(raw: Any) -> str:
    """Anything as text, empty where it is missing."""
    return "" if raw is None else str(raw)


def whole(raw: Any) -> int | None:
    """A whole number; None where it is none."""
    found = number(raw)
    return None if found is None or not math.isfinite(found) else int(raw)


def number(raw: Any) -> float | None:
    """A number; None where it is none."""
    return float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else None
