"""Energy over the releases of a package: neighbours compared, and where it changed.

A step is named where the comparison of two neighbouring releases is resolved, after Holm's
correction over all neighbours: so a history without any step has one named in at most 5% of
experiments, and each step stands where it is said to be.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis import metrics, text
from analysis.cells import Column, Tabulation, change, interval, number, p_cell, words
from analysis.decision import Decision, student, within
from analysis.effects import known_percent
from analysis.settings import Settings
from analysis.table import Table

#: Metrics of the picture and the table; energy decides, the others are exploratory.
SHOWN = (metrics.ENERGY, metrics.TIME, metrics.POWER)


@dataclass(frozen=True)
class Level:
    """A geometric mean with its interval, in the metric's unit."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Release:
    """A release, as its treatment's trials have it: ``levels`` by metric, None where unknown."""

    treatment: str
    release: str
    #: Usable trials.
    n: int
    levels: dict[str, Level | None] = field(default_factory=dict)

    def level(self, metric: metrics.Metric) -> Level | None:
        """One metric's level; None where it is not known."""
        return self.levels.get(metric.name)

    def written(self) -> dict[str, Any]:
        """For summary.json, where a metric is a field."""
        head = {"treatment": self.treatment, "release": self.release, "n": self.n}
        return head | self.levels


@dataclass(frozen=True, kw_only=True)
class Change:
    """A release ``b`` against an earlier one ``a``: the change of energy in per cent."""

    a: str
    b: str
    #: Blocks.
    n: int
    pct_change: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, kw_only=True)
class Step(Change):
    """Two neighbouring releases, ``before`` and ``after``, and whether their step is resolved."""

    before: str
    after: str
    p_holm: float | None
    resolved: bool

    def written(self) -> dict[str, Any]:
        """For summary.json, where the releases are ``from`` and ``to``."""
        return {
            "a": self.a, "b": self.b, "from": self.before, "to": self.after, "n": self.n,
            "pct_change": self.pct_change, "ci_low": self.ci_low, "ci_high": self.ci_high,
            "p_holm": self.p_holm, "resolved": self.resolved,
        }  # fmt: skip


@dataclass(frozen=True)
class Releases:
    """A history: its releases, oldest first, what neighbours differ by, and the whole change."""

    package: str
    releases: list[Release]
    neighbours: list[Step]
    #: How many of them are resolved.
    steps: int
    #: The last against the first, by itself; None with fewer than two common blocks.
    total: Change | None
    #: Releases without enough usable trials.
    missing: list[str]


def analyse(
    table: Table, settings: Settings, found: Decision, compared: tuple[tuple[str, str], ...]
) -> Releases | None:
    """Levels of every release, the comparisons of neighbours, and the change over all of them."""
    history = settings.protocol.history
    if history is None:
        return None
    known = [r for r in history.releases if r[0] in table.groups]
    if len(known) < 2:
        return None
    names = [treatment for treatment, _ in known]
    fits = {m.name: _levels(table, m.name, names) for m in SHOWN if m in table.metrics}
    releases = [
        Release(
            treatment,
            release,
            len(table.values("energy_j", treatment)),
            {name: _level(fit, i, settings.alpha) for name, fit in fits.items()},
        )
        for i, (treatment, release) in enumerate(known)
    ]
    name_of = dict(known)
    neighbours = [
        Step(
            a=a,
            b=b,
            before=name_of[a],
            after=name_of[b],
            n=c.n,
            pct_change=known_percent(c.mean),
            ci_low=known_percent(c.low),
            ci_high=known_percent(c.high),
            p_holm=c.p if c.tested else None,
            resolved=c.resolved,
        )
        for (a, b), c in zip(compared, found.comparisons, strict=True)
        if a in name_of and b in name_of
    ]
    return Releases(
        package=history.package,
        releases=releases,
        neighbours=neighbours,
        steps=sum(step.resolved for step in neighbours),
        total=_total(table, names[0], names[-1], settings),
        missing=[release for treatment, release in history.releases if treatment not in name_of],
    )


def _levels(table: Table, metric: str, names: list[str]) -> within.Levels | None:
    wide = table.wide(metric).reindex(columns=names)
    return within.levels(np.log(wide.to_numpy(float))) if len(wide) else None


def _level(fit: within.Levels | None, i: int, alpha: float) -> Level | None:
    """One release's geometric mean with its interval, in the metric's unit."""
    if fit is None:
        return None
    half = fit.half(alpha)[i]
    ends = np.exp(fit.mean[i] + np.array([0.0, -half, half]))
    return Level(*map(float, ends))


def _total(table: Table, first: str, last: str, settings: Settings) -> Change | None:
    """The last release against the first, by itself: no declared comparison, and not corrected."""
    a, b = table.shared("energy_j", first, last)
    if len(a) < 2:
        return None
    one = student.of_columns((np.log(b) - np.log(a))[:, None])
    mean, half = float(one.mean[0]), float(one.half(settings.alpha)[0])
    return Change(
        a=first,
        b=last,
        n=len(a),
        pct_change=known_percent(mean),
        ci_low=known_percent(mean - half),
        ci_high=known_percent(mean + half),
    )


def sentence(found: Releases) -> str:
    """Where energy changed, in a sentence without its end."""
    releases = found.releases
    span = f"{releases[0].release} to {releases[-1].release}"
    over = f"over {text.count(len(releases), 'release')} of {found.package} ({span})"
    steps = [r for r in found.neighbours if r.resolved]
    if not steps:
        largest = max(
            (r for r in found.neighbours if r.pct_change is not None),
            key=lambda r: abs(np.log1p(r.pct_change / 100.0)), default=None,
        )  # fmt: skip
        seen = "" if largest is None else f" (the largest: {_change(largest)})"
        return f"{over}, no step from one release to the next is resolved{seen}"
    told = [_step(r) for r in steps]
    rest = len(found.neighbours) - len(steps)
    tail = f"; the other {rest} steps are not resolved" if rest > 1 else ""
    tail = "; the other step is not resolved" if rest == 1 else tail
    return f"{over}, energy changed {_times(len(steps))}: {text.join(told)}{tail}"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _step(r: Step) -> str:
    size, low, high = text.change(r.pct_change, r.ci_low, r.ci_high)
    return f"from {r.before} to {r.after} by {size} (95% interval {low} to {high})"


def _change(r: Step) -> str:
    size, low, high = text.change(r.pct_change, r.ci_low, r.ci_high)
    interval = "" if r.ci_low is None else f", 95% interval {low} to {high}"
    return f"{r.before} to {r.after} {size}{interval}"


def tables(found: Releases, table: Table) -> list[Tabulation]:
    """The neighbours' comparisons, and every release's level."""
    columns = [
        Column("Step", False), Column("Resolved", False), Column("Change of energy"),
        Column("95% interval"), Column("n"), Column("p (Holm)"),
    ]  # fmt: skip
    rows = [
        [
            words(f"{r.before} → {r.after}"), words("yes" if r.resolved else "no"), change(r),
            interval(r.ci_low, r.ci_high, r.pct_change), number(r.n, str(r.n)),
            p_cell(r.p_holm),
        ]
        for r in found.neighbours
    ]  # fmt: skip
    notes = ["A step that is not resolved may be none, or smaller than the experiment can show."]
    if total := found.total:
        size, low, high = text.change(total.pct_change, total.ci_low, total.ci_high)
        notes.append(
            f"From the first release to the last: {size} (95% interval {low} to {high}), by itself "
            "and beside the declared comparisons."
        )
    if found.missing:
        notes.append(f"Not compared, for want of usable trials: {text.join(found.missing)}.")
    steps = Tabulation("Each release against the one before", columns, rows, notes)
    return [steps, _levels_table(found)]


def _levels_table(found: Releases) -> Tabulation:
    shown = [m for m in SHOWN if any(r.level(m) for r in found.releases)]
    scales = {
        m.name: text.Scale.fit([v.high for r in found.releases if (v := r.level(m))], m.unit)
        for m in shown
    }
    columns = [Column("Release", False), Column("n")]
    for m in shown:
        columns += [Column(f"{m.label} ({scales[m.name].unit})"), Column("95% interval")]
    rows = []
    for r in found.releases:
        row = [words(r.release), number(r.n, str(r.n))]
        for m in shown:
            own, scale = r.level(m), scales[m.name]
            if own is None:
                row += [number(None), number(None)]
                continue
            row.append(number(own.mean, scale.format(own.mean)))
            ends = f"{scale.format(own.low)} to {scale.format(own.high)}"
            row.append(number(own.low, ends))
        rows.append(row)
    note = (
        "Geometric means with intervals from ln y ~ release + block: what blocks have in common is "
        "taken out, so that they serve to compare releases, not to tell what a run elsewhere takes."
    )
    return Tabulation("Every release", columns, rows, [note])
