"""Treatments at levels of factors: comparisons within levels, interaction, and whether ranks flip.

Blocks hold every treatment at every level once. Whether a factor changes what the treatments
differ by is a repeated-measures test of their interaction; that the ranking flips is said only
where a pair is resolved one way at one level and the other way at another, each after Holm's
correction over all declared comparisons.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from analysis import text
from analysis.decision import Decision, student, within
from analysis.effects import known_percent
from analysis.protocol import Factors
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN, picked

#: How the treatments themselves are called among the factors.
TREATMENT = "treatment"


@dataclass(frozen=True)
class Varied:
    """A factor and its levels, as they were typed."""

    factor: str
    levels: list[str]


@dataclass(frozen=True, kw_only=True)
class Test:
    """A main effect, or an interaction of two; Holm's p is of the interactions."""

    #: The factors that it is of.
    of: list[str]
    p_holm: float | None = None
    #: Repeated measures, degrees of freedom and p after Greenhouse and Geisser.
    f: float | None = field(default=None, metadata=WHERE_KNOWN)
    df1: float | None = field(default=None, metadata=WHERE_KNOWN)
    df2: float | None = field(default=None, metadata=WHERE_KNOWN)
    p: float | None = field(default=None, metadata=WHERE_KNOWN)
    epsilon: float | None = field(default=None, metadata=WHERE_KNOWN)


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """How much the ratio of ``b`` to ``a`` changes from one level to the next, in per cent."""

    a: str
    b: str
    factor: str
    low: str
    high: str
    pct_change: float | None
    ci_low: float | None
    ci_high: float | None
    p_holm: float | None

    def written(self) -> dict[str, Any]:
        """For summary.json, where the levels are ``from`` and ``to``."""
        head = {"a": self.a, "b": self.b, "factor": self.factor}
        rest = picked(self, ("pct_change", "ci_low", "ci_high", "p_holm"))
        return head | {"from": self.low, "to": self.high} | rest


@dataclass(frozen=True, kw_only=True)
class AtLevels:
    """A pair's comparison at some levels, by factor; the change of energy in per cent."""

    levels: dict[str, str]
    pct_change: float | None
    ci_low: float | None
    ci_high: float | None
    p_holm: float | None
    resolved: bool


@dataclass(frozen=True)
class Flip:
    """What a pair of treatments comes to over the levels.

    ``state`` is ``flips`` (resolved both ways), ``same`` (resolved one way at every level), or
    ``open``; ``below`` is the thriftier one of ``same``.
    """

    a: str
    b: str
    at: list[AtLevels]
    state: str
    below: str | None


@dataclass(frozen=True)
class Margin:
    """A treatment's geometric mean energy at a level, others averaged, in joules."""

    of: str
    factor: str
    level: str
    mean_j: float
    low_j: float
    high_j: float


@dataclass(frozen=True, kw_only=True)
class Levels:
    """What was varied, and what it does; ``note`` says why nothing is tested."""

    factors: list[Varied]
    treatments: list[str]
    #: Blocks with every cell.
    blocks: int
    alpha: float
    tests: list[Test]
    note: str | None
    interactions: list[Interaction]
    flips: list[Flip]
    margins: list[Margin]


def analyse(
    table: Table, settings: Settings, found: Decision, compared: tuple[tuple[str, str], ...]
) -> Levels | None:
    """Tests, sizes of interactions, flips and levels; None where nothing was varied."""
    design = settings.protocol.factors
    if design is None or sum(c.treatment in table.groups for c in design.cells) < 2:
        return None
    axes = _axes(design)
    names, missing = _grid(design, axes, table)
    tests, note, blocks = [], None, 0
    cells = None
    if missing:
        note = f"not every treatment has usable trials at every level: {text.join(missing[:3])}"
    else:
        cells = _cells(table, names)
        blocks = len(cells)
        if blocks < within.MIN_BLOCKS:
            note = f"{text.count(blocks, 'block')} with every cell, of at least {within.MIN_BLOCKS}"
        else:
            tests = _tests(cells, axes)
    return Levels(
        factors=[Varied(name, list(of)) for name, of in axes if name != TREATMENT],
        treatments=next((list(of) for name, of in axes if name == TREATMENT), []),
        blocks=blocks,
        alpha=settings.alpha,
        tests=tests,
        note=note,
        interactions=[] if cells is None or note else _sizes(cells, axes, settings),
        flips=_flips(design, found, compared),
        margins=[
            m for axis in range(1, len(axes)) for m in _margins(table, names, axes, axis, settings)
        ],
    )


def _axes(design: Factors) -> list[tuple[str, tuple[str, ...]]]:
    """The treatments and the factors with their levels, in the order typed."""
    own = tuple(dict.fromkeys(c.of for c in design.cells))
    return [(TREATMENT, own), *design.levels]


def _grid(design: Factors, axes: list, table: Table) -> tuple[np.ndarray, list[str]]:
    """The groups' names by treatment and level, and the cells that have no usable trials."""
    shape = [len(of) for _, of in axes]
    names = np.full(shape, "", dtype=object)
    for cell in design.cells:
        at = [axes[0][1].index(cell.of)]
        at += [of.index(cell.levels[name]) for name, of in axes[1:] if cell.levels.get(name) in of]
        if len(at) == len(axes):
            names[tuple(at)] = cell.treatment
    missing = [str(n) for n in names.ravel() if n and n not in table.groups]
    holes = int((names == "").sum())
    return names, missing + [f"{text.count(holes, 'cell')} not run"] * bool(holes)


def _cells(table: Table, names: np.ndarray) -> np.ndarray:
    """ln E of the blocks that have every cell, blocks by treatments by levels."""
    wide = table.wide("energy_j").reindex(columns=list(names.ravel())).dropna()
    return np.log(wide.to_numpy(float)).reshape(len(wide), *names.shape)


def _tests(cells: np.ndarray, axes: list) -> list[Test]:
    """Every main effect and interaction of two; Holm over the interactions."""
    rows = [
        Test(of=[axes[i][0] for i in which], **({} if one is None else vars(one)))
        for which, one in within.anova(cells).items()
    ]
    crossed = [i for i, row in enumerate(rows) if len(row.of) == 2 and row.p is not None]
    corrected = student.holm(np.array([rows[i].p for i in crossed], float))
    for i, p in zip(crossed, corrected, strict=True):
        rows[i] = replace(rows[i], p_holm=float(p))
    return rows


def _sizes(cells: np.ndarray, axes: list, settings: Settings) -> list[Interaction]:
    """How much a pair's ratio changes from one level of a factor to the next, others averaged."""
    rows, columns = [], []
    for axis in range(1, len(axes)):
        name, of = axes[axis]
        others = tuple(i + 1 for i in range(1, len(axes)) if i != axis)
        table = cells.mean(axis=others) if others else cells
        for (i, a), (j, b) in combinations(enumerate(axes[0][1]), 2):
            for (low, first), (high, second) in pairwise(list(enumerate(of))):
                ratio = table[:, j] - table[:, i]
                columns.append(ratio[:, high] - ratio[:, low])
                rows.append((a, b, name, first, second))
    if not rows:
        return []
    one = student.of_columns(np.stack(columns, axis=1))
    half, corrected = one.half(settings.alpha), student.holm(one.p())
    return [
        Interaction(
            a=a,
            b=b,
            factor=factor,
            low=first,
            high=second,
            pct_change=known_percent(one.mean[i]),
            ci_low=known_percent(one.mean[i] - half[i]),
            ci_high=known_percent(one.mean[i] + half[i]),
            p_holm=float(corrected[i]) if np.isfinite(corrected[i]) else None,
        )
        for i, (a, b, factor, first, second) in enumerate(rows)
    ]


def _flips(design: Factors, found: Decision, compared: tuple[tuple[str, str], ...]) -> list[Flip]:
    """Per pair of treatments what its comparisons within levels come to together."""
    of = {c.treatment: c for c in design.cells}
    pairs: dict[tuple[str, str], list[AtLevels]] = {}
    for (a, b), c in zip(compared, found.comparisons, strict=True):
        if a not in of or b not in of or of[a].levels != of[b].levels or of[a].of == of[b].of:
            continue
        key, sign = (of[a].of, of[b].of), 1.0
        if key[::-1] in pairs:
            key, sign = key[::-1], -1.0
        low, high = sorted((sign * c.low, sign * c.high))
        row = AtLevels(
            levels=dict(of[a].levels),
            pct_change=known_percent(sign * c.mean),
            ci_low=known_percent(low),
            ci_high=known_percent(high),
            p_holm=c.p if c.tested else None,
            resolved=c.resolved,
        )
        pairs.setdefault(key, []).append(row)
    return [Flip(a, b, at, *flip(at, a, b)) for (a, b), at in pairs.items()]


def flip(at: list[AtLevels], a: str, b: str) -> tuple[str, str | None]:
    """What the levels' comparisons of ``b`` against ``a`` say of the ranking: a :class:`Flip`'s
    ``state`` and ``below``.
    """
    signs = [np.sign(r.pct_change) for r in at if r.resolved and r.pct_change is not None]
    more, less = signs.count(1.0), signs.count(-1.0)
    if more and less:
        return "flips", None
    if len(at) > 1 and len(at) in (more, less):
        return "same", a if more else b
    return "open", None


def _margins(
    table: Table, names: np.ndarray, axes: list, axis: int, settings: Settings
) -> list[Margin]:
    """Geometric means by treatment and level of one factor, over the other factors' levels.

    With intervals from ln E ~ treatment at level + block; blocks count where they have all that a
    mean is of.
    """
    wide = table.wide("energy_j")
    columns, rows = [], []
    for i, of in enumerate(axes[0][1]):
        for j, level in enumerate(axes[axis][1]):
            cells = list(names.take(j, axis=axis)[i].ravel()) if names.ndim > 2 else [names[i, j]]
            if all(cell in wide for cell in cells):
                columns.append(np.log(wide[cells].to_numpy(float)).mean(axis=1))
                rows.append((of, axes[axis][0], level))
    fit = within.levels(np.stack(columns, axis=1)) if rows and len(wide) else None
    if fit is None:
        return []
    half = fit.half(settings.alpha)
    made = []
    for i, (of, factor, level) in enumerate(rows):
        ends = np.exp(fit.mean[i] + np.array([0.0, -half[i], half[i]]))
        made.append(Margin(of, factor, level, *map(float, ends)))
    return made
