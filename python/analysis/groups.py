"""Each group by itself: location, spread and normality of every metric."""

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class Described:
    """One metric of one group, in the metric's unit; None where there are too few values.

    ``sd`` is the sample standard deviation; ``shapiro_w`` and ``shapiro_p`` ask for normality.
    """

    group: str
    metric: str
    n: int
    mean: float | None = None
    sd: float | None = None
    median: float | None = None
    min: float | None = None
    max: float | None = None
    shapiro_w: float | None = None
    shapiro_p: float | None = None


@dataclass(frozen=True, kw_only=True)
class Group(Described):
    """One metric of one group, its logarithms beside it: these the primary analysis leans on.

    None, too, where a value is not positive.
    """

    shapiro_log_w: float | None = None
    shapiro_log_p: float | None = None
    #: In the metric's unit.
    geometric_mean: float | None = None


def describe(group: str, metric: str, values: np.ndarray) -> Described:
    """n, mean, sample standard deviation, median, minimum, maximum and Shapiro–Wilk."""
    if not len(values):
        return Described(group=group, metric=metric, n=0)
    w, p = shapiro(values)
    return Described(
        group=group,
        metric=metric,
        n=len(values),
        mean=float(np.mean(values)),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        median=float(np.median(values)),
        min=float(np.min(values)),
        max=float(np.max(values)),
        shapiro_w=w,
        shapiro_p=p,
    )


def describe_all(table: Table) -> list[Group]:
    """One row per group and metric, with the normality of the logarithms beside that of the values.

    The logarithms' normality goes to ``summary.json`` and the report.
    """
    rows = []
    for group in table.all_groups:
        for metric in table.metrics:
            values = table.values(metric.name, group)
            positive = len(values) and (values > 0).all()  # above idle may be below nothing
            logs = np.log(values) if positive else np.empty(0)
            w, p = shapiro(logs)
            rows.append(
                Group(
                    **vars(describe(group, metric.name, values)),
                    shapiro_log_w=w,
                    shapiro_log_p=p,
                    geometric_mean=float(np.exp(logs.mean())) if positive else None,
                )
            )
    return rows
