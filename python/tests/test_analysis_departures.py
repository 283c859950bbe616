"""Every item that an experiment declares is held against what was done: each violated once."""

import json

import pytest
from made_folder import analyse, declared, make
from test_analysis_made import PHASES, build, race

from analysis import departures, findings

WINDOW = ("build", "train", "evaluate")


def kept_experiment():
    """An experiment of twelve blocks that keeps to all that it declared, and its record."""
    trials = race({"a": 1.0, "b": 1.1, "c": 1.2, "a-control": 1.0}, blocks=12, seed=3)
    for t in trials:
        for phase, share in PHASES.items():
            t |= {f"phase_{phase}_s": 40.0 * share, f"phase_{phase}_j": t["energy_j"] * share}
        t["time_s"] = sum(t[f"phase_{p}_s"] for p in WINDOW)
        t |= {
            "flags": "", "other_cores": 0.02, "trial_time_s": 40.0, "trial_cpu_s": 60.0,
            "throttle_events": 0, "swapped_pages": 0, "seed": 42,
        }  # fmt: skip
    plan = [{"name": t["trial"], "block": t["block"], "run_order": t["run_order"]} for t in trials]
    protocol = declared() | {"comparisons": [["a", "b"], ["a", "c"], ["b", "c"]]}
    experiment = {
        "work": {"identical": True, "reasons": []},
        "settings": {
            "iterations": 12, "control": {"name": "a-control"}, "job": {"seed": 42},
        },
        "plan": {"order_seed": 3, "trials": plan}, "protocol": protocol,
    }  # fmt: skip
    return trials, experiment


def held(tmp_path, trials, experiment, **changes):
    """The items by their names."""
    table, settings = build(trials, tmp_path, experiment=experiment, **changes)
    found = findings.analyse(table, settings)
    return {item.name: item for item in departures.items(table, found, settings)}


def named(trials, name):
    return next(t for t in trials if t["trial"] == name)


def test_an_experiment_that_keeps_to_its_protocol_departs_nowhere(tmp_path):
    items = held(tmp_path, *kept_experiment())
    assert not departures.told(list(items.values()))
    assert {name for name, item in items.items() if item.kept} == {
        "Primary metric", "Window", "Design", "Trials", "Order", "Comparisons", "Deciding test",
        "Correction", "α", "Margin of equivalence", "Tests", "Exclusions", "Coverage",
        "Interference", "Training seeds", "Stopping", "A/A control",
    }  # fmt: skip


def protocol(**changes):
    """A change of what was declared."""
    return lambda trials, experiment: experiment["protocol"].update(changes)


def trial(name, **changes):
    """A change of one trial."""
    return lambda trials, experiment: named(trials, name).update(changes)


def same_order(trials, experiment):
    for t in trials:
        t["position"] = "abc-".index(t["group"][1:2] or t["group"])
    trials.sort(key=lambda t: (t["block"], t["position"]))
    for i, t in enumerate(trials):
        t |= {"run_order": i, "start_unix_s": 1.75e9 + 60 * i}
    experiment["plan"]["trials"] = [
        {"name": t["trial"], "block": t["block"], "run_order": i} for i, t in enumerate(trials)
    ]


def later(trials, experiment):
    named(trials, "b_4")["start_unix_s"] = max(t["start_unix_s"] for t in trials) + 60


def unplanned(trials, experiment):
    experiment["plan"]["trials"] = [
        t for t in experiment["plan"]["trials"] if t["name"] not in ("a_2", "c_7")
    ]


def lost(trials, experiment):
    trials.remove(named(trials, "b_3"))


def ended_early(trials, experiment):
    trials[:] = [t for t in trials if t["block"] <= 9]


def looked(trials, experiment):
    experiment["looks"] = [{"blocks": 5, "stop": False}]


def no_twin(trials, experiment):
    trials[:] = [t for t in trials if t["group"] != "a-control"]


def apart(trials, experiment):
    """Hardly a block that two groups have in common."""
    for t in trials:
        if t["group"] == "c" and t["block"] > 1:
            t["block"] += 20


def sequential(planned, most, **experiment):
    """A plan to stop early, and what was looked at."""

    def change(trials, record):
        nominal = [[0.05, 0.02]] * len(planned)
        record["protocol"]["sequential"] = {
            "looks": planned, "most": most, "overall": [0.1, 0.05], "nominal": nominal,
        }  # fmt: skip
        record.update(experiment)

    return change


SEEDS = "seed of block b (from 0) = …"


def own_seeds(planned=lambda block: 900 + block, used=None):
    """Blocks that were to train from seeds of their own, and what they trained from."""

    def change(trials, experiment):
        experiment["protocol"]["seeds"] = SEEDS
        for t in experiment["plan"]["trials"]:
            t["seed"] = planned(t["block"])
        for t in trials:
            t["seed"] = used(t["block"]) if used else t["seed"]

    return change


@pytest.mark.parametrize(
    ("change", "item", "said", "weakens"),
    [
        (protocol(primary_metric="time_s"), "Primary metric", "energy_j of the window", True),
        (protocol(window=["train"]), "Window", "48 trials are of another part", False),
        (same_order, "Design", "repeats itself", True),
        (lost, "Trials", "1 did not run (b_3)", False),
        (unplanned, "Trials", "2 ran that were not planned (a_2 and c_7)", True),
        (later, "Order", "1 trial ran out of it (b_4)", False),
        (protocol(comparisons=[["a", "b"], ["a", "z"]]), "Comparisons", "z against a", False),
        (protocol(comparisons=[["x", "z"]]), "Comparisons", "made beside them: b against a", True),
        (protocol(primary_test="wilcoxon"), "Deciding test", "paired t on logs is used", True),
        (apart, "Deciding test", "Welch’s t on all trials decides", True),
        (protocol(correction="bonferroni"), "Correction", "Holm’s is used", True),
        (protocol(alpha=0.01), "α", "0.05 is used", True),
        (protocol(tests=["a permutation test"]), "Tests", "not made: a permutation test", False),
        (trial("b_2", status="excluded", reason="samples damaged"), "Exclusions",
         "b_2 left out without a rule (excluded: samples damaged)", True),
        (trial("b_2", energy_j=-1.0), "Exclusions", "no positive energy or time", True),
        (trial("c_3", coverage=0.9), "Coverage", "1 trial of less is part of the numbers", True),
        (trial("c_3", other_cores=1.5), "Interference", "c_3 is beyond them without a flag", True),
        (trial("c_3", throttle_events=2), "Interference", "c_3 is beyond", True),
        (trial("c_3", swapped_pages=900), "Interference", "c_3 is beyond", True),
        (trial("b_5", seed=43), "Training seeds", "1 trial trained from another (b_5)", False),
        (own_seeds(), "Training seeds", "48 trials trained from another", False),
        (own_seeds(used=lambda block: 900 + block + (block == 5)), "Training seeds",
         "4 trials trained from another", False),
        (own_seeds(lambda block: 7, lambda block: 7), "Training seeds",
         "several blocks trained from one seed", False),
        (protocol(seeds=SEEDS), "Training seeds", "the plan has none for", False),
        (ended_early, "Stopping", "9 blocks ran", True),
        (looked, "Stopping", "looked at 1 times", True),
        (sequential([6, 12], 20), "Stopping", "ended after 12 blocks, where no look said so", True),
        (sequential([6, 14], 20, looks=[{"blocks": 12, "stop": True}]), "Stopping",
         "looked at after 12 blocks, where no look was planned", True),
        (sequential([6, 12], 20, looks=[{"blocks": 6, "stop": True}]), "Stopping",
         "went on after the look at 6 blocks", True),
        (no_twin, "A/A control", "no usable trial", True),
    ],
)  # fmt: skip
def test_each_declared_item_that_is_violated_is_told(tmp_path, change, item, said, weakens):
    trials, experiment = kept_experiment()
    change(trials, experiment)
    found = held(tmp_path, trials, experiment)[item]
    assert found.kept is False, found
    assert said in found.done
    assert found.weakens == weakens


def test_blocks_that_trained_from_their_own_declared_seeds_depart_nowhere(tmp_path):
    trials, experiment = kept_experiment()
    own_seeds(used=lambda block: 900 + block)(trials, experiment)
    item = held(tmp_path, trials, experiment)["Training seeds"]
    assert item.kept and item.done == "48 trials trained from what was declared"


def test_seeds_that_no_trial_tells_are_no_departure_and_not_kept_either(tmp_path):
    trials, experiment = kept_experiment()
    for t in trials:
        t["seed"] = None
    item = held(tmp_path, trials, experiment)["Training seeds"]
    assert item.kept is None and item.done == "no trial tells what it trained from"


def test_a_margin_that_was_not_declared_is_told(tmp_path):
    items = held(tmp_path, *kept_experiment(), margin_pct=5.0)
    assert items["Margin of equivalence"].sentence == (
        "Margin of equivalence: declared ±2%; ±5% is used"
    )


def test_what_the_published_recipe_drops_for_its_size_is_told(tmp_path):
    trials, experiment = kept_experiment()
    named(trials, "b_2")["energy_j"] *= 3
    for t in trials:
        t |= {"published_energy_j": t["energy_j"], "published_time_s": t["time_s"]}
    item = held(tmp_path, trials, experiment, method="published")["Exclusions"]
    assert item.kept is False and "for their size" in item.done


def test_an_early_stop_at_a_planned_look_is_no_departure(tmp_path):
    trials, experiment = kept_experiment()
    looks = [{"blocks": 6, "stop": False}, {"blocks": 9, "stop": True}]
    sequential([6, 9, 12], 12, looks=looks)(trials, experiment)
    ended_early(trials, experiment)
    items = held(tmp_path, trials, experiment)
    assert items["Stopping"].kept and items["Trials"].kept


def test_a_folder_that_departs_in_many_ways_says_so_on_its_page(tmp_path):
    folder = make(
        tmp_path / "departing", window=["train"], alpha=0.01, correction="bonferroni",
        comparisons=[["quick", "slow"]], exclusions=["invalid: other work"], coverage_limit=1.01,
    )  # fmt: skip
    output = analyse(folder, "--margin", "5")
    summary = json.loads((output / "summary.json").read_text("utf-8"))
    missed = {i["name"] for i in summary["protocol"]["items"] if i["kept"] is False}
    assert missed == {
        "Window", "α", "Correction", "Comparisons", "Margin of equivalence", "Exclusions",
        "Coverage",
    }  # fmt: skip
    assert summary["level"] != "firm"
    assert "it departs from the protocol" in summary["decision"]["caps"]
    page = (output / "report.md").read_text("utf-8").replace("\\", "")
    for sentence in summary["protocol"]["departures"]:
        assert sentence in page
    assert "Declared before the first trial, and done" in page
