"""The statistics against direct SciPy, statsmodels and pingouin calls, on published data."""

import math

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multitest import multipletests
from test_analysis_made import build, race, trial

from analysis import (
    effects,
    groups,
    limits,
    omnibus,
    pairs,
)
from analysis.decision import ranks

# Additional hours of sleep of ten patients under two drugs: Cushny and Peebles (1905), used by
# Student (1908), "The probable error of a mean", Biometrika 6(1), 1-25.
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])

# Times of 22 players to round first base by three methods: Hollander and Wolfe (1973),
# Nonparametric Statistical Methods, pp. 140-146.
ROUNDING = np.array(
    [
        [5.40, 5.50, 5.55], [5.85, 5.70, 5.75], [5.20, 5.60, 5.50], [5.55, 5.50, 5.40],
        [5.90, 5.85, 5.70], [5.45, 5.55, 5.60], [5.40, 5.40, 5.35], [5.45, 5.50, 5.35],
        [5.25, 5.15, 5.00], [5.85, 5.80, 5.70], [5.25, 5.20, 5.10], [5.65, 5.55, 5.45],
        [5.60, 5.35, 5.45], [5.05, 5.00, 4.95], [5.50, 5.50, 5.40], [5.45, 5.55, 5.50],
        [5.55, 5.55, 5.35], [5.45, 5.50, 5.55], [5.50, 5.45, 5.25], [5.65, 5.60, 5.40],
        [5.70, 5.65, 5.55], [6.30, 6.30, 6.25],
    ]
)  # fmt: skip


def exact(value):
    """Equal to nine digits."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.fixture
def sleep(tmp_path):
    """Student's data as the logarithms of an energy."""
    rows = [trial("one", i, math.exp(x)) for i, x in enumerate(SLEEP_1)]
    rows += [trial("two", i, math.exp(x)) for i, x in enumerate(SLEEP_2)]
    return build(rows, tmp_path, base="one")


@pytest.fixture
def rounding(tmp_path):
    """The rounding times as energies of three groups."""
    names = ("out", "narrow", "wide")
    rows = [
        trial(name, block, value)
        for block, row in enumerate(ROUNDING)
        for name, value in zip(names, row, strict=True)
    ]
    return build(rows, tmp_path, base="out")


def row(rows, test, metric="energy_j", **wanted):
    [found] = [
        r
        for r in rows
        if r.test == test
        and r.metric == metric
        and all(getattr(r, k) == v for k, v in wanted.items())
    ]
    return found


def test_paired_t_on_logs_gives_students_published_result(sleep):
    found = row(pairs.compare(*sleep), pairs.PAIRED_T)
    assert found.n == 10
    assert found.statistic == pytest.approx(4.0621, abs=5e-5), "the second drug has more"
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    direct = stats.ttest_rel(SLEEP_2, SLEEP_1)
    assert (found.statistic, found.p) == (exact(direct.statistic), exact(direct.pvalue))
    low, high = direct.confidence_interval(0.95)
    assert found.ci_low == exact(100 * math.expm1(low))
    assert found.ci_high == exact(100 * math.expm1(high))
    assert found.pct_change == exact(100 * math.expm1((SLEEP_2 - SLEEP_1).mean()))


def test_ties_and_zeros_leave_the_signed_rank_method_to_scipy(sleep):
    found = row(pairs.compare(*sleep), pairs.WILCOXON)
    # exp and log put the zero and the ties a rounding error apart, so the test is on the logs.
    logs = [np.log(np.exp(x)) for x in (SLEEP_1, SLEEP_2)]
    direct = stats.wilcoxon(*logs, method="auto" if not found.exact else "exact")
    assert found.p == exact(direct.pvalue)
    _, p, was_exact = ranks.signed_rank(SLEEP_2 - SLEEP_1)
    assert not was_exact
    assert p == exact(stats.wilcoxon(SLEEP_1, SLEEP_2).pvalue)


def test_unpaired_tests_are_scipys_on_the_values(sleep):
    found = pairs.compare(*sleep)
    a, b = np.exp(SLEEP_1), np.exp(SLEEP_2)
    for test, direct in (
        (pairs.WELCH, stats.ttest_ind(b, a, equal_var=False)),
        (pairs.MANN_WHITNEY, stats.mannwhitneyu(b, a, alternative="two-sided")),
    ):
        result = row(found, test)
        assert not result.paired
        assert result.statistic == exact(direct.statistic)
        assert result.p == exact(direct.pvalue)


def test_friedman_gives_the_published_result(rounding):
    found = row(omnibus.test(*rounding), "friedman")
    assert found.statistic == pytest.approx(11.1429, abs=5e-5)
    assert found.p == pytest.approx(0.003805, abs=5e-7)


def test_repeated_measures_anova_agrees_with_statsmodels_and_corrects_it(rounding):
    found = row(omnibus.test(*rounding), "rm-anova-log")
    tidy = pd.DataFrame(
        [(i, j, math.log(x)) for i, r in enumerate(ROUNDING) for j, x in enumerate(r)],
        columns=["block", "group", "value"],
    )
    direct = AnovaRM(tidy, "value", "block", within=["group"]).fit().anova_table.iloc[0]
    assert found.statistic == exact(direct["F Value"])
    assert found.p_uncorrected == exact(direct["Pr > F"])
    epsilon = pingouin.epsilon(pd.DataFrame(np.log(ROUNDING)), correction="gg")
    assert found.epsilon == exact(epsilon)
    corrected = stats.f.sf(found.statistic, 2 * epsilon, 42 * epsilon)
    assert found.p == pytest.approx(corrected, rel=1e-6)


def test_holm_corrects_over_the_pairs_of_one_metric(rounding):
    found = [r for r in pairs.compare(*rounding) if r.metric == "energy_j"]
    for test in (pairs.PAIRED_T, pairs.WILCOXON, pairs.WELCH, pairs.MANN_WHITNEY):
        own = [r for r in found if r.test == test]
        assert len(own) == 3
        direct = multipletests([r.p for r in own], method="holm")[1]
        assert [r.p_holm for r in own] == [exact(p) for p in direct]


def test_shapiro_wilk_is_scipys_and_absent_where_undefined():
    assert groups.shapiro(SLEEP_1) == tuple(map(exact, stats.shapiro(SLEEP_1)))
    assert groups.shapiro(SLEEP_1[:2]) == (None, None)
    assert groups.shapiro(np.ones(5)) == (None, None)


def test_the_bootstrap_interval_is_scipys_up_to_its_noise():
    differences = SLEEP_2 - SLEEP_1
    found = effects.bootstrap((differences,), 0.95, seed=3)
    direct = stats.bootstrap(
        (differences,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(3)
    ).confidence_interval
    assert found == pytest.approx((direct.low, direct.high), abs=0.06)
    two = effects.bootstrap((SLEEP_1, SLEEP_2), 0.95, seed=3)
    direct = stats.bootstrap(
        (SLEEP_1, SLEEP_2), lambda a, b, axis: b.mean(axis) - a.mean(axis), n_resamples=9999,
        method="BCa", vectorized=True, rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert two == pytest.approx((direct.low, direct.high), abs=0.1)
    assert effects.bootstrap((differences[:5],), 0.95, seed=3) is None


@pytest.mark.parametrize("paired", [True, False])
def test_hedges_g_is_pingouins(paired):
    direct = pingouin.compute_effsize(SLEEP_2, SLEEP_1, paired=paired, eftype="hedges")
    assert effects.standardised(SLEEP_1, SLEEP_2, paired).hedges_g == exact(direct)


def test_cliffs_delta_counts_pairs_and_has_the_sign_of_the_change():
    found = effects.standardised(SLEEP_1, SLEEP_2, False)
    signs = np.sign(SLEEP_2[:, None] - SLEEP_1[None, :])
    assert found.cliffs_delta == exact(signs.mean())
    assert found.cliffs_delta > 0


def test_every_statistic_has_the_sign_of_its_effect(tmp_path):
    for row_ in pairs.compare(*build(race({"a": 1.0, "b": 1.3, "c": 1.31}), tmp_path, base="b")):
        if row_.test in (pairs.PAIRED_T, pairs.WELCH) and row_.statistic:
            assert np.sign(row_.statistic) == np.sign(row_.pct_change), row_
            assert row_.hedges_g * row_.pct_change > 0


@pytest.mark.parametrize("n", [6, 9, 30, 60])
def test_ranks_and_their_interval_are_scipys_and_the_walsh_averages(n):
    differences = np.random.default_rng(n).normal(0.3, 1.0, n)
    statistic, p, was_exact = ranks.signed_rank(differences)
    direct = stats.wilcoxon(differences, method="exact" if n <= 50 else "auto")
    assert (statistic, p) == (exact(direct.statistic), exact(direct.pvalue))
    assert was_exact == (n <= 50)
    centre, low, high = ranks.hodges_lehmann(differences, 0.05)
    averages = [(x + y) / 2 for i, x in enumerate(differences) for y in differences[i:]]
    assert centre == exact(np.median(averages))
    # The interval holds the shifts that the test does not reject.
    if n <= 50:
        for end, inward in ((low, 1e-9), (high, -1e-9)):
            assert stats.wilcoxon(differences - end - inward).pvalue >= 0.05
            assert stats.wilcoxon(differences - end + inward).pvalue < 0.05


@pytest.mark.parametrize("decimals", [15, 4, 2])
def test_of_many_values_the_averages_are_chosen_without_a_list_of_all(decimals, monkeypatch):
    differences = np.round(np.random.default_rng(decimals).normal(0.7, 0.1, 1200), decimals)
    monkeypatch.setattr(ranks, "_MOST_IN_FULL", 1200)
    listed = ranks.hodges_lehmann(differences, 0.05)
    monkeypatch.setattr(ranks, "_MOST_IN_FULL", 1199)
    monkeypatch.setattr(ranks, "_MOST_LISTED", 100)
    assert ranks.hodges_lehmann(differences, 0.05) == listed
    # Fifty thousand have more than a thousand million averages.
    centre, low, high = ranks.hodges_lehmann(np.linspace(-1.0, 1.0, 50_001), 0.05)
    assert abs(centre) < 1e-15 and low == exact(-high) and 0.005 < high < 0.0055


def test_a_known_effect_is_recovered_inside_its_interval(tmp_path):
    found = row(pairs.compare(*build(race({"a": 1.0, "b": 1.10}), tmp_path)), pairs.PAIRED_T)
    assert (found.a, found.b) == ("a", "b")
    assert found.ci_low < 10 < found.ci_high
    assert found.ci_high - found.ci_low < 3
    assert found.p_holm < 1e-6


def test_pairing_removes_what_the_blocks_share(tmp_path):
    rows = pairs.compare(*build(race({"a": 1.0, "b": 1.05}, block_noise=0.3), tmp_path))
    assert row(rows, pairs.PAIRED_T).p < 1e-6
    assert row(rows, pairs.WELCH).p > 0.05


def test_below_six_blocks_the_paired_t_stays_and_ranks_say_that_they_cannot(tmp_path):
    assert limits.blocks_needed(0.05) == 6
    assert limits.smallest_paired_p(5) == stats.wilcoxon([1.0, 2, 3, 4, 5]).pvalue
    table, settings = build(race({"a": 1.0, "b": 1.08}, blocks=5, block_noise=0.05), tmp_path)
    five = pairs.compare(table, settings)
    logs = np.log(table.blocks("energy_j", ("a", "b")))
    t = row(five, pairs.PAIRED_T)
    assert t.p == exact(stats.ttest_rel(logs["b"], logs["a"]).pvalue)
    assert t.p_holm == t.p and t.ci_low > 0
    rank = row(five, pairs.WILCOXON)
    assert rank.note == "ranks cannot reach 0.05 with 5 blocks"
    assert rank.p == exact(2 / 2**5)
    six = pairs.compare(*build(race({"a": 1.0, "b": 2.0}, blocks=6), tmp_path))
    assert row(six, pairs.WILCOXON).p == exact(2 / 2**6)
    assert row(six, pairs.WILCOXON).note is None


def test_groups_that_share_no_block_are_compared_unpaired(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=10)
    for t in trials:
        t["block"] += 100 if t["group"] == "b" else 0
    rows = pairs.compare(*build(trials, tmp_path))
    assert not [r for r in rows if r.test in (pairs.PAIRED_T, pairs.WILCOXON)]
    decides = row(rows, pairs.WELCH_LOG)
    assert decides.primary and decides.n == 20
    assert decides.p < 1e-6


def test_a_thousand_trials_a_group_are_no_overflow():
    assert limits.smallest_unpaired_p(4, 4) == exact(2 / math.comb(8, 4))
    assert limits.smallest_unpaired_p(1000, 1000) == 0.0
    assert limits.too_few_unpaired(1000, 1000, 0.05) is None


def test_identical_values_have_no_p_value_and_say_so(tmp_path):
    trials = [trial(g, i, e) for i in range(8) for g, e in (("a", 5.0), ("b", 6.0))]
    found = row(pairs.compare(*build(trials, tmp_path)), pairs.PAIRED_T)
    assert found.p is None
    assert "identical" in found.note
