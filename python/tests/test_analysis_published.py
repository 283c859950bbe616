"""The published recipe against the same recipe written out with SciPy."""

import math

import numpy as np
import pytest
from scipy import stats
from test_analysis_made import build, trial

from analysis import published


def exact(value):
    """Equal to nine digits."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def published_by_hand(a, b):
    """The studies' recipe, written out with NumPy and SciPy alone."""
    a, b = (x[np.abs(stats.zscore(x)) <= 3] for x in (a, b))
    if stats.shapiro(a).pvalue > 0.05 and stats.shapiro(b).pvalue > 0.05:
        return "welch", stats.ttest_ind(a, b, equal_var=False), len(a) + len(b)
    return "mann-whitney", stats.mannwhitneyu(a, b, alternative="two-sided"), len(a) + len(b)


def test_the_published_recipe_agrees_with_scipy_to_nine_digits(tmp_path):
    rng = np.random.default_rng(11)
    trials = []
    for name, mean in (("a", 3000.0), ("b", 3100.0), ("c", 9000.0)):
        energy, time = rng.normal(mean, 60, 42), rng.normal(mean / 60, 1, 42)
        if name == "c":
            energy = rng.lognormal(math.log(mean), 1.2, 42)  # fails Shapiro–Wilk
        energy[3] = mean * 1.8  # beyond three standard deviations
        for block in range(42):
            wrapped = block in (10, 20)
            trials.append(
                trial(
                    name, block, energy[block], time[block], published_time_s=time[block],
                    published_energy_j=energy[block] - (65536.0 if wrapped else 0.0),
                )
            )  # fmt: skip
    table, settings = build(trials, tmp_path, method="published")
    found = published.analyse(table, settings)
    raw = {
        name: np.array(
            [(t["published_energy_j"], t["time_s"]) for t in trials if t["group"] == name]
        )
        for name in "abc"
    }
    tests = set()
    for metric, of in (
        ("energy_j", lambda e, t: e[e >= 0]),
        ("time_s", lambda e, t: t),
        ("power_w", lambda e, t: (e / t)[e >= 0]),
        ("edp_js", lambda e, t: (e * t)[e >= 0]),
    ):
        values = {name: of(*raw[name].T) for name in raw}
        for a, b in (("a", "b"), ("a", "c"), ("b", "c")):
            name, direct, n = published_by_hand(values[a], values[b])
            [mine] = [r for r in found.pairs if (r.metric, r.a, r.b) == (metric, a, b)]
            assert mine.test == name
            assert (mine.statistic, mine.p) == (exact(direct.statistic), exact(direct.pvalue))
            assert mine.n == n
            tests.add(name)
    assert tests == {"welch", "mann-whitney"}
    dropped = {(d.group, d.metric): d for d in found.dropped}
    assert dropped["a", "energy_j"] == published.Dropped("a", "energy_j", 2, 1)
    assert dropped["a", "time_s"].negative_energy == 0
