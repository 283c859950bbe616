"""Position, predecessor and drift, tested within blocks, and the comparisons adjusted for them.

What drifts for all groups alike is taken out by pairing, and is told as information. What limits a
comparison is a difference that itself changes over the experiment: see :func:`trends`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from analysis.decision.memory import centred
from analysis.decision.student import holm, quantile, two_sided

#: Fewest blocks in which a trend is looked for, of block means or of a pair's differences.
MIN_DRIFT_BLOCKS = 6

#: Eigenvalues below this share of the largest are none: the design cannot tell these apart.
_RANK = 1e-9


@dataclass(frozen=True)
class Factor:
    """A partial F-test within blocks; ``separable`` is whether the design can ask it at all.

    ``effects`` are the levels' effects, adjusted for the groups, against their mean.
    """

    separable: bool
    levels: int
    f: float = np.nan
    df1: int = 0
    df2: int = 0
    p: float = np.nan
    effects: dict[int, float] | None = None


@dataclass(frozen=True)
class Adjusted:
    """Every comparison with position and predecessor in the model; NaN where not estimable."""

    mean: np.ndarray
    se: np.ndarray
    df: float

    def p(self) -> np.ndarray:
        """Two-sided p."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return two_sided(self.mean / self.se, np.full(len(self.mean), self.df))


@dataclass(frozen=True)
class Drift:
    """Slope of the block means (of logarithms) per unit of time, and over the whole experiment."""

    slope: float
    se: float
    df: int
    p: float
    span: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """Student's interval of the slope."""
        half = float(quantile(1.0 - alpha / 2.0, np.array(self.df)) * self.se)
        return self.slope - half, self.slope + half


@dataclass(frozen=True)
class Trends:
    """Slopes of the comparisons' log ratios per block; ``p`` is after Holm over the comparisons.

    NaN where a comparison is not within blocks, or has too few of them.
    """

    slope: np.ndarray
    p: np.ndarray
    span: np.ndarray

    @property
    def smallest_p(self) -> float:
        """The p-value of there being any trend at all, NaN where none could be tested."""
        return float(np.nanmin(self.p)) if np.isfinite(self.p).any() else float("nan")


@dataclass(frozen=True)
class Confounders:
    """What could be tested; None where the data do not know it or are too few."""

    position: Factor | None
    predecessor: Factor | None
    drift: Drift | None
    adjusted: Adjusted | None


class _Within:
    """Sums of squares of columns and response, each taken against its block's mean.

    Taking block means away is the same as a term for every block (Frisch, Waugh and Lovell), for
    incomplete blocks as well.
    """

    def __init__(self, logs: np.ndarray, used: np.ndarray):
        count = used.sum(axis=1)
        self.used = used & (count > 1)[:, None]
        self.count = np.maximum(self.used.sum(axis=1), 1)[:, None]
        self.free = int(self.used.sum()) - int((count > 1).sum())
        self.y = self._centred(logs[None])[0]

    def _centred(self, stack: np.ndarray) -> np.ndarray:
        filled = np.where(self.used, stack, 0.0)
        means = filled.sum(axis=2, keepdims=True) / self.count
        return np.where(self.used, filled - means, 0.0)[:, self.used]

    def fit(self, stack: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, int]:
        """Coefficients, (X'X)⁺, residual sum of squares and rank."""
        x = self._centred(stack)
        values, vectors = np.linalg.eigh(x @ x.T)
        kept = values > _RANK * max(values[-1], 1e-300)
        inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        beta = inverse @ (x @ self.y)
        residual = self.y - beta @ x
        return beta, inverse, float(residual @ residual), int(kept.sum())


def examine(
    logs: np.ndarray,
    position: np.ndarray | None,
    predecessor: np.ndarray | None,
    times: np.ndarray | None,
    base: np.ndarray,
    group: np.ndarray,
    strata: np.ndarray | None = None,
) -> Confounders:
    """All of it. Each factor is tested beside the groups and the other factor where the design can
    tell all of them apart, else beside the groups alone.
    """
    known = np.isfinite(logs)
    k = logs.shape[1]
    treatment = np.broadcast_to(np.eye(k)[:, None, :], (k, *logs.shape))
    places, before = _levels(position, known), _levels(predecessor, known)
    trend = drift(logs, times, strata)
    if places is None and before is None:
        return Confounders(None, None, trend, None)
    within = _Within(logs, known)
    stacks = [s for s in (places, before) if s is not None]
    full = within.fit(np.concatenate([treatment, *(s for _, s in stacks)]))
    tests = []
    for own, other in ((places, before), (before, places)):
        tests.append(_factor(within, treatment, own, other))
    return Confounders(tests[0], tests[1], trend, _adjusted(within, full, base, group))


def _levels(codes: np.ndarray | None, known: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The levels of a factor and their indicators, levels by blocks by groups."""
    if codes is None:
        return None
    values = np.where(known & np.isfinite(codes), codes, -1.0)
    levels = np.unique(values[known])
    if len(levels[levels >= 0]) < 2:
        return None
    return levels, (values[None] == levels[:, None, None]).astype(float)


def _factor(within: _Within, treatment: np.ndarray, own, other) -> Factor | None:
    if own is None:
        return None
    levels, stack = own
    for beside in ([other] if other is not None else []) + [None]:
        small = treatment if beside is None else np.concatenate([treatment, beside[1]])
        *_, rss0, rank0 = within.fit(small)
        beta, _, rss1, rank1 = within.fit(np.concatenate([small, stack]))
        gained, left = rank1 - rank0, within.free - rank1
        # An unknown place is no level that could matter, so one rank less may be gained.
        whole = len(levels[levels >= 0]) - 1
        if gained >= whole and left > 1:
            if rss1 <= 1e-24:
                return None
            f = (rss0 - rss1) / gained / (rss1 / left)
            effects = beta[len(small) :]
            effects = dict(zip(levels.astype(int).tolist(), effects - effects.mean(), strict=True))
            p = float(fdtrc(gained, left, max(f, 0.0)))
            return Factor(True, whole + 1, float(f), gained, left, p, effects)
    return Factor(False, len(levels[levels >= 0])) if left > 1 else None


def _adjusted(within: _Within, full, base: np.ndarray, group: np.ndarray) -> Adjusted | None:
    beta, inverse, rss, rank = full
    df = within.free - rank
    if df < 2:
        return None
    contrast = np.zeros((len(base), len(beta)))
    rows = np.arange(len(base))
    contrast[rows, group] += 1.0
    contrast[rows, base] -= 1.0
    variance = np.einsum("ij,jk,ik->i", contrast, inverse, contrast) * rss / df
    # Estimable is what lies in the design's row space: the projection leaves it as it is.
    values, vectors = np.linalg.eigh(inverse)
    kept = vectors[:, values > _RANK * values[-1]]
    estimable = np.abs(contrast - contrast @ kept @ kept.T).max(axis=1) < 1e-6
    mean = np.where(estimable, contrast @ beta, np.nan)
    return Adjusted(mean, np.where(estimable, np.sqrt(np.maximum(variance, 0)), np.nan), float(df))


def drift(
    logs: np.ndarray, times: np.ndarray | None, strata: np.ndarray | None = None
) -> Drift | None:
    """The trend of the block means, each trial first taken against its group's mean.

    One value per block: the trials of a block are not independent of each other. With ``strata``,
    machines, one slope for all, each with a level and a beginning of its own.
    """
    known = np.isfinite(logs)
    with np.errstate(invalid="ignore"):
        filled = np.where(known, logs, 0.0)
        against = np.where(known, logs - filled.sum(axis=0) / known.sum(axis=0), 0.0)
        means = against.sum(axis=1) / known.sum(axis=1)
    x = np.arange(len(logs), dtype=float) if times is None else np.asarray(times, float)
    kept = np.isfinite(means) & np.isfinite(x)
    x, y = x[kept], means[kept]
    codes = None if strata is None else strata[kept]
    many = 1 if codes is None else len(np.unique(codes))
    df = len(x) - 1 - many
    dx, dy = (centred(v[:, None], codes)[:, 0] for v in (x, y))
    if len(x) < MIN_DRIFT_BLOCKS or df < 1 or not dx.any():
        return None
    slope = float(dx @ dy / (dx @ dx))
    residual = dy - slope * dx
    se = float(np.sqrt(residual @ residual / df / (dx @ dx)))
    if se <= 1e-15:
        return None
    p = float(two_sided(np.array(slope / se), np.array(df)))
    span = float(np.ptp(x)) if codes is None else max(float(np.ptp(x[codes == c])) for c in codes)
    return Drift(slope, se, df, p, span)


def trends(differences: np.ndarray, paired: np.ndarray, strata: np.ndarray | None = None) -> Trends:
    """The trend of every comparison's log ratios over the blocks, in the order in which they ran.

    Block order and not time: a night between two blocks would decide the slope alone. With
    ``strata``, machines, one slope for all; each has a mean of its own and counts from its first.
    """
    known = np.isfinite(differences) & paired
    n = known.sum(axis=0)
    many = 1 if strata is None else len(np.unique(strata))
    x = _places(len(differences), strata)[:, None]
    dx, y = (
        centred(np.where(known, v, np.nan), strata) for v in (np.broadcast_to(x, known.shape),
                                                              differences)
    )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        square = (dx**2).sum(axis=0)
        slope = (dx * y).sum(axis=0) / square
        df = n - 1.0 - many
        rest = np.maximum((y**2).sum(axis=0) - slope**2 * square, 0.0)
        se = np.sqrt(rest / df / square)
        tested = (n >= MIN_DRIFT_BLOCKS) & (df > 0) & (se > 1e-15)
        t = np.where(tested, slope / se, np.nan)
        p = holm(two_sided(t, np.where(tested, df, 1.0)))
        last = np.where(known, x, -np.inf).max(axis=0, initial=-np.inf)
        span = last - np.where(known, x, np.inf).min(axis=0, initial=np.inf)
    return Trends(np.where(tested, slope, np.nan), p, np.where(tested, span, np.nan))


def _places(count: int, strata: np.ndarray | None) -> np.ndarray:
    """Each block's place among those of its machine, from 0."""
    x = np.arange(count, dtype=float)
    if strata is None:
        return x
    first = {code: float(np.flatnonzero(strata == code)[0]) for code in np.unique(strata)}
    return x - np.array([first[code] for code in strata])
