"""What a check found."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

#: From what to know up to what a ranking cannot rest on.
SEVERITIES = ("note", "warning", "serious")


@dataclass(frozen=True)
class Finding:
    """One thing that cannot be trusted, with what was seen.

    ``trials`` are the rows that it touches. Without the finding the comparison leaves out the rows
    ``drop`` and the columns ``parts`` of the energy; ``cannot`` says why there is no "without".
    """

    kind: str
    severity: str
    title: str
    evidence: str
    trials: pd.Index
    of: int
    groups: tuple[str, ...] = ()
    numbers: dict[str, Any] = field(default_factory=dict)
    drop: pd.Index | None = None
    parts: tuple[str, ...] = ()
    cannot: str | None = None
