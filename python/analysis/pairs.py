"""Every compared pair of groups: the primary test, the ranks, and the unpaired reading beside it.

Primary are the logarithms paired within blocks (:mod:`analysis.decision`), or Welch's t on the
logarithms where two groups share too few blocks. Wilcoxon's signed-rank test with the
Hodges–Lehmann interval is a check of agreement. The unpaired reading is Welch's t-test and the
Mann–Whitney test on the values as they are, the way published studies used them. Statistic,
interval and effect all say how ``b`` differs from its base ``a``: positive where ``b`` has more.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import stats

from analysis import effects, evidence, limits, metrics
from analysis.decision import Comparison, Decision, decide, ranks, student
from analysis.groups import shapiro
from analysis.pair import (
    MANN_WHITNEY,
    PAIRED_T,
    PRIMARY,
    WELCH,
    WELCH_LOG,
    WILCOXON,
    Ends,
    Pair,
)
from analysis.settings import Settings
from analysis.table import Table

_IDENTICAL = "no spread at all: the values are identical"


#: Makes a row of what its head does not say.
_Make = Callable[..., Pair]


def compare(table: Table, settings: Settings, energy: Decision | None = None) -> list[Pair]:
    """All compared pairs of all metrics; the A/A pair, a family of its own, comes last.

    ``energy`` is the decision about energy, so that it is not made twice.
    """
    rows: list[Pair] = []
    pairs = evidence.comparisons(table, settings)
    for metric in metrics.compared(table.metrics):
        made = evidence.trials(table, metric.name, settings, order=False)
        found = energy if metric is metrics.ENERGY and energy is not None else decide(made)
        full = not table.many or metric is metrics.ENERGY
        family: list[Pair] = []
        for pair, comparison in zip(pairs, found.comparisons, strict=True):
            family += _pair(table, metric.name, pair, comparison, settings, full)
        rows += holm(family)
    control = settings.control
    if table.twin and control and control.treatment in table.groups:
        for metric in metrics.compared(table.metrics):
            own = _control(table, metric.name, (control.treatment, table.twin), settings)
            rows += [replace(row, control=True) for row in holm(own)]
    return rows


def _control(table: Table, metric: str, pair: tuple[str, str], settings: Settings) -> list[Pair]:
    """The A/A pair's rows, by the same rules as any other pair's."""
    wide = table.wide(metric).reindex(columns=list(pair))
    made = evidence.Trials(
        logs=np.log(wide.to_numpy(float)),
        comparisons=[(0, 1)],
        free=[np.log(table.values(metric, name)) for name in pair],
        alpha=settings.alpha,
    )
    return list(_pair(table, metric, pair, decide(made).comparisons[0], settings, True))


def _pair(
    table: Table,
    metric: str,
    pair: tuple[str, str],
    found: Comparison,
    settings: Settings,
    full: bool,
) -> Iterator[Pair]:
    a, b = (table.values(metric, name) for name in pair)
    shared_a, shared_b = table.shared(metric, *pair)
    logs = np.log(shared_b) - np.log(shared_a)
    confirmatory = metric == "energy_j"
    make = partial(
        Pair,
        metric=metric,
        a=pair[0],
        b=pair[1],
        n_a=len(a),
        n_b=len(b),
        role="confirmatory" if confirmatory else "exploratory",
        blocks=len(logs),
    )
    beside = None
    if full and confirmatory and not table.many:
        beside = _bootstrap((logs,) if found.paired else (np.log(a), np.log(b)), settings)
    if found.paired:
        sizes = effects.standardised(shared_a, shared_b, paired=True)
        yield _primary(make, found, logs, beside, sizes)
        yield _ranks(make, logs, settings)
    else:
        sizes = effects.standardised(a, b, paired=False)
        yield _primary(make, found, logs, beside, sizes)
    if full:
        yield from _unpaired(make, a, b, settings)


def _primary(
    make: _Make, found: Comparison, logs: np.ndarray, beside: Ends | None, sizes: effects.Sizes
) -> Pair:
    """The row of the test that decides."""
    note = None
    if not found.tested:
        short = found.n < 2 if found.paired else min(found.n_base, found.n_group) < 2
        note = _too_few(found) if short else _IDENTICAL
    w, p = shapiro(logs) if found.paired else (None, None)
    return make(
        bootstrap=beside,
        test=PAIRED_T if found.paired else WELCH_LOG,
        paired=found.paired,
        primary=True,
        n=found.n,
        statistic=effects.known(found.mean / found.se) if found.se else None,
        df=effects.known(found.df),
        p=effects.known(found.p_alone),
        p_holm=effects.known(found.p),
        pct_change=effects.known_percent(found.mean),
        ci_low=effects.known_percent(found.low),
        ci_high=effects.known_percent(found.high),
        memory=found.memory,
        difference_shapiro_w=w,
        difference_shapiro_p=p,
        note=note,
        hedges_g=sizes.hedges_g,
        cliffs_delta=sizes.cliffs_delta,
    )


def _bootstrap(samples: tuple[np.ndarray, ...], settings: Settings) -> Ends:
    """The bootstrap's interval, beside Student's."""
    found = effects.bootstrap(samples, settings.confidence, settings.seed)
    low, high = found or (np.nan, np.nan)
    return Ends(effects.known_percent(low), effects.known_percent(high))


def _too_few(found: Comparison) -> str:
    if found.paired:
        return f"{found.n} shared block" + ("" if found.n == 1 else "s")
    return f"{found.n_base} and {found.n_group} trials"


def _ranks(make: _Make, differences: np.ndarray, settings: Settings) -> Pair:
    """The signed-rank test with the Hodges–Lehmann interval."""
    n = len(differences)
    row = make(test=WILCOXON, paired=True, primary=False, n=n)
    if limits.no_spread(differences) or not np.any(differences):
        return replace(row, note=_IDENTICAL)
    statistic, p, exact = ranks.signed_rank(differences)
    centre, low, high = ranks.hodges_lehmann(differences, settings.alpha)
    return replace(
        row,
        statistic=effects.known(statistic),
        p=effects.known(p),
        exact=exact,
        pct_change=effects.known_percent(centre),
        ci_low=effects.known_percent(low),
        ci_high=effects.known_percent(high),
        note=limits.ranks_cannot(n, settings.alpha),
    )


def _unpaired(make: _Make, a: np.ndarray, b: np.ndarray, settings: Settings) -> Iterator[Pair]:
    """Welch and Mann–Whitney on the values; the change is that of the arithmetic mean."""
    sizes = effects.standardised(a, b, paired=False)
    row = partial(
        make, paired=False, primary=False, n=len(a) + len(b), hedges_g=sizes.hedges_g,
        cliffs_delta=sizes.cliffs_delta,
    )  # fmt: skip
    change, ends = of_means(a, b, settings.alpha)
    means = row(test=WELCH, pct_change=change, ci_low=ends.low, ci_high=ends.high)
    note = limits.too_few_unpaired(len(a), len(b), settings.alpha)
    yield _guarded(means, welch, None, a, b)
    yield _guarded(row(test=MANN_WHITNEY), rank_sum, note, a, b)


def of_means(a: np.ndarray, b: np.ndarray, alpha: float) -> tuple[float | None, Ends]:
    """The change of the arithmetic mean, in per cent of ``a``'s, with Welch's interval."""
    if not len(a) or not len(b):
        return None, Ends(None, None)
    change = float(100.0 * (b.mean() / a.mean() - 1.0))
    mean, se, df = student.welch(a, b)
    if not np.isfinite(se):
        return change, Ends(None, None)
    half = float(student.quantile(1.0 - alpha / 2.0, df) * se)
    ends = (float(100.0 * (mean + side * half) / a.mean()) for side in (-1.0, 1.0))
    return change, Ends(*ends)


class Tested(NamedTuple):
    """A test's statistic and its p-value; NaN where the values tell nothing."""

    statistic: float
    p: float


def _guarded(
    row: Pair, test: Callable[..., Tested], note: str | None, *samples: np.ndarray
) -> Pair:
    """Run a test unless there is a reason not to; say so when it has no finite result."""
    if note is None and min(map(len, samples)) < 2:
        note = f"{len(samples[0])} and {len(samples[1])} trials"
    if note is None:
        with warnings.catch_warnings():
            # SciPy warns about identical values; the result is then not finite and is not used.
            warnings.simplefilter("ignore")
            result = test(*samples)
        if np.isfinite(result.p):
            return replace(row, statistic=result.statistic, p=result.p)
        note = _IDENTICAL
    return replace(row, note=note)


def welch(a: np.ndarray, b: np.ndarray) -> Tested:
    """Welch's t-test of ``b`` against ``a``."""
    mean, se, df = student.welch(a, b)
    if not np.isfinite(se):
        return Tested(np.nan, np.nan)
    t = mean / se
    return Tested(t, float(student.two_sided(np.array(t), np.array(df))))


def rank_sum(a: np.ndarray, b: np.ndarray) -> Tested:
    """The two-sided Mann–Whitney test; the statistic is U of ``b``: of how many pairs of trials
    ``b`` has the larger.
    """
    found = stats.mannwhitneyu(b, a, alternative="two-sided")
    return Tested(float(found.statistic), float(found.pvalue))


def holm(rows: list[Pair]) -> list[Pair]:
    """The rows with Holm's correction of each test over the pairs (of one metric).

    Rows of the tests that decide have theirs already.
    """
    made = list(rows)
    for test in dict.fromkeys(row.test for row in rows if row.test not in PRIMARY):
        tested = [i for i, row in enumerate(rows) if row.test == test and row.p is not None]
        corrected = student.holm(np.array([rows[i].p for i in tested], float))
        for i, p in zip(tested, corrected, strict=True):
            made[i] = replace(made[i], p_holm=float(p))
    return made
