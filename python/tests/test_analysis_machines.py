"""One study on several machines: the answer over them, on each, and which one misbehaves."""

import json
import math

import numpy as np
import pytest
from made_folder import declared
from scipy import stats
from test_analysis_made import pack, race, request

import analysis
from analysis import machines
from analysis.decision import Trials, confounders, decide, memory

STUDIES = 400


def limit(share):
    return share + 3.0 * math.sqrt(share * (1.0 - share) / STUDIES)


@pytest.mark.parametrize(
    ("count", "blocks", "unlike"), [(3, 4, False), (20, 5, False), (6, 4, True)]
)
def test_machines_that_do_not_differ_are_said_to_in_at_most_5_percent(count, blocks, unlike):
    rng = np.random.default_rng(count)
    names = [f"n{i}" for i in range(count)]
    apart = loud = 0
    for _ in range(STUDIES):
        sizes = np.where(np.arange(count) % 2, 3.0, 1.0) if unlike else np.ones(count)
        own = [rng.normal(0, s, blocks) for s in sizes]
        apart += bool(machines.alike(names, own, 0.05).apart)
        loud += bool(machines.noisy(names, [own], 0.05))
    assert apart / STUDIES <= limit(0.05)
    assert unlike or loud / STUDIES <= limit(0.05)


def test_the_machine_that_is_planted_to_differ_is_named_and_no_other():
    rng = np.random.default_rng(3)
    names = [f"n{i}" for i in range(5)]
    right = other = 0
    for _ in range(STUDIES):
        own = [rng.normal(0.05 if i == 2 else 0.0, 0.01, 6) for i in range(5)]
        found = machines.alike(names, own, 0.05).apart
        right += "n2" in found
        other += bool(set(found) - {"n2"})
    assert right / STUDIES > 0.98
    assert other / STUDIES <= limit(0.05)


def test_of_two_halves_that_differ_none_is_the_odd_one():
    rng = np.random.default_rng(4)
    own = [rng.normal(0.1 * (i % 2), 0.01, 6) for i in range(4)]
    found = machines.alike(["n0", "n1", "n2", "n3"], own, 0.05)
    assert found.p < 0.001 and found.apart == ()


def test_the_test_is_students_squared_for_two_machines_of_one_size():
    # Brown and Forsythe's F of two groups of one size is Welch's t squared.
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, 1, 7), rng.normal(1, 3, 7)
    assert machines.one_mean([a, b]) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_a_change_of_machine_is_neither_memory_nor_drift():
    rng = np.random.default_rng(6)
    codes = np.repeat([0, 1, 2], 8)
    found = {True: 0, False: 0}
    for _ in range(200):
        d = (rng.normal(0, 0.01, 24) + np.array([0.0, 0.02, 0.04])[codes])[:, None]
        for known in found:
            strata = codes if known else None
            remembers = memory.lag_one(d, strata).p[0] < 0.05
            drifts = confounders.trends(d, np.array([True]), strata).p[0] < 0.05
            found[known] += remembers or drifts
    assert found[False] > 190
    assert found[True] / 200 <= 0.10 + 3 * math.sqrt(0.1 * 0.9 / 200)


def test_memory_within_machines_is_still_found():
    rng = np.random.default_rng(7)
    codes = np.repeat([0, 1], 20)
    noise = rng.normal(0, 1, 40)
    for i in range(1, 40):
        noise[i] += 0.8 * noise[i - 1] * (codes[i] == codes[i - 1])
    assert memory.lag_one(noise[:, None], codes).p[0] < 0.01


def test_a_drift_on_every_machine_is_still_found():
    rng = np.random.default_rng(8)
    codes = np.repeat([0, 1, 2], 8)
    place = np.tile(np.arange(8.0), 3)
    logs = np.stack([rng.normal(0, 0.005, 24), 0.01 * place + rng.normal(0, 0.005, 24)], axis=1)
    found = decide(Trials(logs, [(0, 1)], strata=codes))
    assert "trend" in found.cautions
    assert found.comparisons[0].trend == pytest.approx(0.07, abs=0.02)


def study(effects, per=6, seed=3):
    """Three groups; ``effects`` are each machine's own log ratio of b to a."""
    trials = race({"a": 1.0, "b": 1.1, "c": 1.1}, blocks=per * len(effects), seed=seed)
    for t in trials:
        place = (t["block"] - 1) // per
        t["machine"] = f"n{place + 1}"
        if t["group"] == "b":
            t["energy_j"] *= math.exp(effects[place])
    told = [
        {"name": f"n{i + 1}", "blocks": [], "meter": "rapl", "machine": {"cpu": {"model": f"P{i}"}},
         "findings": [{"level": "warning", "title": "Virtual machine"}] if i == 1 else []}
        for i in range(len(effects))
    ]  # fmt: skip
    return trials, told


def analysed(tmp_path, trials, told, **more):
    pairs = [["a", "b"], ["a", "c"], ["b", "c"]]
    record = {
        "work": {"identical": True, "reasons": []}, "machines": told,
        "protocol": declared() | {"comparisons": pairs, "tests": [], "window": []},
    } | more  # fmt: skip
    arrays, strings = pack(trials)
    analysis.run(request(tmp_path, strings, experiment=record), arrays, lambda _: None)
    page = (tmp_path / "report.md").read_text("utf-8").replace("\\", "")
    return json.loads((tmp_path / "summary.json").read_text("utf-8")), page


def test_the_answer_over_machines_is_worked_out_from_each_ones_blocks(tmp_path):
    trials, told = study([0.0, 0.01, -0.01, 0.0])
    found, page = analysed(tmp_path, trials, told)
    logs = {(t["group"], t["block"]): math.log(t["energy_j"]) for t in trials}
    first = next(o for o in found["machines"]["pooled"] if {o["a"], o["b"]} == {"a", "b"})
    sign = 1.0 if (first["a"], first["b"]) == ("a", "b") else -1.0
    means = []
    for i in range(4):
        d = np.array([logs["b", k] - logs["a", k] for k in range(6 * i + 1, 6 * i + 7)]) * sign
        name, mean, error, df = first["parts"][i]
        assert (name, df) == (f"n{i + 1}", 5.0)
        assert mean == pytest.approx(d.mean())
        assert error == pytest.approx(d.std(ddof=1) / math.sqrt(6))
        means.append(d.mean())
    half = stats.t.ppf(0.975, 3) * np.std(means, ddof=1) / 2
    assert first["pooled"]["mean"] == pytest.approx(np.mean(means))
    assert first["pooled"]["high"] == pytest.approx(np.mean(means) + half)
    assert "For machines like these 4: b against a +" in found["sentence"]
    assert "## The machines" in page
    assert all(f"| n{i} |" in page for i in range(1, 5))
    assert any("n2, before its first trial: Virtual machine" in c for c in found["cautions"])
    assert (tmp_path / "plots/forest.svg").is_file()


def test_a_machine_that_misbehaves_is_named(tmp_path):
    trials, told = study([0.0, 0.0, 0.1, 0.0, 0.0])
    found, _ = analysed(tmp_path, trials, told)
    rows = {m["name"]: m for m in found["machines"]["machines"]}
    assert rows["n3"]["apart"] and not any(rows[n]["apart"] for n in ("n1", "n2", "n4", "n5"))
    assert any(c.startswith("Machine n3 stands out") for c in found["cautions"])


def test_what_two_machines_cannot_tell_of_others_is_not_firm(tmp_path):
    trials, told = study([0.0, 0.03], per=8)
    missing = {"shards": [{"number": 3, "missing": "shard 3 was never run"}]}
    found, _ = analysed(tmp_path, trials, told, **missing)
    assert found["level"] == "tentative"
    assert any("not resolved over machines" in c for c in found["decision"]["caps"])
    assert any("one degree of freedom" in c for c in found["cautions"])
    assert any("shard 3 was never run" in c for c in found["cautions"])


@pytest.mark.parametrize("per", [1, 2])
@pytest.mark.parametrize("count", [2, 3])
def test_machines_of_a_block_or_two_still_have_a_report(per, count, tmp_path):
    trials, told = study([0.0, 0.01, -0.01][:count], per=per)
    _, page = analysed(tmp_path, trials, told)
    assert "## The machines" in page
    assert "nan" not in page and "– to –" not in page


def test_one_machine_is_an_experiment_as_ever(tmp_path):
    trials, told = study([0.0])
    found, page = analysed(tmp_path, trials, told)
    assert found["machines"] is None and "The machines" not in page
