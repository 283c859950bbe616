"""A mixed model beside the primary analysis: ln E ~ group + position + predecessor + (1 | block).

statsmodels' MixedLM fits the variances by restricted maximum likelihood. It gives no degrees of
freedom, so Satterthwaite's are made here: 2 v² / Var(v) for the variance v of a contrast, with
Var(v) from the derivatives of v in the two variances and the curvature of the restricted
likelihood at its optimum (Giesbrecht and Burns 1985), by finite differences.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from statsmodels.regression.mixed_linear_model import MixedLM

from analysis import effects, evidence
from analysis.decision import student
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN

#: Fewest blocks, and most groups, for which a model is fitted.
_MIN_BLOCKS = 3
_MOST_GROUPS = 12

#: Of more blocks than these the variances are found on the likelihood below: statsmodels goes
#: through blocks one by one, a hundred times.
_MOST_BLOCKS = 2000

#: Step of the finite differences, as a share of both variances together: a share of a small one
#: would drown in rounding.
_STEP = 1e-3

#: Below this share of both variances together, blocks vary by nothing that the fit could tell.
_NOTHING = 1e-4


@dataclass(frozen=True)
class Modelled:
    """A pair by the mixed model: the change in per cent, its interval, and its t-test."""

    a: str
    b: str
    pct_change: float
    ci_low: float
    ci_high: float
    #: Satterthwaite's degrees of freedom.
    df: float
    p: float | None
    p_holm: float | None = None


@dataclass(frozen=True)
class Mixed:
    """Every pair by the mixed model; ``note`` says why there is none.

    ``terms`` are what the model has beside the groups and the blocks; the standard deviations
    between blocks and within them are in per cent.
    """

    pairs: list[Modelled] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    block_sd_pct: float | None = field(default=None, metadata=WHERE_KNOWN)
    residual_sd_pct: float | None = field(default=None, metadata=WHERE_KNOWN)
    note: str | None = None


def mixed(table: Table, settings: Settings) -> Mixed:
    """Every pair's estimate by the mixed model, where enough is known to fit one."""
    frame = table.usable[table.usable["group"].isin(table.groups)].dropna(subset=["block"])
    blocks = frame.groupby("block")["group"].nunique().gt(1)
    frame = frame[frame["block"].isin(blocks.index[blocks])]
    if len(table.groups) < 2 or frame["block"].nunique() < _MIN_BLOCKS:
        return Mixed(note="too few blocks")
    if len(table.groups) > _MOST_GROUPS:
        return Mixed(note=f"more than {_MOST_GROUPS} groups")
    design, terms = _design(frame, table)
    if len(frame) <= design.shape[1] + 2:
        return Mixed(terms=terms, note="fewer trials than the model needs")
    response = np.log(frame["energy_j"].to_numpy())
    codes = pd.factorize(frame["block"])[0]
    model = _Model(response, design, codes)
    try:
        many = len(model.sizes) > _MOST_BLOCKS
        variances = model.variances() if many else _fitted(response, design, codes)
    except (np.linalg.LinAlgError, ValueError) as error:
        return Mixed(terms=terms, note=f"it could not be fitted: {error}")
    if variances[0] <= _NOTHING * variances.sum():
        variances[0] = 0.0  # where the fit stops short of the boundary
    rows = [
        _modelled(model, variances, (a, b), _indicator(table, a, b, design), settings)
        for a, b in evidence.comparisons(table, settings)
    ]
    # A missing p counts in nobody's correction.
    corrected = student.holm(np.array([row.p for row in rows], float))
    rows = [
        row if row.p is None else replace(row, p_holm=float(p))
        for row, p in zip(rows, corrected, strict=True)
    ]
    between = float(100.0 * np.sqrt(max(variances[0], 0.0)))
    within = float(100.0 * np.sqrt(variances[1]))
    return Mixed(rows, terms, between, within)


def _fitted(response: np.ndarray, design: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The variances between blocks and within them, as statsmodels fits them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of zero is an answer, and is told
        fit = MixedLM(response, design, groups=codes).fit(reml=True)
    return np.array([float(np.asarray(fit.cov_re)[0, 0]), float(fit.scale)])


def _design(frame: pd.DataFrame, table: Table) -> tuple[np.ndarray, list[str]]:
    """Columns: one, the groups but the first, and whatever more the design can tell apart."""
    columns = [np.ones(len(frame))]
    columns += [frame["group"].eq(g).to_numpy(float) for g in table.groups[1:]]
    terms = []
    for term in ("position", "predecessor"):
        values = frame[term].astype(object).where(frame[term].notna(), "(none)").astype(str)
        if frame[term].nunique() < 2:
            continue
        more: list[np.ndarray] = []
        for level in sorted(values.unique())[1:]:
            column = values.eq(level).to_numpy(float)
            trial = np.column_stack([*columns, *more, column])
            if np.linalg.matrix_rank(trial) == trial.shape[1]:
                more.append(column)
        if more:
            columns += more
            terms.append(term)
    return np.column_stack(columns), terms


def _indicator(table: Table, a: str, b: str, design: np.ndarray) -> np.ndarray:
    contrast = np.zeros(design.shape[1])
    for name, sign in ((a, -1.0), (b, 1.0)):
        if place := table.groups.index(name):
            contrast[place] += sign
    return contrast


class _Model:
    """The restricted likelihood of a random intercept per block, by sums over blocks."""

    def __init__(self, y: np.ndarray, x: np.ndarray, codes: np.ndarray):
        self.y, self.x = y, x
        self.sizes = np.bincount(codes).astype(float)
        self.sum_x = np.zeros((len(self.sizes), x.shape[1]))
        np.add.at(self.sum_x, codes, x)
        self.sum_y = np.bincount(codes, weights=y)
        self.xx, self.xy, self.yy = x.T @ x, x.T @ y, float(y @ y)

    def pieces(self, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """X'V⁻¹X, X'V⁻¹y, y'V⁻¹y and ln |V|, by Woodbury's identity."""
        block, error = variances
        shrink = block / (error + self.sizes * block)
        xx = (self.xx - (self.sum_x.T * shrink) @ self.sum_x) / error
        xy = (self.xy - self.sum_x.T @ (shrink * self.sum_y)) / error
        yy = (self.yy - float(shrink @ self.sum_y**2)) / error
        logs = np.log1p(self.sizes * block / error).sum() + self.sizes.sum() * np.log(error)
        return xx, xy, yy, float(logs)

    def likelihood(self, variances: np.ndarray) -> float:
        """Restricted log-likelihood, less its constants."""
        xx, xy, yy, logs = self.pieces(variances)
        residual = yy - float(xy @ np.linalg.solve(xx, xy))
        return -0.5 * (logs + np.linalg.slogdet(xx)[1] + residual)

    def variances(self) -> np.ndarray:
        """The variances between blocks and within them at the likelihood's optimum.

        One of their share is looked for: at each, their sum that is likeliest is known.
        """
        free = len(self.y) - self.x.shape[1]

        def at(share: float) -> np.ndarray:
            parts = np.array([share, 1.0 - share])
            xx, xy, yy, _ = self.pieces(parts)
            return parts * (yy - float(xy @ np.linalg.solve(xx, xy))) / free

        found = minimize_scalar(
            lambda share: -self.likelihood(at(share)), bounds=(0.0, 1.0 - 1e-9), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        return at(float(found.x))

    def variance(self, variances: np.ndarray, contrast: np.ndarray) -> float:
        """Of a contrast of the fixed effects."""
        return float(contrast @ np.linalg.solve(self.pieces(variances)[0], contrast))


def _modelled(
    model: _Model,
    variances: np.ndarray,
    pair: tuple[str, str],
    contrast: np.ndarray,
    settings: Settings,
) -> Modelled:
    """The model's word on a pair, which ``contrast`` stands for."""
    xx, xy, *_ = model.pieces(variances)
    mean = float(contrast @ np.linalg.solve(xx, xy))
    v = model.variance(variances, contrast)
    df = _satterthwaite(model, variances, contrast, v)
    se = np.sqrt(v)
    half = float(student.quantile(1.0 - settings.alpha / 2.0, df) * se)
    return Modelled(
        a=pair[0],
        b=pair[1],
        pct_change=effects.percent(mean),
        ci_low=effects.percent(mean - half),
        ci_high=effects.percent(mean + half),
        df=df,
        p=float(student.two_sided(np.array(mean / se), np.array(df))) if se > 0 else None,
    )


def _satterthwaite(model: _Model, variances: np.ndarray, contrast: np.ndarray, v: float) -> float:
    """Satterthwaite's degrees of freedom; those of the residuals where blocks vary by nothing."""
    residual = float(len(model.y) - model.x.shape[1])
    # Twice a step down, a variance still stays above zero.
    steps = np.minimum(_STEP * variances.sum(), variances / 4.0)
    if variances.min() <= 0:
        return max(residual, 1.0)
    gradient = _gradient(lambda at: model.variance(at, contrast), variances, steps)
    curvature = _curvature(model.likelihood, variances, steps)
    try:
        spread = float(gradient @ np.linalg.solve(-curvature, gradient))
    except np.linalg.LinAlgError:
        return max(residual, 1.0)
    return float(np.clip(2.0 * v**2 / spread, 1.0, residual)) if spread > 0 else max(residual, 1.0)


def _gradient(of: Callable, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
    moves = np.diag(steps)
    return np.array(
        [(of(at + m) - of(at - m)) / (2 * s) for m, s in zip(moves, steps, strict=True)]
    )


def _curvature(of: Callable, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The second derivatives, by central differences."""
    moves = np.diag(steps)
    found = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            corners = [
                s * t * of(at + s * moves[i] + t * moves[j]) for s in (1, -1) for t in (1, -1)
            ]
            found[i, j] = sum(corners) / (4 * steps[i] * steps[j])
    return (found + found.T) / 2.0
