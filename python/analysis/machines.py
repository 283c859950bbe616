"""One study on several machines: machine as a random factor above blocks.

Each machine's blocks give a log ratio with its standard error; over machines they are pooled as
several experiments are (:mod:`analysis.decision.pooled`), so that the interval holds for other
machines like these. Whether the machines differ by more than their blocks explain is asked by an
analysis of variance of the blocks' log ratios, and the one that stands out is found by leaving it
out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis import evidence
from analysis.decision import Decision, student
from analysis.experiment import MachineSeen
from analysis.over import Over, over
from analysis.settings import Settings
from analysis.table import Table

#: Fewer blocks than these of a machine say nothing of its spread.
_FEWEST = 2

#: More machines than these are not left out one by one.
_MOST_LEFT_OUT = 40


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine: what it ran, and what is odd about it."""

    name: str
    trials: int
    usable: int
    flagged: int
    #: Whether any of its trials is an estimate.
    estimated: bool
    meter: str
    processor: str
    #: What was found before its first trial.
    findings: list[str]
    #: The comparisons in which it stands out.
    apart: list[str]
    #: How many times as much its log ratios scatter as the others'; None where not more.
    scatter: float | None
    blocks: int


@dataclass(frozen=True)
class Without:
    """Whether the outcome is the same without a machine; None where nothing is left."""

    name: str
    same: bool | None


@dataclass(frozen=True, kw_only=True)
class Machines:
    """The answer over machines, on each, and what is odd about any."""

    alpha: float
    names: list[str]
    pooled: list[Over]
    #: By pair.
    alike: dict[tuple[str, str], "Alike"]
    machines: list[Machine]
    without: list[Without]
    missing_shards: list[str]

    def written(self) -> dict[str, Any]:
        """For summary.json, where every pair is a row."""
        alike = [{"a": a, "b": b} | asdict(one) for (a, b), one in self.alike.items()]
        return vars(self) | {"alike": alike}


@dataclass(frozen=True)
class Alike:
    """Whether machines agree on one comparison; ``apart`` are those that stand out, worst first."""

    p: float
    apart: tuple[str, ...]


def names(table: Table) -> list[str]:
    """The machines of the usable trials, in the order of their first blocks; one at most where the
    trials do not all tell.
    """
    rows = table.usable.dropna(subset=["block"])
    if rows["machine"].isna().any():
        return []
    return list(dict.fromkeys(rows.sort_values("run_order", kind="stable")["machine"].astype(str)))


def analyse(
    table: Table, settings: Settings, found: Decision, compared: Sequence[tuple[str, str]]
) -> Machines | None:
    """The answer over machines, on each, and what is odd about any; None for fewer than two."""
    machines = names(table)
    if len(machines) < 2:
        return None
    wide = table.wide("energy_j")
    place = {float(block): str(name) for block, name in table.machines().items()}
    code = {name: i for i, name in enumerate(machines)}
    ran = np.array([code.get(place.get(float(block), ""), -1) for block in wide.index])
    series = {}
    for a, b in compared:
        logs = np.log(wide[b].to_numpy(float)) - np.log(wide[a].to_numpy(float))
        known = np.isfinite(logs)
        series[a, b] = [logs[known & (ran == i)] for i in range(len(machines))]
    parts = {pair: _parts(machines, own) for pair, own in series.items()}
    pooled = over(list(parts), list(parts.values()), settings.alpha)
    agree = {(o.a, o.b): alike(machines, series[o.a, o.b], settings.alpha / len(pooled))
             for o in pooled}  # fmt: skip
    told = {m.name: m for m in settings.experiment.machines}
    noise = noisy(machines, list(series.values()), settings.alpha)
    blocks = Counter(place.values())
    frames = dict(list(table.frame.groupby("machine")))
    rows = [_machine(frames[m], m, told.get(m), blocks[m], noise, agree) for m in machines]
    return Machines(
        alpha=settings.alpha,
        names=machines,
        pooled=pooled,
        alike=agree,
        machines=rows,
        without=_without(table, settings, found, rows, place),
        missing_shards=list(settings.experiment.missing_shards),
    )


def _parts(machines: list[str], own: list[np.ndarray]) -> list[tuple[str, float, float, float]]:
    known = []
    for name, values in zip(machines, own, strict=True):
        if len(values) < _FEWEST:
            continue
        one = student.of_columns(values[:, None])
        if np.isfinite(one.se[0]):
            known.append((name, float(one.mean[0]), float(one.se[0]), float(one.df[0])))
    return known


def alike(machines: Sequence[str], own: Sequence[np.ndarray], alpha: float) -> Alike:
    """Whether machines' log ratios have one mean; who stands out where they have not.

    The machine furthest from the mean of the others is set aside until the rest agrees; where only
    two are left and differ, neither is known to be the odd one.
    """
    kept = [i for i, values in enumerate(own) if len(values) >= _FEWEST and np.ptp(values) > 0]
    known = _Moments.of([own[i] for i in kept])
    p = rest = known.one_mean()
    apart: list[str] = []
    while rest < alpha and len(kept) > 2:
        worst = int(np.argmax(known.away()))
        apart.append(machines[kept.pop(worst)])
        known = known.without(worst)
        rest = known.one_mean()
    # Half of the machines odd: then it is not known which half.
    if rest < alpha or 2 * len(apart) >= len(apart) + len(kept):
        apart = []
    return Alike(float(p), tuple(apart))


def one_mean(own: Sequence[np.ndarray]) -> float:
    """The p-value of one mean for all machines' blocks; see :meth:`_Moments.one_mean`."""
    return _Moments.of(own).one_mean()


@dataclass(frozen=True)
class _Moments:
    """Numbers of blocks, means and variances of machines' log ratios."""

    n: np.ndarray
    mean: np.ndarray
    var: np.ndarray

    @classmethod
    def of(cls, own: Sequence[np.ndarray]) -> "_Moments":
        parts = (len, np.mean, lambda v: np.var(v, ddof=1))
        return cls(*(np.array([f(v) for v in own], float) for f in parts))

    def without(self, i: int) -> "_Moments":
        return _Moments(*(np.delete(v, i) for v in (self.n, self.mean, self.var)))

    def away(self) -> np.ndarray:
        """How far each machine is from the others' mean, in standard errors."""
        k, error = len(self.n), self.var / self.n
        others = (self.mean.sum() - self.mean) / (k - 1)
        theirs = (error.sum() - error) / (k - 1) ** 2
        return np.abs(self.mean - others) / np.sqrt(theirs + error)

    def one_mean(self) -> float:
        """The p-value of one mean, spreads of their own: Brown and Forsythe's F (1974).

        With Mehrotra's (1997) degrees of freedom. Welch's finds differences among 20 machines that
        do not differ in 13% of studies.
        """
        n, mean, var = self.n, self.mean, self.var
        if len(n) < 2:
            return 1.0
        share = n / n.sum()
        within = (1 - share) * var
        if not within.sum() > 0:
            return 1.0
        f = (n * (mean - share @ mean) ** 2).sum() / within.sum()
        above = (var**2).sum() + (share @ var) ** 2 - 2 * (share @ var**2)
        below = (within**2 / (n - 1)).sum()
        return float(stats.f.sf(f, within.sum() ** 2 / above, within.sum() ** 2 / below))


def noisy(
    machines: Sequence[str], series: Sequence[Sequence[np.ndarray]], alpha: float
) -> dict[str, float]:
    """Machines whose log ratios scatter more than the others', by how many times.

    One-sided F-test of the largest of a machine's comparisons, Holm over machines and comparisons.
    """
    found, p, ratios = [], [], []
    for own in series:
        squares = np.array([v.var(ddof=1) * (len(v) - 1) if len(v) > 1 else 0.0 for v in own])
        freedom = np.array([max(len(v) - 1, 0) for v in own])
        for i, name in enumerate(machines):
            rest = freedom.sum() - freedom[i]
            if freedom[i] < 2 or rest < 2 or squares.sum() <= squares[i]:
                continue
            ratio = squares[i] / freedom[i] / ((squares.sum() - squares[i]) / rest)
            found.append(name)
            ratios.append(float(np.sqrt(ratio)))
            p.append(float(stats.f.sf(ratio, freedom[i], rest)))
    corrected = student.holm(np.array(p, float))
    loud: dict[str, float] = {}
    for name, ratio, value in zip(found, ratios, corrected, strict=True):
        if value < alpha:
            loud[name] = max(loud.get(name, 0.0), ratio)
    return loud


def _machine(
    frame: pd.DataFrame,
    name: str,
    told: MachineSeen | None,
    blocks: int,
    noise: Mapping[str, float],
    agree: Mapping[tuple[str, str], Alike],
) -> Machine:
    """One machine's row: what it ran, and what is odd about it."""
    flags = frame["flags"].str.split(";").map(lambda own: any(w.strip() for w in own))
    meters = sorted(set(frame["meter"].dropna()))
    odd = [f"{b} against {a}" for (a, b), one in agree.items() if name in one.apart]
    return Machine(
        name=name,
        trials=len(frame),
        usable=int(frame["usable"].sum()),
        flagged=int(flags.sum()),
        estimated=bool(frame["estimated"].map(lambda v: str(v).lower() == "true").any()),
        meter=told.meter if told and told.meter else ", ".join(meters),
        processor=told.processor if told else "",
        findings=list(told.findings) if told else [],
        apart=odd,
        scatter=noise.get(name),
        blocks=blocks,
    )


def _without(
    table: Table,
    settings: Settings,
    found: Decision,
    machines: Sequence[Machine],
    place: Mapping[float, str],
) -> list[Without]:
    """Whether the outcome (which pairs are resolved, which way) is the same without a machine.

    Of many machines only those that are odd are left out in turn.
    """
    odd = [m.name for m in machines if m.apart or m.scatter]
    asked = [m.name for m in machines] if len(machines) <= _MOST_LEFT_OUT else odd

    def outcome(decision: Decision) -> list[float]:
        return [float(np.sign(c.mean)) if c.resolved else 0.0 for c in decision.comparisons]

    rows = []
    for name in asked[:_MOST_LEFT_OUT]:
        own = [block for block, machine in place.items() if machine == name]
        less = table.without_blocks(own)
        same = None
        if len(less.usable):
            same = outcome(evidence.decided(less, settings)) == outcome(found)
        rows.append(Without(name, same))
    return rows
