"""Every pair of groups: paired within blocks, and unpaired beside it.

Primary are the logarithms paired within blocks: the paired t-test and the Wilcoxon signed-rank
test, both on the log ratios of the blocks. The unpaired reading is Welch's t-test and the
Mann–Whitney test on the values as they are, the way published studies used them. Holm corrects
each test over the pairs of one metric. A statistic is SciPy's for ``(a, b)``, so t is negative
where ``b`` has more; the effects are those of ``b`` against the base ``a``, so positive there.
"""

import warnings
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pingouin
from scipy import stats

from analysis import effects, limits, metrics
from analysis.groups import shapiro
from analysis.settings import RESAMPLES, SECONDARY_RESAMPLES, Settings
from analysis.table import Table

PAIRED_T = "paired-t-log"
WILCOXON = "wilcoxon-log"
WELCH = "welch"
MANN_WHITNEY = "mann-whitney"

#: An exact signed-rank distribution is used up to this many pairs, as SciPy's own limit.
_EXACT_PAIRS = 50


def compare(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """All pairs of all metrics; the A/A pair, a family of its own, comes last.

    Each row is one test. ``note`` says why a p-value is missing.
    """
    rows: list[dict[str, Any]] = []
    for metric in table.metrics:
        found = []
        for a, b in combinations(table.groups, 2):
            found += _pair(table, metric.name, a, b, settings)
        rows += holm(found)
    if table.twin and settings.control and settings.control.treatment in table.groups:
        for metric in table.metrics:
            pair = _pair(table, metric.name, settings.control.treatment, table.twin, settings)
            rows += [row | {"control": True} for row in holm(pair)]
    return rows


def _pair(table: Table, metric: str, a: str, b: str, settings: Settings) -> Iterator[dict]:
    blocks = table.blocks(metric, (a, b))
    log_a, log_b = np.log(blocks[a].to_numpy()), np.log(blocks[b].to_numpy())
    free_a, free_b = table.values(metric, a), table.values(metric, b)
    names = {"metric": metric, "a": a, "b": b}
    counts = {"n_a": len(free_a), "n_b": len(free_b), "blocks": len(blocks)}
    yield from _paired(names | counts, log_a, log_b, settings)
    yield from _unpaired(names | counts, free_a, free_b, settings)


def _paired(
    head: dict[str, Any], log_a: np.ndarray, log_b: np.ndarray, settings: Settings
) -> Iterator[dict[str, Any]]:
    n = len(log_a)
    note = limits.too_few_pairs(n, settings.alpha)
    effect = _no_effect()
    if n:
        level, seed = settings.confidence, settings.seed
        effect = effects.change_paired(log_a, log_b, level, seed, _resamples(head))
        effect |= effects.standardised(log_a, log_b, True, level, seed, _headline(head))
    differences = log_b - log_a
    w, p = shapiro(differences)
    effect |= {"difference_shapiro_w": w, "difference_shapiro_p": p}
    for name, test in ((PAIRED_T, paired_t), (WILCOXON, signed_rank)):
        result = _guarded(test, note, log_a, log_b)
        yield head | {"test": name, "paired": True, "n": n} | result | effect


def _unpaired(
    head: dict[str, Any], a: np.ndarray, b: np.ndarray, settings: Settings
) -> Iterator[dict[str, Any]]:
    note = limits.too_few_unpaired(len(a), len(b), settings.alpha)
    effect = _no_effect()
    if len(a) and len(b):
        level, seed = settings.confidence, settings.seed
        effect = effects.change_unpaired(np.log(a), np.log(b), level, seed, _resamples(head))
        effect |= effects.standardised(a, b, False, level, seed, _headline(head))
    for name, test in ((WELCH, welch), (MANN_WHITNEY, rank_sum)):
        result = _guarded(test, note, a, b)
        yield head | {"test": name, "paired": False, "n": len(a) + len(b)} | result | effect


def _headline(head: dict[str, Any]) -> bool:
    return any(head["metric"] == metric.name for metric in metrics.HEADLINE)


def _resamples(head: dict[str, Any]) -> int:
    return RESAMPLES if _headline(head) else SECONDARY_RESAMPLES


def _guarded(test: Callable[..., dict], note: str | None, *samples: np.ndarray) -> dict[str, Any]:
    """Run a test unless there is a reason not to; say so when it has no finite result."""
    if note is None:
        with warnings.catch_warnings():
            # SciPy warns about identical values; the result is then not finite and is not used.
            warnings.simplefilter("ignore")
            result = test(*samples)
        if np.isfinite(result["p"]):
            return result | {"note": None}
        note = "no spread at all: the values are identical"
    return {"statistic": None, "p": None, "note": note}


def paired_t(log_a: np.ndarray, log_b: np.ndarray) -> dict[str, float]:
    """The paired t-test, ``scipy.stats.ttest_rel(a, b)`` on logarithms."""
    if limits.no_spread(log_b - log_a):
        return {"statistic": np.nan, "p": np.nan}
    found = stats.ttest_rel(log_a, log_b)
    return {"statistic": float(found.statistic), "p": float(found.pvalue)}


def signed_rank(log_a: np.ndarray, log_b: np.ndarray) -> dict[str, Any]:
    """Wilcoxon's signed-rank test: exact without ties up to 50 pairs, SciPy's choice otherwise."""
    differences = log_a - log_b
    sizes = np.abs(differences)
    plain = len(np.unique(sizes)) == len(sizes) and sizes.all()
    method = "exact" if plain and len(sizes) <= _EXACT_PAIRS else "auto"
    if not sizes.any():
        return {"statistic": np.nan, "p": np.nan}
    found = stats.wilcoxon(differences, method=method)
    return {
        "statistic": float(found.statistic),
        "p": float(found.pvalue),
        "exact": method == "exact",
    }


def welch(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Welch's t-test, ``scipy.stats.ttest_ind(a, b, equal_var=False)``."""
    found = stats.ttest_ind(a, b, equal_var=False)
    return {"statistic": float(found.statistic), "p": float(found.pvalue)}


def rank_sum(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """The two-sided Mann–Whitney test; the statistic is U of ``a``, SciPy's first sample."""
    found = stats.mannwhitneyu(a, b, alternative="two-sided")
    return {"statistic": float(found.statistic), "p": float(found.pvalue)}


def _no_effect() -> dict[str, Any]:
    keys = ("pct_change", "ci_low", "ci_high", "t_low", "t_high", "hedges_g", "hedges_g_low",
            "hedges_g_high", "cliffs_delta", "cliffs_delta_low", "cliffs_delta_high")  # fmt: skip
    return dict.fromkeys(keys)


def holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add ``p_holm``: Holm's correction of each test over the pairs of ``rows`` (one metric)."""
    for test in dict.fromkeys(row["test"] for row in rows):
        tested = [row for row in rows if row["test"] == test and row["p"] is not None]
        if tested:
            corrected = pingouin.multicomp([row["p"] for row in tested], method="holm")[1]
            for row, p in zip(tested, corrected, strict=True):
                row["p_holm"] = float(p)
    return [{"p_holm": None} | row for row in rows]


def find(
    rows: list[dict[str, Any]], metric: str, a: str, b: str, test: str
) -> dict[str, Any] | None:
    """The row of one test of one pair, whichever way round it was asked for."""
    for row in rows:
        if row["metric"] == metric and row["test"] == test and {row["a"], row["b"]} == {a, b}:
            return row
    return None
