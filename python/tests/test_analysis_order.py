"""Drift, position and the order that was run, on experiments made to show them."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from test_analysis_made import build, race, trial

from analysis import drift, evidence, order, periods, sensitivity


def analyse(table, settings):
    return drift.analyse(table, settings, evidence.decided(table, settings))


def test_drift_over_time_is_found_and_none_where_there_is_none(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=30)
    steady = analyse(*build(trials, tmp_path))
    assert steady.time.p > 0.01
    for t in trials:
        t["energy_j"] *= 1.0 + 0.10 * (t["start_unix_s"] - 1.75e9) / 3600.0
    table, settings = build(trials, tmp_path)
    drifting = analyse(table, settings).time
    assert drifting.p < 1e-6
    assert drifting.ci_low < 9.6 < drifting.ci_high
    # A block has one mean: the trials within it are not independent of each other.
    frame = table.usable.assign(log=np.log(table.usable["energy_j"]))
    blocks = frame.groupby("block")[["log", "start_unix_s"]].mean()
    direct = stats.linregress(blocks["start_unix_s"] / 3600.0, blocks["log"])
    assert drifting.p == pytest.approx(direct.pvalue, rel=1e-6)
    assert drifting.pct == pytest.approx(100 * np.expm1(direct.slope), rel=1e-6)


def test_position_is_tested_beside_a_term_for_every_block(tmp_path):
    trials = race({"a": 1.0, "b": 1.2, "c": 1.3}, blocks=12, block_noise=0.2)
    table, settings = build(trials, tmp_path)
    found = analyse(table, settings).position
    frame = table.usable.assign(log=np.log(table.usable["energy_j"]))

    def residuals(*factors):
        columns = [pd.get_dummies(frame[f].astype(str), drop_first=True) for f in factors]
        design = np.column_stack([np.ones(len(frame)), *columns]).astype(float)
        return OLS(frame["log"].to_numpy(), design).fit()

    beside = ("block", "group", "predecessor")
    f, p, df = residuals(*beside, "position").compare_f_test(residuals(*beside))
    assert found.f == pytest.approx(f, rel=1e-6)
    assert (found.p, found.df1) == (pytest.approx(p, rel=1e-6), df)


def test_the_mixed_models_degrees_of_freedom_are_those_of_balanced_blocks(tmp_path):
    # In complete blocks a contrast is judged by the residuals alone: (b − 1)(k − 1) of them.
    trials = race({"a": 1.0, "b": 1.1, "c": 1.3}, blocks=14, block_noise=0.05)
    for t in trials:
        t |= {"position": None, "predecessor": None, "run_order": None, "start_unix_s": None}
    table, settings = build(trials, tmp_path)
    found = sensitivity.mixed(table, settings)
    assert found.terms == []
    logs = np.log(table.wide("energy_j"))[list(table.groups)].to_numpy()
    rest = logs - logs.mean(axis=0) - logs.mean(axis=1, keepdims=True) + logs.mean()
    se = np.sqrt((rest**2).sum() / (13 * 2) * 2 / 14)
    for pair in found.pairs:
        i, j = (table.groups.index(name) for name in (pair.a, pair.b))
        mean = (logs[:, j] - logs[:, i]).mean()
        assert pair.df == pytest.approx(26, rel=0.01)
        assert pair.pct_change == pytest.approx(100 * np.expm1(mean), rel=1e-6)
        low = mean - stats.t.ppf(0.975, 26) * se
        assert pair.ci_low == pytest.approx(100 * np.expm1(low), rel=1e-3)


@pytest.mark.parametrize("noise", [0.05, 0.0])
def test_of_many_blocks_the_mixed_model_is_the_same_as_of_few(tmp_path, monkeypatch, noise):
    trials = race({"a": 1.0, "b": 1.1, "c": 1.3}, blocks=40, block_noise=noise)
    table, settings = build(trials[:-1], tmp_path)
    few = sensitivity.mixed(table, settings)
    monkeypatch.setattr(sensitivity, "_MOST_BLOCKS", 39)
    many = sensitivity.mixed(table, settings)
    for key in ("block_sd_pct", "residual_sd_pct"):
        assert getattr(many, key) == pytest.approx(getattr(few, key), rel=1e-3, abs=0.02)
    for one, other in zip(few.pairs, many.pairs, strict=True):
        for key in ("pct_change", "ci_low", "ci_high"):
            assert getattr(other, key) == pytest.approx(getattr(one, key), rel=1e-3)


def test_position_matters_when_the_first_trial_runs_cold(tmp_path):
    trials = race({"a": 1.0, "b": 1.2, "c": 1.3}, blocks=20)
    for t in trials:
        t["energy_j"] *= 1.05 if t["position"] == 1 else 1.0
    found = analyse(*build(trials, tmp_path)).position
    assert found.separable and found.p < 1e-6
    assert found.largest_pct == pytest.approx(5, abs=1.5)


def test_a_fixed_order_cannot_be_told_from_the_groups(tmp_path):
    table, settings = build(race({"a": 1.0, "b": 1.2, "c": 1.3}, order="fixed"), tmp_path)
    assert not analyse(table, settings).position.separable
    found = order.check(table, settings)
    assert (found.verdict, found.repetition.period) == ("cyclic", 1)


def test_a_missing_trial_makes_no_experiment_in_positions(tmp_path):
    trials = race({"a": 1.0, "b": 1.2, "c": 1.3}, order="fixed")
    # Without its first trial the others of block 4 move up by one.
    trials = [t for t in trials if (t["group"], t["block"]) != ("a", 4)]
    for t in trials:
        if t["block"] == 4:
            t |= {"position": t["position"] - 1}
    found = analyse(*build(trials, tmp_path))
    assert not found.position.separable and not found.predecessor.separable
    assert found.adjusted == []


def test_a_drift_that_all_share_is_told_and_limits_nothing(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=30)
    for t in trials:
        t["energy_j"] *= 1.0 + 0.002 * t["run_order"]
    table, settings = build(trials, tmp_path)
    found = evidence.decided(table, settings)
    assert found.drifts and found.cautions == ()


def test_a_drift_of_one_group_alone_is_a_caution_with_its_slope(tmp_path):
    trials = race({"a": 1.0, "b": 1.2, "c": 1.3}, blocks=20)
    for t in trials:
        t["energy_j"] *= 1.0 + (0.005 * t["block"] if t["group"] == "c" else 0.0)
    table, settings = build(trials, tmp_path)
    found = evidence.decided(table, settings)
    assert "trend" in found.cautions and found.level == "tentative"
    logs = np.log(table.wide("energy_j"))
    for row in drift.analyse(table, settings, found).trends:
        own = stats.linregress(np.arange(20), logs[row.b] - logs[row.a])
        change = 100 * np.expm1(19 * own.slope)
        assert row.pct_over_experiment == pytest.approx(change, rel=1e-6)
        assert (row.p_holm < 0.05) == ("c" in (row.a, row.b))
        assert own.pvalue <= row.p_holm <= 3 * own.pvalue + 1e-12


def test_a_cycle_of_four_orders_is_found_where_positions_are_balanced(tmp_path):
    cycle = [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "c", "b")]
    trials, place = [], 0
    for block in range(42):
        for position, name in enumerate(cycle[block % 4], 1):
            place += 1
            trials.append(trial(name, block, 100.0 + place, position=position, run_order=place))
    found = order.check(*build(trials, tmp_path))
    assert (found.verdict, found.repetition.period, found.repetition.distinct_orders) == (
        "cyclic",
        4,
        4,
    )


def test_random_orders_are_seldom_called_otherwise(tmp_path):
    names = [
        order.check(*build(race({"a": 1, "b": 2, "c": 3}, seed=s), tmp_path)).verdict
        for s in range(20)
    ]
    assert names.count("random") >= 17
    assert "cyclic" not in names


def test_groups_run_one_after_another_are_called_sequential(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=10)
    trials.sort(key=lambda t: (t["group"], t["block"]))
    for i, t in enumerate(trials):
        t["run_order"] = i
    assert order.check(*build(trials, tmp_path)).verdict == "sequential"


def loose(groups, drift=0.0):
    """Trials that belong to no blocks, one a minute in this order; ``b`` uses 10% more."""
    rng, trials = np.random.default_rng(7), []
    for i, name in enumerate(groups):
        energy = 100.0 * (1.1 if name == "b" else 1.0) * np.exp(drift * i + rng.normal(0, 0.01))
        row = trial(name, i, energy, start_unix_s=1.75e9 + 60.0 * i)
        trials.append(row | {"block": None, "position": None, "run_order": None})
    return trials


def shuffled(number):
    return np.random.default_rng(3).permutation(["a", "b"] * number).tolist()


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        (shuffled(15), "mixed"),
        (["a"] * 8 + ["b"] * 12, "sequential"),
        ((["a"] * 8 + ["b"] * 8) * 2, "stretches"),
        (["a", "b", "a", "b"], "few"),
    ],
)
def test_without_blocks_the_times_tell_whether_groups_were_mixed(groups, verdict, tmp_path):
    found = order.check(*build(loose(groups), tmp_path))
    assert found.verdict == verdict
    assert found.changes.changes == sum(a != b for a, b in pairwise(groups))
    a, n = groups.count("a"), len(groups)
    # Each of the n - 1 neighbours differs with the chance of drawing both groups.
    assert found.changes.expected_changes == pytest.approx(2 * a * (n - a) / n, rel=0.05)


def test_a_trial_whose_time_is_not_known_leaves_the_order_unknown(tmp_path):
    trials = loose(shuffled(15))
    trials[4]["start_unix_s"] = None
    assert order.check(*build(trials, tmp_path)).verdict == "unknown"


def test_without_blocks_the_drift_is_that_of_trials_beside_their_groups(tmp_path):
    groups = ["a"] * 9 + shuffled(6) + ["b"] * 9
    table, settings = build(loose(groups, drift=0.004), tmp_path)
    found = analyse(table, settings).time
    frame = table.usable
    hours = (frame["start_unix_s"] - 1.75e9) / 3600.0
    design = np.column_stack([frame["group"] == "a", frame["group"] == "b", hours]).astype(float)
    direct = OLS(np.log(frame["energy_j"].to_numpy()), design).fit()
    assert found.p == pytest.approx(direct.pvalues[2], rel=1e-6)
    assert found.pct == pytest.approx(100 * np.expm1(direct.params[2]), rel=1e-6)
    change = 100 * np.expm1(direct.params[2] * hours.max())
    assert found.pct_over_experiment == pytest.approx(change, rel=1e-6)
    assert (found.of, found.trials) == ("trials", 30)


def unpaired(groups, starts):
    """Trials without blocks, in the order given, each beginning at its second."""
    rng = np.random.default_rng(3)
    return [
        trial(g, i, 1000 * np.exp(rng.normal(0, 0.02)), start_unix_s=1.75e9 + s, run_order=i)
        | {"block": None}
        for i, (g, s) in enumerate(zip(groups, starts, strict=True), 1)
    ]


def test_groups_of_two_days_did_not_run_at_the_same_time(tmp_path):
    rng = np.random.default_rng(8)
    first = [str(g) for g in rng.permutation(["a"] * 12 + ["b"] * 12)]
    later = [str(g) for g in rng.permutation(["c"] * 12 + ["d"] * 12)]
    starts = [*range(0, 24 * 60, 60), *range(7 * 86400, 7 * 86400 + 24 * 60, 60)]
    table, settings = build(unpaired(first + later, starts), tmp_path)
    found = order.check(table, settings)
    assert found.verdict == "apart"
    assert [sorted(p.groups) for p in found.periods] == [["a", "b"], ["c", "d"]]
    assert {(p.first, p.later) for p in found.apart} == {(x, y) for x in "ab" for y in "cd"}
    assert {p.share for p in found.apart} == {1.0}
    said = periods.told(found.apart, found.periods)
    assert "(2025-06-15), then" in said and "(2025-06-22)" in said
    # A slope over the week between would be of what nobody saw.
    assert analyse(table, settings).time is None
    assert analyse(table, settings).run_order is not None


def test_a_group_that_mostly_ran_later_is_named_with_its_share(tmp_path):
    # All of a's 20 trials and 5 of b's are mixed, then 15 of b's follow.
    rng = np.random.default_rng(2)
    groups = [str(g) for g in rng.permutation(["a"] * 20 + ["b"] * 5)] + ["b"] * 15
    table, settings = build(unpaired(groups, range(0, 40 * 60, 60)), tmp_path)
    found = order.check(table, settings)
    places = {g: [i for i, own in enumerate(groups) if own == g] for g in "ab"}
    share = np.mean([[later > first for later in places["b"]] for first in places["a"]])
    (pair,) = found.apart
    assert (pair.first, pair.later) == ("a", "b")
    assert pair.share == pytest.approx(share)
    assert f"{share:.0%}" in periods.told(found.apart, found.periods)
    assert found.verdict in ("apart", "stretches")


@pytest.mark.parametrize(("each", "names"), [(3, "ab"), (3, "abcd"), (5, "abcdefgh"), (20, "abc")])
def test_random_orders_are_seldom_called_apart(each, names):
    rng = np.random.default_rng(each)
    draws, called = 400, 0
    for _ in range(draws):
        groups = rng.permutation(list(names) * each)
        trials = pd.DataFrame({"group": groups, "start_unix_s": np.arange(float(len(groups)))})
        called += bool(periods.apart(trials)) or len(periods.periods(trials)) > 1
    # One in a hundred each for both ways to say so; four standard errors of that.
    assert called / draws < 0.02 + 4 * np.sqrt(0.02 / draws)
