"""The trials as one tidy table: a row per trial, and what can be paired within blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis import metrics
from analysis.settings import RequestError, Settings

#: With more groups than this the report shows a ranking and a matrix instead of every pair.
MOST_IN_FULL = 6

#: String columns that every table has, even when the host knows nothing about them.
_STRINGS = (
    "trial", "group", "file", "meter", "estimated", "status", "reason", "flags", "predecessor",
    "domains", "machine",
)  # fmt: skip

#: The line of a published table that a trial is; no other trial has one.
TABLE_ROW = "table_row"

#: Numeric columns that other modules may ask for without checking.
_NUMBERS = (
    "block", "position", "run_order", "start_unix_s", "time_s", "energy_j", "power_w", "edp_js",
    "ed2p_js2", "accuracy", "loss", "seed", "samples", "wraps", "wrap_range_j", "resets", "gaps",
    "max_gap_s", "published_energy_j", "published_time_s", "trial_energy_j", "trial_time_s",
    "above_idle_j", "idle_w", "trial_cpu_s", "meter_cpu_s", "missed_samples", "other_cores",
    "mhz_mean", "celsius_begin", "celsius_max", "throttle_events", "cooldown_s", "cooldown_w",
    "cooldown_reached_idle", "coverage",
)  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """Power over time of one trial: seconds since its first sample, watts."""

    seconds: np.ndarray
    watts: np.ndarray


@dataclass(frozen=True)
class Incomplete:
    """A block in which groups are missing: why, by group."""

    block: float
    missing: dict[str, str]


@dataclass(frozen=True)
class Table:
    """All trials, the usable ones among them, and the groups in the order of presentation.

    ``groups`` are what is compared, the base first and then by geometric mean energy; an A/A twin
    is no group of its own but in ``twin``. ``sparse`` are groups with fewer than two usable trials,
    which cannot be compared where others can. ``metrics`` are those that the usable trials have.
    """

    frame: pd.DataFrame
    usable: pd.DataFrame
    groups: tuple[str, ...]
    twin: str | None
    metrics: tuple[metrics.Metric, ...]
    traces: Mapping[str, Trace]
    sparse: tuple[str, ...] = ()
    _wide: dict[str, pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)
    _values: dict[str, dict[str, np.ndarray]] = field(
        default_factory=dict, compare=False, repr=False
    )
    _columns: dict[tuple[str, str], np.ndarray] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def base(self) -> str | None:
        """The group that all others are compared with."""
        return self.groups[0] if self.groups else None

    @property
    def all_groups(self) -> tuple[str, ...]:
        """The groups, those too small to compare and, last, the twin."""
        return self.groups + self.sparse + ((self.twin,) if self.twin else ())

    @property
    def many(self) -> bool:
        """Whether there are more groups than a page can show pair by pair."""
        return len(self.groups) > MOST_IN_FULL

    def values(self, metric: str, group: str) -> np.ndarray:
        """A group's values of a metric, missing ones left out."""
        if metric not in self._values:  # every pair asks for them
            known = self.usable[["group", metric]].dropna()
            parts = known.groupby("group", sort=False)[metric]
            self._values[metric] = {name: part.to_numpy() for name, part in parts}
        return self._values[metric].get(group, np.empty(0))

    def shared(self, metric: str, a: str, b: str) -> tuple[np.ndarray, np.ndarray]:
        """Two groups' values in the blocks that have both, in the order in which they ran."""
        wide = self.wide(metric)
        if a not in wide or b not in wide:
            return np.empty(0), np.empty(0)
        first, second = self._column(metric, a), self._column(metric, b)
        both = np.isfinite(first) & np.isfinite(second)
        return first[both], second[both]

    def _column(self, metric: str, group: str) -> np.ndarray:
        key = (metric, group)
        if key not in self._columns:
            self._columns[key] = self.wide(metric)[group].to_numpy(float)
        return self._columns[key]

    def blocks(self, metric: str, groups: tuple[str, ...]) -> pd.DataFrame:
        """One row per block in which each of ``groups`` has exactly one value of ``metric``.

        Other groups' trials do not matter: a pair uses every block in which both are usable.
        """
        return self.wide(metric).reindex(columns=list(groups)).dropna()

    def wide(self, metric: str) -> pd.DataFrame:
        """Blocks by groups, in the order in which they ran.

        A group with two usable trials in a block has no value there.
        """
        if metric not in self._wide:  # pivoting is slow, and every pair asks for the same table
            rows = self.usable[["block", "group", metric]].dropna()
            rows = rows[~rows.duplicated(["block", "group"], keep=False)]
            wide = rows.pivot(index="block", columns="group", values=metric).sort_index()
            self._wide[metric] = wide.reindex(self._in_time(wide.index))
        return self._wide[metric]

    def _in_time(self, blocks: pd.Index) -> pd.Index:
        """The blocks by their first trial's place in the order, by number where it is unknown.

        Those of one machine stay together, machines in the order of their first blocks.
        """
        ran = self.frame.groupby("block")["run_order"].min().reindex(blocks)
        if ran.isna().any():
            return blocks
        ordered = ran.sort_values(kind="stable").index
        machine = self.machines().reindex(ordered)
        if machine.isna().any() or machine.nunique() < 2:
            return ordered
        return ordered[np.argsort(pd.factorize(machine)[0], kind="stable")]

    @property
    def of_rows(self) -> bool:
        """Whether the trials are rows of published tables, not files of samples."""
        return TABLE_ROW in self.frame and bool(self.frame[TABLE_ROW].notna().any())

    def machines(self) -> pd.Series:
        """The machine of every block, by its usable trials; missing where it is not on record."""
        rows = self.usable.dropna(subset=["block", "machine"])
        return rows.groupby("block")["machine"].first()

    def complete_blocks(self) -> set[float]:
        """The blocks in which every group has exactly one usable trial.

        The twin is left aside, and so is a group none of whose trials belongs to a block.
        """
        wide = self.wide("energy_j")
        return set(wide.reindex(columns=[g for g in self.groups if g in wide]).dropna().index)

    def incomplete_blocks(self) -> list[Incomplete]:
        """The blocks in which a group is missing, each with the groups and why."""
        complete, rows = self.complete_blocks(), []
        expected = [g for g in self.groups if g in self.wide("energy_j")]
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
                rows.append(Incomplete(float(block), reasons))
        return rows

    def without_blocks(self, blocks: list[float]) -> "Table":
        """The same table with whole blocks left out."""
        return self._keeping(~self.usable["block"].isin(blocks))

    def without_trials(self, trials: pd.Index) -> "Table":
        """The same table with single trials, by their rows, left out."""
        return self._keeping(~self.usable.index.isin(trials))

    def with_usable(self, usable: pd.DataFrame) -> "Table":
        """The same table with other usable trials or columns."""
        return replace(self, usable=usable, _wide={}, _values={}, _columns={})

    def _keeping(self, kept: Any) -> "Table":
        return self.with_usable(self.usable[kept])


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

    A trial is usable when its status is ``ok`` and its energy and time are positive numbers (a
    published table may tell no times: there the energy will do); of any other metric a value that
    is not positive counts as missing, for it has no logarithm.

    Raises:
        RequestError: no ``group`` column, or columns of different lengths.
    """
    frame = _frame(arrays, strings)
    timed = frame["time_s"].gt(0)
    if TABLE_ROW in frame:
        timed |= frame["time_s"].isna() & frame[TABLE_ROW].notna()
    ok = frame["status"].eq("ok") & frame["energy_j"].gt(0) & timed
    frame.loc[frame["status"].eq("ok") & ~ok, "reason"] = frame["reason"].fillna(
        "no positive energy or time"
    )
    frame["usable"] = ok
    usable = frame[ok].copy()
    names = {c: int(usable[c].gt(0).sum()) for c in usable.select_dtypes("number")}
    known = tuple(metrics.available(names))
    for metric in known:
        if metric.name != metrics.ABOVE_IDLE:
            usable[metric.name] = usable[metric.name].where(usable[metric.name] > 0)
    twin = settings.control.twin if settings.control else None
    if twin not in set(usable["group"]):
        twin = None
    groups, sparse = _order(usable, settings.base, twin, settings.protocol.base)
    if settings.base is None and (sequence := settings.protocol.sequence):
        place = {name: i for i, name in enumerate(sequence)}
        groups = tuple(sorted(groups, key=lambda name: place.get(name, len(place))))
    return Table(frame, usable, groups, twin, known, _traces(arrays, frame), sparse)


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


def _order(
    usable: pd.DataFrame, base: str | None, twin: str | None, declared: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The groups that can be compared, the base first and then by mean ln energy, and the others.

    A single trial has no spread: its group is never the base and takes part in no comparison,
    unless no group has more.
    """
    own = usable[usable["group"] != twin]
    found = np.log(own["energy_j"]).groupby(own["group"]).agg(["mean", "size"])
    found = found.sort_values("mean", kind="stable")
    enough = found["size"] >= 2
    names, sparse = list(found.index[enough]), list(found.index[~enough])
    if not names:
        names, sparse = sparse, []
    if base is not None and base not in names:
        why = "one usable trial" if base in sparse else "no usable trial"
        known = ", ".join(names) or "none"
        raise RequestError(f"base: {why} of the group {base!r}; groups: {known}")
    first = base if base is not None else declared
    return tuple(sorted(names, key=lambda name: name != first)), tuple(sparse)


def _traces(arrays: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Trace]:
    traces = {}
    for trial in frame["trial"]:
        seconds, watts = arrays.get(f"trace:{trial}:t"), arrays.get(f"trace:{trial}:w")
        if seconds is not None and watts is not None and len(seconds) == len(watts) > 1:
            traces[trial] = Trace(np.asarray(seconds, float), np.asarray(watts, float))
    return traces
