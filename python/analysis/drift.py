"""Whether energy depends on when a trial ran: time, position in the block, predecessor, memory.

The response is ln E with a mean of its own for every group, so a slope times 100 is close to per
cent and is given exactly as a percentage change.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.tsa.stattools import acf

from analysis import effects, limits
from analysis.settings import Settings
from analysis.table import Table

#: Fewest trials for a model of drift, fewest blocks for an autocorrelation.
_MIN_TRIALS = 8
_MIN_BLOCKS = 8


def analyse(table: Table, settings: Settings) -> dict[str, Any]:
    """Slopes over time and run order, the factors position and predecessor, and lag-1 memory.

    Every part is ``None`` where the data do not know it or are too few.
    """
    frame = table.usable.dropna(subset=["energy_j"])
    return {
        "time": _slope(frame, "start_unix_s", 3600.0, "per hour", settings),
        "run_order": _slope(frame, "run_order", 1.0, "per trial", settings),
        "position": _factor(frame, "position"),
        "predecessor": _factor(frame, "predecessor"),
        "autocorrelation": _autocorrelation(table, settings),
    }


def deviations(table: Table) -> pd.DataFrame:
    """Usable trials with ``deviation``: energy against the group's geometric mean, in per cent."""
    frame = table.usable.dropna(subset=["energy_j"]).copy()
    logs = np.log(frame["energy_j"])
    frame["deviation"] = 100.0 * np.expm1(logs - logs.groupby(frame["group"]).transform("mean"))
    return frame


def _dummies(column: pd.Series) -> pd.DataFrame:
    """Indicator columns, the first level left out."""
    return pd.get_dummies(column.astype(str), drop_first=True, dtype=float)


def _slope(
    frame: pd.DataFrame, column: str, scale: float, unit: str, settings: Settings
) -> dict[str, Any] | None:
    frame = frame.dropna(subset=[column])
    x = (frame[column] - frame[column].min()) / scale
    if len(frame) < _MIN_TRIALS or limits.no_spread(x):
        return None
    design = pd.concat([x.rename("x"), _dummies(frame["group"])], axis=1)
    design.insert(0, "const", 1.0)
    if np.linalg.matrix_rank(design.to_numpy()) < design.shape[1] or len(frame) <= design.shape[1]:
        return {"note": "runs one after another: time cannot be told from the group"}
    fit = OLS(np.log(frame["energy_j"]).to_numpy(), design.to_numpy()).fit()
    if not np.isfinite(fit.pvalues[1]):
        return None
    low, high = fit.conf_int(alpha=settings.alpha)[1]
    span = float(np.ptp(x))
    return {
        "unit": unit,
        "pct": effects.percent(fit.params[1]),
        "ci_low": effects.percent(low),
        "ci_high": effects.percent(high),
        "p": float(fit.pvalues[1]),
        "span": span,
        "pct_over_experiment": effects.percent(fit.params[1] * span),
    }


def _factor(frame: pd.DataFrame, column: str) -> dict[str, Any] | None:
    """A partial F-test of a factor beside the groups, and whether the design can tell them apart.

    With a fixed order a group always has the same position and predecessor; the design then has
    no column left for the factor and no test can separate the two.
    """
    frame = frame.dropna(subset=[column])
    levels = frame[column].nunique()
    if len(frame) < _MIN_TRIALS or levels < 2:
        return None
    response = np.log(frame["energy_j"]).to_numpy()
    small = _dummies(frame["group"])
    small.insert(0, "const", 1.0)
    large = pd.concat([small, _dummies(frame[column]).add_prefix("factor ")], axis=1)
    gained = np.linalg.matrix_rank(large.to_numpy()) - np.linalg.matrix_rank(small.to_numpy())
    if gained < levels - 1:
        return {"separable": False, "levels": levels}
    if len(frame) <= large.shape[1] + 1:
        return None
    full, reduced = OLS(response, large.to_numpy()).fit(), OLS(response, small.to_numpy()).fit()
    f, p, df = full.compare_f_test(reduced)
    if not np.isfinite(p):
        return None
    effect = full.params[small.shape[1] :]
    largest = float(np.ptp(np.append(effect, 0.0)))
    return {
        "separable": True,
        "levels": levels,
        "f": float(f),
        "df1": float(df),
        "df2": float(full.df_resid),
        "p": float(p),
        "largest_pct": effects.percent(largest),
    }


def _autocorrelation(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """Lag-1 autocorrelation of each group's ln E in block order, and of the pairs' log ratios.

    The paired tests take the blocks' differences for independent; theirs is what counts.
    """
    rows = []
    for group in table.all_groups:
        series = table.blocks("energy_j", (group,))[group]
        rows.append({"series": group, "kind": "group"} | _lag_one(np.log(series.to_numpy())))
    for i, a in enumerate(table.groups):
        for b in table.groups[i + 1 :]:
            blocks = np.log(table.blocks("energy_j", (a, b)))
            series = (blocks[b] - blocks[a]).to_numpy()
            rows.append({"series": f"{b} ÷ {a}", "kind": "pair"} | _lag_one(series))
    return rows


def _lag_one(series: np.ndarray) -> dict[str, Any]:
    n = len(series)
    if n < _MIN_BLOCKS or limits.no_spread(series):
        return {"n": n, "r1": None, "p": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r1 = acf(series, nlags=1, fft=False)[1]
        box = acorr_ljungbox(series, lags=[1])
    return {"n": n, "r1": float(r1), "p": float(box["lb_pvalue"].iloc[0])}
