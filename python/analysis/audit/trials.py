"""The trials that are audited: one row each, with what the table calls its total and the parts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.told import Absent

#: Parts of a machine that are added up, by their columns, and what people call them.
PARTS = {
    "energy_package_j": "processor",
    "energy_dram_j": "memory",
    "energy_gpu_j": "graphics card",
    "energy_system_j": "total",
    "energy_estimated_j": "estimate",
}

_TEXTS = (
    "trial", "group", "file", "meter", "estimated", "status", "reason", "flags", "tool",
    "tool_version", "machine", "tracking", "table_block",
)  # fmt: skip


@dataclass(frozen=True)
class Trials:
    """All trials; ``energy`` is the total as published, in joules, whatever it may be."""

    frame: pd.DataFrame
    copies: int
    absent: tuple[Absent, ...] = ()

    @classmethod
    def of(cls, request: Mapping[str, Any], arrays: Mapping[str, Any]) -> "Trials":
        """Put the host's columns together."""
        strings = request.get("strings") or {}
        rows = len(strings.get("group") or ())
        columns: dict[str, Any] = {}
        for name in _TEXTS:
            columns[name] = pd.Series(strings.get(name) or [None] * rows, dtype=object)
        for name, values in arrays.items():
            if not name.startswith("trace:"):
                columns[name] = np.array(values, float)
        frame = pd.DataFrame(columns)
        for name in ("energy_j", "time_s", "block", "run_order", "start_unix_s", "table_row"):
            if name not in frame:
                frame[name] = np.nan
        frame["group"] = frame["group"].fillna("(none)").astype(str)
        frame["status"] = frame["status"].fillna("ok")
        frame["energy"] = _published(frame)
        failed = frame["status"].isin(["failed", "excluded"])
        known = frame["energy"].notna() & ~failed
        of_table = frame["table_row"].notna()
        frame["used"] = known & (of_table | frame["status"].eq("ok"))
        if frame["run_order"].isna().all():
            frame["run_order"] = frame["start_unix_s"].rank(method="first")
        frame["number"] = _numbers(frame)
        return cls(
            frame,
            len(request.get("copies") or ()),
            tuple(map(Absent.parse, request.get("absent") or ())),
        )

    @cached_property
    def used(self) -> pd.DataFrame:
        """The trials whose energy a study would have used: known, of finished runs."""
        return self.frame[self.frame["used"]]

    @property
    def groups(self) -> list[str]:
        """The groups in alphabetical order."""
        return sorted(self.frame["group"].unique())

    @property
    def parts(self) -> dict[str, str]:
        """The parts that any trial has, by column."""
        there = (c for c in PARTS if c in self.frame and self.frame[c].notna().any())
        return {column: PARTS[column] for column in there}

    @property
    def of_table(self) -> bool:
        """Whether the trials are rows of published tables."""
        return bool(self.frame["table_row"].notna().any())


def _published(frame: pd.DataFrame) -> pd.Series:
    """What the table states, else the sum of what was read."""
    if "table_energy_j" in frame:
        return frame["table_energy_j"].fillna(frame["energy_j"])
    return frame["energy_j"]


def _numbers(frame: pd.DataFrame) -> pd.Series:
    """The number of each run: its block's, else the last one in its file's name.

    More than four digits are a time of day or a date.
    """
    stated = pd.to_numeric(frame["table_block"], errors="coerce")
    if stated.notna().any():
        return stated
    if frame["block"].notna().any() or frame["table_row"].notna().any():
        return frame["block"]
    found = frame["trial"].map(lambda name: re.search(r"(?<!\d)(\d{1,4})$", str(name)))
    return found.map(lambda match: float(match[1]) if match else np.nan).astype(float)
