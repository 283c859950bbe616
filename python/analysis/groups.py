"""Each group by itself: location, spread and normality of every metric."""

from typing import Any

import numpy as np
from scipy import stats

from analysis import limits
from analysis.table import Table

#: Shapiro–Wilk's p is made for no more values than these.
_MOST_SHAPIRO = 5000


def shapiro(values: np.ndarray) -> tuple[float | None, float | None]:
    """Shapiro–Wilk W and p, or nothing where it is not defined (n < 3, or no spread)."""
    if len(values) < 3 or len(values) > _MOST_SHAPIRO or limits.no_spread(values):
        return None, None
    found = stats.shapiro(values)
    return float(found.statistic), float(found.pvalue)


def describe(values: np.ndarray) -> dict[str, Any]:
    """n, mean, sample standard deviation, median, minimum, maximum and Shapiro–Wilk."""
    if not len(values):
        keys = ("mean", "sd", "median", "min", "max", "shapiro_w", "shapiro_p")
        return {"n": 0, **dict.fromkeys(keys)}
    w, p = shapiro(values)
    return {
        "n": len(values),
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
        "shapiro_w": w,
        "shapiro_p": p,
    }


def summarise(table: Table) -> list[dict[str, Any]]:
    """One row per group and metric, with the normality of the logarithms beside that of the values.

    The logarithms' normality (``shapiro_log_w``, ``shapiro_log_p``) is what the primary analysis
    leans on; it goes to ``summary.json`` and the report.
    """
    rows = []
    for group in table.all_groups:
        for metric in table.metrics:
            values = table.values(metric.name, group)
            row = {"group": group, "metric": metric.name, **describe(values)}
            positive = len(values) and (values > 0).all()  # above idle may be below nothing
            logs = np.log(values) if positive else np.empty(0)
            row["shapiro_log_w"], row["shapiro_log_p"] = shapiro(logs)
            row["geometric_mean"] = float(np.exp(logs.mean())) if positive else None
            rows.append(row)
    return rows
