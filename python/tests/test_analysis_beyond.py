"""What an experiment could have seen, whether its result hangs on little, and what it is worth."""

import math

import numpy as np
import pingouin
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from test_analysis_made import build, race, trial

from analysis import decomposition, evidence, pairs, practical, resolution, robustness


def exact(value):
    """Equal to nine digits."""
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def test_power_and_time_add_up_to_energy(tmp_path):
    trials = race({"a": 1.0, "b": 1.5})
    for t in trials:
        t["time_s"] *= 1.5 if t["group"] == "b" else 1.0
    found = split(*build(trials, tmp_path))
    total = found.power_w.log_ratio + found.time_s.log_ratio
    assert total == pytest.approx(found.energy_j.log_ratio, rel=1e-9)
    assert found.time_share == pytest.approx(1.0, abs=0.05)


def test_smallest_detectable_effect_is_statsmodels_power(tmp_path):
    table, settings = build(race({"a": 1.0, "b": 1.2}, blocks=12), tmp_path)
    [found] = resolution.detectable(table, settings, evidence.decided(table, settings))
    blocks = np.log(table.blocks("energy_j", ("a", "b")))
    sd = (blocks["b"] - blocks["a"]).std(ddof=1)
    d = TTestPower().solve_power(nobs=12, alpha=0.05, power=0.8)
    assert found.pct == pytest.approx(100 * math.expm1(d * sd), rel=1e-4)
    assert found.pct_holm == found.pct, "a single pair needs no correction"
    needed = TTestPower().solve_power(effect_size=math.log(1.01) / sd, alpha=0.05, power=0.8)
    assert found.blocks_for_1_pct == math.ceil(needed)


def test_an_a_a_control_is_shown_and_no_group(tmp_path):
    control = {"treatment": "a", "twin": "a-control"}
    trials = race({"a": 1.0, "a-control": 1.0, "b": 1.1}, blocks=30, noise=0.005)
    table, settings = build(trials, tmp_path, control=control)
    assert table.groups == ("a", "b")
    found = resolution.noise_floor(table, settings, evidence.decided(table, settings))
    blocks = np.log(table.blocks("energy_j", ("a", "a-control")))
    low, high = stats.ttest_rel(blocks["a-control"], blocks["a"]).confidence_interval()
    assert found.ci_low == exact(100 * math.expm1(low))
    assert found.ci_high == exact(100 * math.expm1(high))
    assert found.fails == (low * high > 0)
    direct = pingouin.tost(
        blocks["a-control"], blocks["a"], bound=math.log(1.01), paired=True
    )  # fmt: skip
    assert found.tost_p == exact(direct["pval"].iloc[0])
    family = [r for r in pairs.compare(table, settings) if not r.control]
    assert {(r.a, r.b) for r in family} == {("a", "b")}


def test_equivalence_is_two_one_sided_tests_within_the_margin(tmp_path):
    trials = race({"a": 1.0, "b": 1.002}, blocks=30, noise=0.005)
    table, settings = build(trials, tmp_path, margin_pct=1.0)
    decision = evidence.decided(table, settings)
    [found] = resolution.equivalence(table, settings, decision)
    blocks = np.log(table.blocks("energy_j", ("a", "b")))
    direct = pingouin.tost(blocks["b"], blocks["a"], bound=math.log(1.01), paired=True)
    assert found.p == exact(direct["pval"].iloc[0])
    assert found.equivalent
    low, high = stats.ttest_rel(blocks["b"], blocks["a"]).confidence_interval(0.90)
    assert found.within_pct == exact(100 * math.expm1(max(abs(low), abs(high))))
    table, settings = build(trials, tmp_path)
    [found] = resolution.equivalence(table, settings, evidence.decided(table, settings))
    assert (found.p, found.equivalent) == (None, None)


def test_leaving_one_block_out_remakes_the_decision(tmp_path):
    table, settings = build(race({"a": 1.0, "b": 1.10}, blocks=12), tmp_path)
    [firm] = robustness.leave_one_out(table, settings, evidence.decided(table, settings))
    assert firm.survives and firm.resolved and not firm.undone_by
    flat = race({"a": 1.0, "b": 1.0}, blocks=12, noise=0.01, seed=5)
    for t in flat:
        t["energy_j"] *= {("b", 4): 1.5}.get((t["group"], t["block"]), 1.0)
    table, settings = build(flat, tmp_path)
    [carried] = robustness.leave_one_out(table, settings, evidence.decided(table, settings))
    assert carried.most_influential_block == 4
    assert carried.pct_low < 1 < carried.pct_high


def test_leaving_one_block_out_corrects_over_all_comparisons(tmp_path):
    table, settings = build(race({"a": 1.0, "b": 1.01, "c": 1.02}, blocks=9, seed=3), tmp_path)
    decision = evidence.decided(table, settings)
    wide = np.log(table.wide("energy_j"))
    order = table.blocks("energy_j", table.groups).index
    for i, block in enumerate(order):
        rest = wide.drop(index=block)
        raw = [stats.ttest_rel(rest[b], rest[a]).pvalue for a, b in decision_pairs(table, settings)]
        direct = multipletests(raw, method="holm")[1]
        assert decision.without_p[i] == pytest.approx(direct, rel=1e-9)


def decision_pairs(table, settings):
    return evidence.comparisons(table, settings)


def test_outliers_are_named_by_rule_and_left_out_by_whole_blocks(tmp_path):
    trials = race({"a": 1.0, "b": 1.1}, blocks=15, noise=0.005, block_noise=0.005)
    next(t for t in trials if t["trial"] == "b_7")["energy_j"] *= 3
    table, settings = build(trials, tmp_path)
    found = robustness.without_outliers(table, settings, evidence.decided(table, settings))
    assert found.blocks == [7]
    [pair] = found.pairs
    assert (pair.all.n, pair.without.n) == (15, 14)
    assert pair.without.pct_change == pytest.approx(10, abs=1)
    assert len(table.usable) == 30, "the headline keeps all data"


def test_practical_worth_is_the_mean_difference_in_kwh_money_and_co2(tmp_path):
    table, settings = build(race({"a": 1.0, "b": 1.5}), tmp_path)
    [found] = practical.worth(table, settings, evidence.decided(table, settings))
    blocks = table.blocks("energy_j", ("a", "b"))
    joules = (blocks["b"] - blocks["a"]).mean()
    assert found.joules == exact(joules)
    assert found.joules_low < joules < found.joules_high
    assert found.kwh == exact(joules * 1000 / 3.6e6)
    assert found.money_high == exact(found.kwh_high * 0.30)
    assert found.kg_co2e_low == exact(found.kwh_low * 0.480)


def test_few_data_still_bound_what_a_difference_is_worth(tmp_path):
    trials = [trial("a", i, e) for i, e in enumerate([900.0, 1000.0, 1100.0])]
    trials += [trial("b", i, e) for i, e in enumerate([1500.0, 1700.0, 1900.0], 10)]
    a, b = (np.array(e) for e in ([900.0, 1000.0, 1100.0], [1500.0, 1700.0, 1900.0]))
    table, settings = build(trials, tmp_path)
    [worth] = practical.worth(table, settings, evidence.decided(table, settings))
    welch = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert worth.joules_low == pytest.approx(welch.low, rel=1e-12)
    assert worth.kwh_high == pytest.approx(welch.high * 1000 / 3.6e6, rel=1e-12)
    single = build([trial("a", 0, 900.0), trial("b", 0, 1500.0)], tmp_path)
    assert practical.worth(*single, evidence.decided(*single))[0].joules_low is None


def test_times_share_has_fiellers_interval_and_only_resolved_pairs_have_one(tmp_path):
    trials = race({"a": 1.0, "b": 1.5})
    for t in trials:
        t["time_s"] *= 1.2 if t["group"] == "b" else 1.0
    table, settings = build(trials, tmp_path)
    found = split(table, settings)
    low, high = found.time_share_low, found.time_share_high
    assert low < math.log(1.2) / math.log(1.5) < high
    # Fieller's ends are the ratios r at which the mean of (time − r · energy) is just not zero.
    logs = {m: np.log(table.blocks(m, ("a", "b"))) for m in ("energy_j", "time_s")}
    energy, time = ((w["b"] - w["a"]).to_numpy() for w in logs.values())
    for end in (low, high):
        assert stats.ttest_1samp(time - end * energy, 0.0).pvalue == pytest.approx(0.05, rel=1e-6)
    same = build(race({"a": 1.0, "b": 1.0}, seed=2), tmp_path)
    assert split(*same).time_share is None
    for t in trials:
        t["estimated"] = "true"
    assert split(*build(trials, tmp_path)).time_share is None


def split(table, settings):
    [found] = decomposition.split(table, settings, evidence.decided(table, settings))
    return found
