"""Trials of an odd length, on experiments in which a run broke off or hung."""

import numpy as np
import pytest
from test_analysis_made import build, race

from analysis import cautions, durations, evidence, findings, verdict


def analyse(trials, tmp_path):
    table, settings = build(trials, tmp_path)
    return durations.analyse(table, settings, evidence.decided(table, settings))


def broken_off(trials, group, block, seconds=1.5):
    """That trial after so many seconds, with the energy that its power had made by then."""
    own = next(t for t in trials if t["trial"] == f"{group}_{block}")
    own |= {"energy_j": own["energy_j"] * seconds / own["time_s"], "time_s": seconds}


def test_a_run_that_broke_off_is_named_and_the_result_without_it_stands_beside(tmp_path):
    trials = race({"a": 1.0, "b": 1.3}, blocks=12)
    whole = {(t["group"], t["block"]): t["energy_j"] for t in trials if t["block"] not in (4, 9)}
    broken_off(trials, "a", 4)
    broken_off(trials, "b", 9)
    found = analyse(trials, tmp_path)
    assert {t.trial for t in found.trials} == {"a_4", "b_9"}
    assert all(t.time_s == 1.5 and 29 < t.median_s < 31 for t in found.trials)
    (pair,) = found.pairs
    assert not pair.all.resolved and pair.without.resolved and not found.same
    ratios = [np.log(whole["b", i] / whole["a", i]) for i in range(1, 13) if i not in (4, 9)]
    assert pair.without.pct_change == pytest.approx(100 * np.expm1(np.mean(ratios)), rel=1e-9)
    assert pair.without.n == 10
    (told,) = durations.told(found)
    assert told.startswith("2 trials lasted far shorter than the others of their group (")
    assert "a_4: 1.50 s where the median is 30.0 s" in told
    assert (
        "they may have broken off" in told and "the conclusion is another: b against a is" in told
    )


def test_it_caps_the_level_and_a_terminal_shows_it(tmp_path):
    trials = race({"a": 1.0, "b": 1.3}, blocks=12)
    broken_off(trials, "a", 4)
    table, settings = build(trials, tmp_path)
    found = findings.analyse(table, settings)
    answer = verdict.decide(table, found, settings)
    told = durations.told(found.durations)
    assert told[0] in answer.cautions
    assert cautions.of_the_answer(table, found) == told
    assert "without the trials of an odd length" in " ".join(cautions.caps(table, found, settings))
    assert answer.level != "firm"


def test_one_that_hung_is_named_and_one_that_changes_nothing_said_to(tmp_path):
    trials = race({"a": 1.0, "b": 2.0}, blocks=20)
    own = next(t for t in trials if t["trial"] == "b_7")
    own |= {"energy_j": own["energy_j"] * 1.02, "time_s": 95.0}
    found = analyse(trials, tmp_path)
    assert [t.trial for t in found.trials] == ["b_7"] and found.same
    (told,) = durations.told(found)
    assert "1 trial lasted far longer than the others of its group" in told
    assert "it may have hung" in told and told.endswith("the conclusion is the same.")


@pytest.mark.parametrize(("shared", "hint"), [(False, True), (True, False)])
def test_what_can_be_left_out_by_its_file_is_said_to(tmp_path, shared, hint):
    trials = race({"a": 1.0, "b": 1.3}, blocks=12)
    broken_off(trials, "a", 4)
    if shared:
        for t in trials:
            t["file"] = "table.csv"
    table, settings = build(trials, tmp_path, source="csv")
    found = durations.analyse(table, settings, evidence.decided(table, settings))
    assert ("--exclude leaves files out" in durations.told(found)[0]) == hint


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.8])
def test_times_that_differ_anyway_name_nobody(tmp_path, spread):
    rng = np.random.default_rng(5)
    trials = race({"a": 1.0, "b": 1.3}, blocks=40)
    for t in trials:
        t["time_s"] = 30.0 * np.exp(rng.normal(0, spread))
    assert analyse(trials, tmp_path).trials == []


def test_four_trials_show_no_usual_length(tmp_path):
    trials = race({"a": 1.0, "b": 1.3}, blocks=4)
    broken_off(trials, "a", 2)
    assert analyse(trials, tmp_path).trials == []
