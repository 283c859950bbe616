"""The trials as one tidy table: a row per trial, and what can be paired within blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis import metrics
from analysis.settings import RequestError, Settings

#: String columns that every table has, even when the host knows nothing about them.
_STRINGS = (
    "trial", "group", "file", "meter", "estimated", "status", "reason", "flags", "predecessor",
)  # fmt: skip

#: Numeric columns that other modules may ask for without checking.
_NUMBERS = (
    "block", "position", "run_order", "start_unix_s", "time_s", "energy_j", "power_w", "edp_js",
    "ed2p_js2", "accuracy", "loss", "samples", "wraps", "wrap_range_j", "resets", "gaps",
    "max_gap_s", "published_energy_j", "published_time_s", "trial_energy_j", "trial_time_s",
    "above_idle_j", "idle_w", "trial_cpu_s", "meter_cpu_s", "missed_samples", "other_cores",
    "mhz_mean", "celsius_begin", "celsius_max", "throttle_events", "cooldown_s", "cooldown_w",
    "cooldown_reached_idle",
)  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """Power over time of one trial: seconds since its first sample, watts."""

    seconds: np.ndarray
    watts: np.ndarray


@dataclass(frozen=True)
class Table:
    """All trials, the usable ones among them, and the groups in the order of presentation.

    ``groups`` are what is compared, the base first and then by mean energy; an A/A twin is no
    group of its own but in ``twin``. ``metrics`` are those that the usable trials have.
    """

    frame: pd.DataFrame
    usable: pd.DataFrame
    groups: tuple[str, ...]
    twin: str | None
    metrics: tuple[metrics.Metric, ...]
    traces: Mapping[str, Trace]
    _wide: dict[str, pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    @property
    def base(self) -> str | None:
        """The group that all others are compared with."""
        return self.groups[0] if self.groups else None

    @property
    def all_groups(self) -> tuple[str, ...]:
        """The groups and, last, the twin."""
        return self.groups + ((self.twin,) if self.twin else ())

    def values(self, metric: str, group: str) -> np.ndarray:
        """A group's values of a metric, missing ones left out."""
        rows = self.usable[self.usable["group"] == group]
        return rows[metric].dropna().to_numpy()

    def blocks(self, metric: str, groups: tuple[str, ...]) -> pd.DataFrame:
        """One row per block in which each of ``groups`` has exactly one value of ``metric``.

        Blocks are kept or left out as a whole: where one group's trial failed, the block's other
        trials are not paired either. A single group's series keeps all its blocks.
        """
        found = self._pivot(metric).reindex(columns=list(groups)).dropna()
        return found[found.index.isin(self.complete_blocks())] if len(groups) > 1 else found

    def _pivot(self, metric: str) -> pd.DataFrame:
        """Blocks by groups; a group with two usable trials in a block has no value there."""
        if metric not in self._wide:  # pivoting is slow, and every pair asks for the same table
            rows = self.usable[["block", "group", metric]].dropna()
            rows = rows[~rows.duplicated(["block", "group"], keep=False)]
            wide = rows.pivot(index="block", columns="group", values=metric).sort_index()
            self._wide[metric] = wide
        return self._wide[metric]

    def complete_blocks(self) -> set[float]:
        """The blocks in which every group has exactly one usable trial.

        The twin is left aside, and so is a group none of whose trials belongs to a block.
        """
        wide = self._pivot("energy_j")
        return set(wide.reindex(columns=[g for g in self.groups if g in wide]).dropna().index)

    def incomplete_blocks(self) -> list[dict[str, Any]]:
        """The blocks that are not paired, each with the groups that are missing and why."""
        complete, rows = self.complete_blocks(), []
        expected = [g for g in self.groups if g in self._pivot("energy_j")]
        for block in sorted(set(self.frame["block"].dropna()) - complete):
            trials = self.frame[self.frame["block"] == block]
            reasons = {}
            for group in expected:
                own = trials[trials["group"] == group]
                if own["usable"].sum() > 1:
                    reasons[group] = "more than one trial"
                elif not own["usable"].any():
                    reasons[group] = _why(own)
            if reasons:
                rows.append({"block": float(block), "missing": reasons})
        return rows

    def without_blocks(self, blocks: list[float]) -> "Table":
        """The same table with whole blocks left out."""
        kept = self.usable[~self.usable["block"].isin(blocks)]
        return Table(self.frame, kept, self.groups, self.twin, self.metrics, self.traces)


def _why(trials: pd.DataFrame) -> str:
    """Why a group has no usable trial in a block: the last one's fate, or that there is none."""
    if not len(trials):
        return "no trial"
    status = str(trials["status"].iloc[-1])
    return status if status != "ok" else "unusable"


def build(
    arrays: Mapping[str, Any], strings: Mapping[str, list[str | None]], settings: Settings
) -> Table:
    """Put the host's arrays together.

    A trial is usable when its status is ``ok`` and its energy and time are positive numbers; of
    any other metric a value that is not positive counts as missing, for it has no logarithm.

    Raises:
        RequestError: no ``group`` column, or columns of different lengths.
    """
    frame = _frame(arrays, strings)
    ok = frame["status"].eq("ok") & frame["energy_j"].gt(0) & frame["time_s"].gt(0)
    frame.loc[frame["status"].eq("ok") & ~ok, "reason"] = frame["reason"].fillna(
        "no positive energy or time"
    )
    frame["usable"] = ok
    usable = frame[ok].copy()
    names = {c: int(usable[c].gt(0).sum()) for c in usable.select_dtypes("number")}
    known = tuple(metrics.available(names))
    for metric in known:
        usable[metric.name] = usable[metric.name].where(usable[metric.name] > 0)
    twin = settings.control.twin if settings.control else None
    if twin not in set(usable["group"]):
        twin = None
    return Table(
        frame, usable, _order(usable, settings.base, twin), twin, known, _traces(arrays, frame)
    )


def _frame(arrays: Mapping[str, Any], strings: Mapping[str, list[str | None]]) -> pd.DataFrame:
    if "group" not in strings:
        raise RequestError("strings: no column 'group'")
    rows = len(strings["group"])
    columns: dict[str, Any] = {}
    for name in (*_STRINGS, *(k for k in strings if k not in _STRINGS)):
        columns[name] = pd.Series(strings.get(name) or [None] * rows, dtype=object)
    for name in (*_NUMBERS, *(k for k in arrays if k not in _NUMBERS)):
        if name.startswith("trace:"):
            continue
        values = arrays.get(name)
        columns[name] = np.full(rows, np.nan) if values is None else np.array(values, float)
    wrong = [name for name, values in columns.items() if len(values) != rows]
    if wrong:
        raise RequestError(f"columns of another length than 'group' ({rows}): {', '.join(wrong)}")
    frame = pd.DataFrame(columns)
    numbers = frame.select_dtypes("number").columns
    frame[numbers] = frame[numbers].replace([np.inf, -np.inf], np.nan)
    unnamed = frame["trial"].isna()
    frame.loc[unnamed, "trial"] = [f"trial {i + 1}" for i in frame.index[unnamed]]
    frame["group"] = frame["group"].fillna("(no group)")
    frame["status"] = frame["status"].fillna("ok")
    frame["flags"] = frame["flags"].fillna("")
    _derive(frame)
    return frame


def _derive(frame: pd.DataFrame) -> None:
    """Fill in what follows from other columns: power, EDP, and the order from the start times."""
    power = frame["energy_j"] / frame["time_s"].where(frame["time_s"] > 0)
    frame["power_w"] = frame["power_w"].fillna(power)
    frame["edp_js"] = frame["edp_js"].fillna(frame["energy_j"] * frame["time_s"])
    frame["ed2p_js2"] = frame["ed2p_js2"].fillna(frame["energy_j"] * frame["time_s"] ** 2)
    if frame["run_order"].isna().all():
        frame["run_order"] = frame["start_unix_s"].rank(method="first")
    if frame["run_order"].notna().any():
        _derive_places(frame)


def _derive_places(frame: pd.DataFrame) -> None:
    """Position and predecessor from the run order, where the host did not say.

    Only for blocks in which the place of every group is known: a missing or unreadable file would
    shift the positions of the others and leave a gap where it ran.
    """
    placed = frame[frame["run_order"].notna()].sort_values("run_order")
    groups = frame["group"].nunique()
    whole = placed.groupby("block")["group"].transform("nunique").eq(groups)
    if frame["position"].isna().all():
        places = placed.groupby("block")["run_order"].rank(method="first")
        frame["position"] = places.where(whole).reindex(frame.index)
    if frame["predecessor"].isna().all():
        known = whole & whole.shift(1).eq(True)
        before = placed["group"].shift(1).where(known, None)
        frame["predecessor"] = before.reindex(frame.index).astype(object)
        frame.loc[frame["predecessor"].isna(), "predecessor"] = None


def _order(usable: pd.DataFrame, base: str | None, twin: str | None) -> tuple[str, ...]:
    means = usable[usable["group"] != twin].groupby("group")["energy_j"].mean().sort_values()
    names = list(means.index)
    if base is not None and base not in names:
        known = ", ".join(names) or "none"
        raise RequestError(f"base: no usable trial of the group {base!r}; groups: {known}")
    return tuple(sorted(names, key=lambda name: name != base)) if base else tuple(names)


def _traces(arrays: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Trace]:
    traces = {}
    for trial in frame["trial"]:
        seconds, watts = arrays.get(f"trace:{trial}:t"), arrays.get(f"trace:{trial}:w")
        if seconds is not None and watts is not None and len(seconds) == len(watts) > 1:
            traces[trial] = Trace(np.asarray(seconds, float), np.asarray(watts, float))
    return traces
