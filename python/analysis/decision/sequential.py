"""Repeated looks: p-values and intervals that hold over all looks together.

The host plans the looks before the first trial and works out, for each look, which nominal level of
one look belongs to which chance over all looks (``experiment.json``, ``protocol.sequential``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Looks:
    """``looks`` are numbers of blocks; ``nominal`` has a row per look, falling as ``overall``."""

    looks: np.ndarray
    overall: np.ndarray
    nominal: np.ndarray
    precision_pct: float | None = None

    @classmethod
    def parse(cls, plan: Any) -> "Looks | None":
        """As the protocol tells them; None where it tells of none that can be used."""
        if not isinstance(plan, Mapping):
            return None
        try:
            looks = np.asarray(plan["looks"], float)
            overall = np.asarray(plan["overall"], float)
            nominal = np.asarray(plan["nominal"], float)
        except (KeyError, TypeError, ValueError):
            return None
        if not len(looks) or nominal.shape != (len(looks), len(overall)):
            return None
        return cls(looks, overall, nominal, plan.get("precision_pct"))

    def _look(self, pairs: float) -> int:
        """The last look at or before so many pairs, −1 before the first."""
        return int(np.searchsorted(self.looks, pairs, side="right")) - 1

    def overall_p(self, p: float, pairs: float) -> float:
        """The chance over all looks that belongs to one look's p; logarithms are interpolated."""
        look = self._look(pairs)
        if look < 0 or not np.isfinite(p):
            return 1.0 if np.isfinite(p) else np.nan
        nominal = self.nominal[look]
        after = int((nominal > p).sum())
        if after == 0:
            return 1.0
        if after == len(nominal):
            return float(self.overall[-1])
        share = np.log(max(p, 1e-300) / nominal[after - 1]) / np.log(
            nominal[after] / nominal[after - 1]
        )
        high, low = np.log(self.overall[after - 1]), np.log(self.overall[after])
        return float(np.exp(high + share * (low - high)))

    def level(self, alpha: float, pairs: float) -> float:
        """The nominal level of an interval that holds at all looks with ``alpha``; 0 before any."""
        look = self._look(pairs)
        if look < 0:
            return 0.0
        place = int((self.overall > alpha * (1.0 + 1e-12)).sum())
        return float(self.nominal[look][place]) if place < len(self.overall) else 0.0
