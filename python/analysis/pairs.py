"""Every compared pair of groups: the primary test, the ranks, and the unpaired reading beside it.

Primary are the logarithms paired within blocks (:mod:`analysis.decision`), or Welch's t on the
logarithms where two groups share too few blocks. Wilcoxon's signed-rank test with the
Hodges–Lehmann interval is a check of agreement. The unpaired reading is Welch's t-test and the
Mann–Whitney test on the values as they are, the way published studies used them. Statistic,
interval and effect all say how ``b`` differs from its base ``a``: positive where ``b`` has more.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import stats

from analysis import effects, evidence, limits, metrics
from analysis.decision import Comparison, Decision, decide, ranks, student
from analysis.groups import shapiro
from analysis.settings import Settings
from analysis.table import Table

PAIRED_T = "paired-t-log"
WELCH_LOG = "welch-log"
WILCOXON = "wilcoxon-log"
WELCH = "welch"
MANN_WHITNEY = "mann-whitney"

#: The tests that decide, whichever a pair has.
PRIMARY = (PAIRED_T, WELCH_LOG)


def compare(
    table: Table, settings: Settings, energy: Decision | None = None
) -> list[dict[str, Any]]:
    """All compared pairs of all metrics; the A/A pair, a family of its own, comes last.

    Each row is one test. ``note`` says why a p-value is missing or what it cannot show. ``energy``
    is the decision about energy, so that it is not made twice.
    """
    rows: list[dict[str, Any]] = []
    pairs = evidence.comparisons(table, settings)
    for metric in metrics.compared(table.metrics):
        made = evidence.trials(table, metric.name, settings, order=False)
        found = energy if metric is metrics.ENERGY and energy is not None else decide(made)
        full = not table.many or metric is metrics.ENERGY
        family = []
        for (a, b), comparison in zip(pairs, found.comparisons, strict=True):
            head = {"metric": metric.name, "a": a, "b": b}
            family += _pair(table, head, comparison, settings, full)
        rows += holm(family)
    if table.twin and settings.control and settings.control.treatment in table.groups:
        for metric in metrics.compared(table.metrics):
            pair = _control(table, metric.name, settings)
            rows += [row | {"control": True} for row in holm(pair)]
    return rows


def _control(table: Table, metric: str, settings: Settings) -> list[dict[str, Any]]:
    """The A/A pair's rows, by the same rules as any other pair's."""
    a, b = settings.control.treatment, table.twin
    wide = table.wide(metric).reindex(columns=[a, b])
    made = evidence.Trials(
        logs=np.log(wide.to_numpy(float)),
        comparisons=[(0, 1)],
        free=[np.log(table.values(metric, name)) for name in (a, b)],
        alpha=settings.alpha,
    )
    head = {"metric": metric, "a": a, "b": b}
    return list(_pair(table, head, decide(made).comparisons[0], settings, True))


def _pair(
    table: Table, head: dict[str, Any], found: Comparison, settings: Settings, full: bool
) -> Iterator[dict[str, Any]]:
    a, b = table.values(head["metric"], head["a"]), table.values(head["metric"], head["b"])
    head = head | {
        "n_a": len(a),
        "n_b": len(b),
        "role": "confirmatory" if head["metric"] == "energy_j" else "exploratory",
    }
    shared_a, shared_b = table.shared(head["metric"], head["a"], head["b"])
    logs = np.log(shared_b) - np.log(shared_a)
    head["blocks"] = len(logs)
    beside = {}
    if full and head["role"] == "confirmatory" and not table.many:
        beside = _bootstrap((logs,) if found.paired else (np.log(a), np.log(b)), settings)
    if found.paired:
        sizes = effects.standardised(shared_a, shared_b, paired=True)
        yield head | beside | _primary(found, logs) | sizes
        yield head | _ranks(logs, settings) | _no_size()
    else:
        yield head | beside | _primary(found, logs) | effects.standardised(a, b, paired=False)
    if full:
        yield from _unpaired(head, a, b, settings)


def _primary(found: Comparison, logs: np.ndarray) -> dict[str, Any]:
    """The row of the test that decides."""
    note = None
    if not found.tested:
        short = found.n < 2 if found.paired else min(found.n_base, found.n_group) < 2
        note = _too_few(found) if short else "no spread at all: the values are identical"
    w, p = shapiro(logs) if found.paired else (None, None)
    return {
        "test": PAIRED_T if found.paired else WELCH_LOG,
        "paired": found.paired,
        "primary": True,
        "n": found.n,
        "statistic": _finite(found.mean / found.se) if found.se else None,
        "df": _finite(found.df),
        "p": _finite(found.p_alone),
        "p_holm": _finite(found.p),
        "pct_change": _percent(found.mean),
        "ci_low": _percent(found.low),
        "ci_high": _percent(found.high),
        "memory": found.memory,
        "difference_shapiro_w": w,
        "difference_shapiro_p": p,
        "note": note,
    }


def _bootstrap(samples: tuple[np.ndarray, ...], settings: Settings) -> dict[str, Any]:
    """The bootstrap's interval, beside Student's."""
    found = effects.bootstrap(samples, settings.confidence, settings.seed)
    low, high = found or (np.nan, np.nan)
    return {"boot_low": _percent(low), "boot_high": _percent(high)}


def _too_few(found: Comparison) -> str:
    if found.paired:
        return f"{found.n} shared block" + ("" if found.n == 1 else "s")
    return f"{found.n_base} and {found.n_group} trials"


def _ranks(differences: np.ndarray, settings: Settings) -> dict[str, Any]:
    """The signed-rank test with the Hodges–Lehmann interval."""
    n = len(differences)
    row: dict[str, Any] = {"test": WILCOXON, "paired": True, "primary": False, "n": n}
    if limits.no_spread(differences) or not np.any(differences):
        return row | _empty() | {"note": "no spread at all: the values are identical"}
    statistic, p, exact = ranks.signed_rank(differences)
    centre, low, high = ranks.hodges_lehmann(differences, settings.alpha)
    return row | {
        "statistic": _finite(statistic),
        "p": _finite(p),
        "exact": exact,
        "pct_change": _percent(centre),
        "ci_low": _percent(low) if np.isfinite(low) else None,
        "ci_high": _percent(high) if np.isfinite(high) else None,
        "note": limits.ranks_cannot(n, settings.alpha),
    }


def _unpaired(
    head: dict[str, Any], a: np.ndarray, b: np.ndarray, settings: Settings
) -> Iterator[dict[str, Any]]:
    """Welch and Mann–Whitney on the values; the change is that of the arithmetic mean."""
    row = {"paired": False, "primary": False, "n": len(a) + len(b)}
    note = limits.too_few_unpaired(len(a), len(b), settings.alpha)
    means = _empty()
    if len(a) and len(b):
        means["pct_change"] = float(100.0 * (b.mean() / a.mean() - 1.0))
    mean, se, df = student.welch(a, b)
    if np.isfinite(se):
        half = float(student.quantile(1.0 - settings.alpha / 2.0, df) * se)
        means["ci_low"] = float(100.0 * (mean - half) / a.mean())
        means["ci_high"] = float(100.0 * (mean + half) / a.mean())
    sizes = effects.standardised(a, b, paired=False)
    yield head | row | means | sizes | {"test": WELCH} | _guarded(welch, None, a, b)
    yield head | row | _empty() | sizes | {"test": MANN_WHITNEY} | _guarded(rank_sum, note, a, b)


def _guarded(test: Callable[..., dict], note: str | None, *samples: np.ndarray) -> dict[str, Any]:
    """Run a test unless there is a reason not to; say so when it has no finite result."""
    if note is None and min(map(len, samples)) < 2:
        note = f"{len(samples[0])} and {len(samples[1])} trials"
    if note is None:
        with warnings.catch_warnings():
            # SciPy warns about identical values; the result is then not finite and is not used.
            warnings.simplefilter("ignore")
            result = test(*samples)
        if np.isfinite(result["p"]):
            return result | {"note": None}
        note = "no spread at all: the values are identical"
    return {"statistic": None, "p": None, "note": note}


def welch(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Welch's t-test of ``b`` against ``a``."""
    mean, se, df = student.welch(a, b)
    if not np.isfinite(se):
        return {"statistic": np.nan, "p": np.nan}
    t = mean / se
    return {"statistic": t, "p": float(student.two_sided(np.array(t), np.array(df)))}


def rank_sum(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """The two-sided Mann–Whitney test; the statistic is U of ``b``: of how many pairs of trials
    ``b`` has the larger.
    """
    found = stats.mannwhitneyu(b, a, alternative="two-sided")
    return {"statistic": float(found.statistic), "p": float(found.pvalue)}


def _empty() -> dict[str, Any]:
    return dict.fromkeys(("statistic", "p", "pct_change", "ci_low", "ci_high"))


def _no_size() -> dict[str, Any]:
    return dict.fromkeys(("hedges_g", "cliffs_delta"))


def _percent(log_ratio: float) -> float | None:
    return effects.percent(log_ratio) if np.isfinite(log_ratio) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add ``p_holm``: Holm's correction of each test over the pairs of ``rows`` (one metric).

    Rows of the tests that decide have theirs already.
    """
    open_rows = [row for row in rows if "p_holm" not in row]
    for test in dict.fromkeys(row["test"] for row in open_rows):
        tested = [row for row in open_rows if row["test"] == test and row["p"] is not None]
        corrected = student.holm(np.array([row["p"] for row in tested], float))
        for row, p in zip(tested, corrected, strict=True):
            row["p_holm"] = float(p)
    return [{"p_holm": None} | row for row in rows]


class Index:
    """The rows of all tests by metric, pair and test, whichever way round the pair is asked for."""

    def __init__(self, rows: list[dict[str, Any]]):
        self._rows = {
            (r["metric"], frozenset((r["a"], r["b"])), r["test"]): r for r in reversed(rows)
        }

    def find(self, metric: str, a: str, b: str, *tests: str) -> dict[str, Any] | None:
        """The row of the first of these tests that the pair has."""
        keys = ((metric, frozenset((a, b)), test) for test in tests)
        return next((self._rows[key] for key in keys if key in self._rows), None)


def find(
    rows: list[dict[str, Any]], metric: str, a: str, b: str, test: str
) -> dict[str, Any] | None:
    """The row of one test of one pair; :class:`Index` where many are asked for."""
    return Index(rows).find(metric, a, b, test)
