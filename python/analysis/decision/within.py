"""Means of groups within blocks, and repeated-measures tests, on logarithms."""

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from analysis.decision.student import quantile

#: Fewer blocks than these leave no spread to test by.
MIN_BLOCKS = 3


@dataclass(frozen=True)
class Levels:
    """Each group's mean logarithm, what blocks have in common taken out of its standard error.

    ``mean[j]`` is the groups' common mean plus group j's deviation in ln y ~ group + block; ``se``
    is the deviation's, by the residual variance that all groups share.
    """

    mean: np.ndarray
    se: np.ndarray
    df: int

    def half(self, alpha: float) -> np.ndarray:
        """Half the width of each one's Student interval."""
        return quantile(1.0 - alpha / 2.0, np.full(len(self.mean), float(self.df))) * self.se


def levels(logs: np.ndarray) -> Levels | None:
    """Blocks by groups, NaN for missing; None where blocks and groups leave nothing over."""
    known = np.isfinite(logs)
    known = known & (known.sum(axis=1) > 1)[:, None]
    k, count = logs.shape[1], known.sum(axis=1)
    used = count > 0
    df = int(known.sum()) - int(used.sum()) - (k - 1)
    if df < 1 or not known.any(axis=0).all():
        return None
    y = np.where(known, logs, 0.0)
    centred = np.where(known, y - (y.sum(axis=1) / np.maximum(count, 1))[:, None], 0.0)
    share = known[used].T / count[used]
    normal = np.diag(known.sum(axis=0).astype(float)) - share @ known[used]
    inverse = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
    deviation = inverse @ centred.sum(axis=0)
    rest = float((centred**2).sum() - deviation @ centred.sum(axis=0))
    own = y.sum(axis=0) / known.sum(axis=0)
    se = np.sqrt(np.maximum(np.diag(inverse), 0.0) * max(rest, 0.0) / df)
    return Levels(own.mean() + deviation - deviation.mean(), se, df)


@dataclass(frozen=True)
class Effect:
    """A repeated-measures F-test; its degrees of freedom and p after Greenhouse and Geisser."""

    f: float
    df1: float
    df2: float
    p: float
    epsilon: float


def effect(contrasts: np.ndarray) -> Effect | None:
    """The test that orthonormal contrasts, blocks by contrasts, are zero on the average.

    F = n·|mean|² / tr(S) with S their covariance; ε = tr(S)² / (q·tr(S²)) shrinks both degrees of
    freedom, q and q·(n − 1). With one contrast it is the paired t-test.
    """
    n, q = contrasts.shape
    if n < MIN_BLOCKS or q < 1:
        return None
    mean = contrasts.mean(axis=0)
    s = np.atleast_2d(np.cov(contrasts.T))
    trace = float(np.trace(s))
    if trace <= 1e-24:
        return None
    epsilon = min(1.0, max(trace**2 / (q * float((s * s).sum())), 1.0 / q))
    f = float(n * (mean @ mean) / trace)
    df1, df2 = q * epsilon, q * (n - 1) * epsilon
    return Effect(f, df1, df2, float(fdtrc(df1, df2, f)), epsilon)


def helmert(k: int) -> np.ndarray:
    """k − 1 orthonormal contrasts of k levels, a row each."""
    rows = [[1.0] * i + [-float(i)] + [0.0] * (k - i - 1) for i in range(1, k)]
    made = np.array(rows).reshape(k - 1, k)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def anova(cells: np.ndarray) -> dict[tuple[int, ...], Effect | None]:
    """Main effects and interactions of two; ``cells`` is blocks by the factors' levels, all there.

    The others are averaged over, which in a full product of levels leaves the tests of each exact.
    """
    axes = [i for i in range(cells.ndim - 1) if cells.shape[i + 1] > 1]
    found: dict[tuple[int, ...], Effect | None] = {}
    asked = [(i,) for i in axes] + [(i, j) for i in axes for j in axes if i < j]
    for which in asked:
        others = tuple(i + 1 for i in range(cells.ndim - 1) if i not in which)
        table = cells.mean(axis=others) if others else cells
        for place in range(len(which)):
            table = np.moveaxis(
                np.tensordot(table, helmert(table.shape[place + 1]), (place + 1, 1)), -1, place + 1
            )
        found[which] = effect(table.reshape(len(cells), -1))
    return found
