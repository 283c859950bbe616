"""Drift, position and the order that was run, on experiments made to show them."""

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS
from test_analysis_made import build, race, trial

from analysis import drift, order


def test_drift_over_time_is_found_and_none_where_there_is_none(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=30)
    steady = drift.analyse(*build(trials, tmp_path))
    assert steady["time"]["p"] > 0.01
    for t in trials:
        t["energy_j"] *= 1.0 + 0.10 * (t["start_unix_s"] - 1.75e9) / 3600.0
    table, settings = build(trials, tmp_path)
    drifting = drift.analyse(table, settings)["time"]
    assert drifting["p"] < 1e-6
    assert drifting["ci_low"] < 9.6 < drifting["ci_high"]
    hours = (table.usable["start_unix_s"] - 1.75e9) / 3600.0
    design = np.column_stack([np.ones(60), hours, table.usable["group"].eq("b")]).astype(float)
    direct = OLS(np.log(table.usable["energy_j"].to_numpy()), design).fit()
    assert drifting["p"] == pytest.approx(direct.pvalues[1], rel=1e-6)


def test_position_matters_when_the_first_trial_runs_cold(tmp_path):
    trials = race({"a": 1.0, "b": 1.2, "c": 1.3}, blocks=20)
    for t in trials:
        t["energy_j"] *= 1.05 if t["position"] == 1 else 1.0
    found = drift.analyse(*build(trials, tmp_path))["position"]
    assert found["separable"] and found["p"] < 1e-6
    assert found["largest_pct"] == pytest.approx(5, abs=1.5)


def test_a_fixed_order_cannot_be_told_from_the_groups(tmp_path):
    table, settings = build(race({"a": 1.0, "b": 1.2, "c": 1.3}, order="fixed"), tmp_path)
    assert not drift.analyse(table, settings)["position"]["separable"]
    found = order.check(table, settings)
    assert (found["verdict"], found["period"]) == ("cyclic", 1)


def test_a_cycle_of_four_orders_is_found_where_positions_are_balanced(tmp_path):
    cycle = [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "c", "b")]
    trials, place = [], 0
    for block in range(42):
        for position, name in enumerate(cycle[block % 4], 1):
            place += 1
            trials.append(trial(name, block, 100.0 + place, position=position, run_order=place))
    found = order.check(*build(trials, tmp_path))
    assert (found["verdict"], found["period"], found["distinct_orders"]) == ("cyclic", 4, 4)


def test_random_orders_are_seldom_called_otherwise(tmp_path):
    names = [
        order.check(*build(race({"a": 1, "b": 2, "c": 3}, seed=s), tmp_path))["verdict"]
        for s in range(20)
    ]
    assert names.count("random") >= 17
    assert "cyclic" not in names


def test_groups_run_one_after_another_are_called_sequential(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=10)
    trials.sort(key=lambda t: (t["group"], t["block"]))
    for i, t in enumerate(trials):
        t["run_order"] = i
    assert order.check(*build(trials, tmp_path))["verdict"] == "sequential"
