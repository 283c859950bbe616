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
    assert "over 20 blocks, paired" in found.sentence
    [comparison] = found.comparisons
    assert comparison.ci_low < 10 < comparison.ci_high


def test_a_named_base_turns_the_sentence_around(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.25}), tmp_path, base="b")
    assert found.sentence.startswith("a used ")
    assert "% less energy than b" in found.sentence
    assert found.comparisons[0].pct_change == pytest.approx(-20, abs=1)


def test_three_groups_name_the_thriftiest_and_a_multiple_above_twice(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.10, "c": 3.0}), tmp_path)
    assert found.sentence.startswith("a used the least energy: b used 10.2% more (95% interval ")
    assert "and c 2.99 times as much (2.9" in found.sentence


def test_what_is_resolved_and_what_is_not_are_told_apart(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.0, "c": 1.3}, seed=2), tmp_path, base="a")
    assert found.sentence.startswith("Against a, c used ")
    assert "; c used " in found.sentence, "the other resolved pair is named as well"
    assert "; not resolved: b against a (" in found.sentence
    assert {c.group: c.resolved for c in found.comparisons} == {"b": False, "c": True}
    assert [(r.first, r.last) for r in found.ranking] == [(1, 2), (1, 2), (3, 3)]


def test_no_difference_is_not_resolved_and_not_the_same_as_none(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.0}, seed=2), tmp_path)
    assert found.level == "not resolved"
    assert "is not resolved" in found.sentence
    assert "it would have resolved" in found.sure and "equivalence within ±" in found.sure


def test_a_margin_turns_an_unresolved_difference_into_equivalence(tmp_path):
    trials = race({"a": 1.0, "b": 1.0}, blocks=30, noise=0.003, seed=2)
    found = answer(trials, tmp_path, margin_pct=1.0)
    assert "; the two are equivalent within ±1%" in found.sentence


def test_a_failed_a_a_control_makes_all_tentative_and_vetoes_nothing(tmp_path):
    # The twin differs from its own treatment by 3%: something else makes groups differ.
    control = {"treatment": "a", "twin": "a-control"}
    trials = race({"a": 1.0, "a-control": 1.03, "b": 1.05}, blocks=40, noise=0.003)
    without = answer([t for t in trials if t["group"] != "a-control"], tmp_path, experiment=GATE)
    assert without.level == "firm"
    found = answer(trials, tmp_path, control=control, experiment=GATE)
    assert found.comparisons[0].resolved
    assert found.level == "tentative"
    assert any("The A/A control failed: a differs from itself" in c for c in found.cautions)
    assert "a caution below" in found.sure


def test_unlike_kinds_of_energy_are_not_comparable_and_say_what_would_be(tmp_path):
    kinds = {"kinds": {"a": "package", "b": "system"}, "compared": []}
    found = answer(race({"a": 1.0, "b": 1.5}), tmp_path, domains=kinds)
    assert found.level == "not comparable"
    assert found.sentence.startswith("Not comparable: ")
    assert "b 1502 J (system)" in found.sentence and "--domains" in found.sentence
    assert not any(c.resolved for c in found.pairs)
    alike = {"kinds": {"a": "package", "b": "package"}, "compared": ["package"]}
    assert answer(race({"a": 1.0, "b": 1.5}), tmp_path, domains=alike).level == "tentative"


@pytest.mark.parametrize("missing", ["coverage", "work", "order"])
def test_what_is_not_on_record_is_never_firm(tmp_path, missing):
    trials = race({"a": 1.0, "b": 1.10})
    assert answer(trials, tmp_path, experiment=GATE).level == "firm"
    for t in trials:
        if missing == "coverage":
            t["coverage"] = None
        if missing == "order":
            for known in ("position", "predecessor", "run_order", "start_unix_s"):
                t[known] = None
    found = answer(trials, tmp_path, experiment=None if missing == "work" else GATE)
    assert found.level == "tentative"
    why = {
        "coverage": "how much of the time was measured is not on record",
        "work": "whether the work was the same is not on record",
        "order": "the order of the trials is not known",
    }
    assert why[missing] in found.sure


def test_time_that_was_not_measured_is_a_caution_and_caps_the_level(tmp_path):
    trials = race({"a": 1.0, "b": 1.10})
    trials[3]["coverage"] = 0.6
    found = answer(trials, tmp_path, experiment=GATE)
    assert found.level == "tentative"
    assert any("at worst 40% of it" in c for c in found.cautions)


def test_a_conclusion_that_hangs_on_disturbed_trials_says_so(tmp_path):
    trials = race({"a": 1.0, "b": 1.0}, blocks=14, noise=0.004, seed=4)
    for t in trials:
        if t["group"] == "b" and t["block"] % 2:
            t |= {"energy_j": t["energy_j"] * 1.03, "flags": "interference"}
    found = answer(trials, tmp_path, experiment=GATE)
    assert found.comparisons[0].resolved
    assert found.level == "tentative"
    assert any("without such trials the conclusion changes" in c for c in found.cautions)


def test_the_declared_comparisons_are_made_and_departures_told(tmp_path):
    protocol = {
        "comparisons": [["a", "b"], ["a", "c"]], "primary_test": "paired-t-log",
        "correction": "holm", "alpha": 0.01, "margin_pct": 2.0, "exclusions": ["failed"],
    }  # fmt: skip
    trials = race({"a": 1.2, "b": 1.0, "c": 1.0})
    found = answer(trials, tmp_path, experiment=GATE | {"protocol": protocol})
    assert {(c.base, c.group) for c in found.pairs} == {("a", "b"), ("a", "c")}
    assert any("α: declared 0.01; 0.05 is used" in c for c in found.cautions)
    kept = answer(trials, tmp_path, alpha=0.01, experiment=GATE | {"protocol": protocol})
    assert not any("protocol" in c for c in kept.cautions)
    assert kept.pairs[0].margin_pct == 2.0


def test_estimated_energy_changes_the_first_words(tmp_path):
    trials = race({"a": 1.0, "b": 1.10})
    for t in trials:
        t |= {"estimated": "true", "meter": "estimate"}
    found = answer(trials, tmp_path, experiment=GATE)
    assert found.sentence.startswith("By an estimate, not a measurement: ")
    assert found.level == "tentative"
    assert "the energy is estimated" in found.sure
    for t in trials:
        t["meter"] = "estimate+nvml"
    part = answer(trials, tmp_path, experiment=GATE)
    assert part.sentence.startswith("With the processor's part of the energy estimated: ")
    assert "part of the energy is estimated" in part.sure
    assert any("The processor's part" in caution for caution in part.cautions)
    trials[0]["estimated"] = "false"
    assert answer(trials, tmp_path).sentence.startswith("With some of the energy estimated")


def test_a_failed_work_gate_is_no_comparison(tmp_path):
    gate = {"work": {"identical": False, "reasons": ["keras trained 3 batches more"]}}
    found = answer(race({"a": 1.0, "b": 1.10}), tmp_path, experiment=gate)
    assert found.level == "not comparable"
    assert found.sentence.startswith("The groups did not do the same work")
    assert any("3 batches more" in caution for caution in found.cautions)


def test_a_single_block_gives_numbers_but_no_conclusion(tmp_path):
    found = answer(race({"a": 1.0, "b": 1.10}, blocks=1), tmp_path)
    assert found.level == "too few"
    assert found.sentence.startswith("Too few data for a conclusion (")
    assert found.comparisons[0].p_parametric is None


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
    assert answer(trials, tmp_path).comparisons[0].resolved


def test_the_headline_names_the_domains_where_others_stand_beside(tmp_path):
    trials = race({"a": 1.0, "b": 1.10})
    domains = {"compared": ["package"], "beside": ["dram", "gpu0"], "kinds": {}}
    found = answer(trials, tmp_path, domains=domains)
    assert found.sentence.endswith(" Compared: package; dram and gpu0 were measured beside.")
    alone = answer(trials, tmp_path, domains=domains | {"beside": []})
    assert "Compared" not in alone.sentence


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (
            ["only 23% of its time was sampled, 8 s are missing: unknown"],
            "1 trial is invalid and left out: only 23% of its time was sampled.",
        ),
        (
            ["only 23.5% of its time was sampled, 8 s", "only 60% of its time was sampled, 2 s"],
            "2 trials are invalid and left out: too little of the time was sampled, at worst 23.5% "
            "of it.",
        ),
        (
            ["other work than a_1: x", "only 60% of its time was sampled, 2 s"],
            "2 trials are invalid and left out: 1 as other work than a_1 and 1 as too little of "
            "the time was sampled.",
        ),
    ],
)
def test_invalid_trials_are_told_by_what_was_wrong_with_them(tmp_path, reasons, told):
    trials = race({"a": 1.0, "b": 1.10})
    for t, reason in zip(trials[4:], reasons, strict=False):
        t |= {"status": "invalid", "reason": reason}
    assert told in answer(trials, tmp_path).cautions


def test_a_change_of_supply_has_words(tmp_path):
    trials = race({"a": 1.0, "b": 1.10})
    trials[3]["flags"] = "supply-change"
    cautions = " ".join(answer(trials, tmp_path).cautions)
    assert "the machine went from mains to battery or back in 1" in cautions


def test_digits_in_place_of_mnist_are_said_in_the_cautions(tmp_path):
    data = {"dataset": {"name": "digits"}}
    found = answer(race({"a": 1.0, "b": 1.10}), tmp_path, experiment=GATE | data)
    assert "not on MNIST" in found.cautions[0]


def test_files_that_are_not_as_published_are_named_in_the_cautions(tmp_path):
    files = [{"name": "a.gz", "published": True}, {"name": "b.gz", "published": False}]
    data = {"dataset": {"name": "mnist", "files": files, "warning": "b.gz is not as published"}}
    found = answer(race({"a": 1.0, "b": 1.10}), tmp_path, experiment=GATE | data)
    assert "not as published: b.gz." in found.cautions[0]


@pytest.mark.parametrize(("copies", "told"), [(0, None), (1, "1 trial has"), (3, "3 trials have")])
def test_trials_that_are_there_twice_are_a_caution(copies, told, tmp_path):
    trials = race({"a": 1.0, "b": 1.10})
    for i in range(copies):
        trials[2 * i + 2] |= {k: trials[0][k] for k in ("energy_j", "time_s")}
    cautions = answer(trials, tmp_path, experiment=GATE).cautions
    found = [c for c in cautions if "to the last digit" in c]
    assert len(found) == (told is not None) and (told is None or found[0].startswith(told))
