"""The answer never claims more than the data hold."""

import pytest
from test_analysis_made import build, race, trial

from analysis import findings, questions, verdict


def answer(trials, tmp_path, **changes):
    table, settings = build(trials, tmp_path, **changes)
    found = findings.analyse(table, settings)
    assert len(questions.answer_all(table, found, settings)) == 10
    return verdict.decide(table, found, settings)


GATE = {"work": {"identical": True, "reasons": []}}


def test_a_clear_difference_is_firm_and_leads_with_its_interval(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.10}), tmp_path, experiment=GATE)
    assert found.level == "firm"
    assert found.sentence.startswith("b used ")
    assert "more energy than a (95% interval " in found.sentence
    assert "20 complete blocks, paired" in found.sentence
    [comparison] = found.comparisons
    assert comparison["ci_low"] < 10 < comparison["ci_high"]


def test_a_named_base_turns_the_sentence_around(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.25}), tmp_path, base="b")
    assert found.sentence.startswith("a used ")
    assert "% less energy than b" in found.sentence
    assert found.comparisons[0]["pct_change"] == pytest.approx(-20, abs=1)


def test_three_groups_name_the_thriftiest_and_a_multiple_above_twice(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.10, "c": 3.0}), tmp_path)
    assert found.sentence.startswith("a used the least energy: b used 10.2% more (95% interval ")
    assert "and c 2.99 times as much (2.9" in found.sentence


def test_groups_without_a_resolved_difference_are_told_apart_from_the_others(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.0, "c": 1.3}, seed=2), tmp_path, base="a")
    assert found.sentence.startswith("Against a, no difference is resolved for b (")
    assert "c used 29.9% more energy (95% interval 29.3 to 30.7%)" in found.sentence


def test_no_difference_is_not_resolved(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.0}, seed=2), tmp_path)
    assert found.level == "not resolved"
    assert "is not resolved" in found.sentence
    assert "It could have shown a change of" in found.sure


def test_a_significant_difference_inside_the_noise_floor_is_not_resolved(tmp_path):
    # The twin differs from its own treatment by 3%: this machine cannot resolve 1%.
    control = {"treatment": "a", "twin": "a-control"}
    trials = race({"a": 1.0, "a-control": 1.03, "b": 1.01}, blocks=40, noise=0.003)
    without = answer([t for t in trials if t["group"] != "a-control"], tmp_path)
    assert without.comparisons[0]["resolved"]
    found = answer(trials, tmp_path, control=control)
    assert found.level == "not resolved"
    assert "inside the noise floor" in found.sentence


def test_estimated_energy_changes_the_first_words(tmp_path):
    trials = race({"a": 1.0, "b": 1.10})
    for t in trials:
        t |= {"estimated": "true", "meter": "estimate"}
    found = answer(trials, tmp_path, experiment=GATE)
    assert found.sentence.startswith("By an estimate, not a measurement: ")
    assert found.level == "tentative"
    assert "the energy is estimated" in found.sure
    trials[0]["estimated"] = "false"
    assert answer(trials, tmp_path).sentence.startswith("With some of the energy estimated")


def test_a_failed_work_gate_is_no_comparison(tmp_path):
    gate = {"work": {"identical": False, "reasons": ["keras trained 3 batches more"]}}
    found = answer(race({"a": 1.0, "b": 1.10}), tmp_path, experiment=gate)
    assert found.level == "not comparable"
    assert found.sentence.startswith("The groups did not do the same work")
    assert any("3 batches more" in caution for caution in found.cautions)


def test_few_blocks_give_numbers_but_no_p_value_and_no_conclusion(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.10}, blocks=3), tmp_path)
    assert found.level == "too few"
    assert found.sentence.startswith("Too few data for a conclusion (3 complete blocks:")
    assert "t-interval" in found.sentence
    assert found.comparisons[0]["p_parametric"] is None


def test_one_trial_per_group_says_so(tmp_path):
    found = answer([trial("a", 1, 100.0), trial("b", 1, 120.0)], tmp_path)
    assert found.level == "too few"
    assert "Observed: b +20% against a." in found.sentence
    assert "interval" not in found.sentence


def test_a_single_group_has_nothing_to_compare(tmp_path):
    found = answer(race({"a": 1.0}, blocks=8), tmp_path)
    assert found.level == "nothing"
    assert "a used 998 J per run" in found.sentence and "nothing to compare" in found.sentence


def test_no_usable_trial_says_so(tmp_path):
    trials = race({"a": 1.0, "b": 1.1}, blocks=2)
    for t in trials:
        t["status"] = "failed"
    assert answer(trials, tmp_path).sentence.startswith("There is no usable trial")


def test_a_fixed_order_makes_the_answer_tentative(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.10}, order="fixed"), tmp_path, experiment=GATE)
    assert found.level == "tentative"
    assert any("same order in every block" in caution for caution in found.cautions)


def test_unpaired_groups_are_tentative_and_called_unpaired(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=10)
    for t in trials:
        t["block"] += 100 if t["group"] == "b" else 0
    found = answer(trials, tmp_path)
    assert "10 and 10 trials, unpaired" in found.sentence
    assert found.level == "tentative"


def test_a_missing_accuracy_is_no_obstacle(tmp_path):
    trials = race({"a": 1.0, "b": 1.1}, blocks=8)
    for i, t in enumerate(trials):
        t["accuracy"] = float("nan") if i % 2 else 0.98
    assert answer(trials, tmp_path).comparisons[0]["resolved"]
