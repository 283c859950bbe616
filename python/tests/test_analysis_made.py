"""Made experiments with a known truth, and that the table of trials is put together right."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis import settings, table

PHASES = {"import": 0.06, "data": 0.03, "build": 0.05, "train": 0.80, "evaluate": 0.06}


def trial(group, block, energy_j, time_s=30.0, **columns):
    """One trial as the host describes it."""
    return {
        "trial": f"{group}_{block}",
        "group": group,
        "file": f"{group}/{group}_{block}.csv",
        "block": block,
        "energy_j": energy_j,
        "time_s": time_s,
        "meter": "rapl",
        "estimated": "false",
        "status": "ok",
        "coverage": 1.0,
    } | columns


def race(ratios, blocks=20, noise=0.01, block_noise=0.02, seed=1, order="random", phases=False):
    """An experiment in which group ``g`` uses ``ratios[g]`` times 1 kJ, ln-normal noise on top."""
    rng = np.random.default_rng(seed)
    trials, clock, place = [], 1.75e9, 0
    for block in range(1, blocks + 1):
        common = rng.normal(0, block_noise)
        names = list(ratios)
        if order == "random":
            names = [str(name) for name in rng.permutation(names)]
        for position, name in enumerate(names, 1):
            place += 1
            energy = 1000 * ratios[name] * np.exp(common + rng.normal(0, noise))
            row = trial(name, block, energy, position=position, run_order=place, start_unix_s=clock)
            row["time_s"] = 30.0 * np.exp(rng.normal(0, 0.002))
            if trials:
                row["predecessor"] = trials[-1]["group"]
            if phases:
                for phase, share in PHASES.items():
                    row |= {f"phase_{phase}_j": energy * share, f"phase_{phase}_s": 30 * share}
                seconds = np.linspace(0, 30, 50)
                row["trace"] = (seconds, np.full(50, energy / 30) + rng.normal(0, 1, 50))
            trials.append(row)
            clock += 60.0
    return trials


def pack(trials):
    """Rows of trials as the host hands them over: numeric arrays and string columns."""
    names = dict.fromkeys(k for row in trials for k in row if k != "trace")
    arrays, strings = {}, {}
    for name in names:
        values = [row.get(name) for row in trials]
        if any(isinstance(v, str) for v in values):
            strings[name] = values
        else:
            arrays[name] = np.array([np.nan if v is None else v for v in values], float)
    for row in trials:
        if "trace" in row:
            arrays[f"trace:{row['trial']}:t"], arrays[f"trace:{row['trial']}:w"] = row["trace"]
    return arrays, strings


def request(output, strings, **changes):
    """A request with the host's usual settings."""
    return {
        "output": str(output),
        "title": "A made experiment",
        "source": "experiment",
        "method": "joulerace",
        "alpha": 0.05,
        "seed": 7,
        "base": None,
        "practical": {
            "runs_per_year": 1000,
            "price_per_kwh": 0.30,
            "currency": "EUR",
            "carbon_intensity": 480,
            "carbon_source": "a test",
        },
        "experiment": None,
        "excluded": [],
        "ignored": [],
        "strings": strings,
        "control": None,
        "baseline": None,
        "command": "joulerace analyze made",
        "version": "0.0.0-test",
    } | changes


def build(trials, tmp_path, **changes):
    """The table of trials and its settings."""
    arrays, strings = pack(trials)
    parsed = settings.Settings.parse(request(tmp_path, strings, **changes))
    return table.build(arrays, strings, parsed), parsed


def test_base_is_the_group_with_the_lowest_mean_energy_unless_named(tmp_path):
    trials = race({"b": 2.0, "a": 3.0, "c": 1.0}, blocks=3)
    assert build(trials, tmp_path)[0].groups == ("c", "b", "a")
    assert build(trials, tmp_path, base="a")[0].groups == ("a", "c", "b")


def test_an_unknown_base_is_refused_by_name(tmp_path):
    with pytest.raises(settings.RequestError, match="'nobody'"):
        build(race({"a": 1.0, "b": 2.0}, blocks=3), tmp_path, base="nobody")


def test_blocks_are_paired_only_where_both_groups_have_one_usable_trial(tmp_path):
    trials = race({"a": 1.0, "b": 2.0}, blocks=6)
    trials = [t for t in trials if t["trial"] != "b_2"]  # missing
    next(t for t in trials if t["trial"] == "a_3")["status"] = "failed"
    next(t for t in trials if t["trial"] == "b_4")["energy_j"] = float("nan")
    trials.append(trial("a", 5, 1234.0, trial="a_5_again"))  # two of one group in a block
    trials.append(trial("a", None, 1000.0, trial="a_without_number"))
    found, _ = build(trials, tmp_path)
    assert list(found.blocks("energy_j", ("a", "b")).index) == [1, 6]
    assert len(found.values("energy_j", "a")) == 7
    assert len(found.values("energy_j", "b")) == 4


def test_a_trial_without_positive_energy_is_left_out_with_a_reason(tmp_path):
    trials = race({"a": 1.0, "b": 2.0}, blocks=3)
    trials[0]["energy_j"] = -5.0
    found, _ = build(trials, tmp_path)
    left_out = found.frame[~found.frame["usable"]]
    assert list(left_out["trial"]) == [trials[0]["trial"]]
    assert list(left_out["reason"]) == ["no positive energy or time"]


def test_order_follows_from_start_times_but_not_in_blocks_with_a_missing_file(tmp_path):
    trials = race({"a": 1.0, "b": 2.0, "c": 3.0}, blocks=4, order="fixed")
    for row in trials:
        for known in ("position", "run_order", "predecessor"):
            row.pop(known, None)
    trials = [t for t in trials if t["trial"] != "a_2"]
    broken = next(t for t in trials if t["trial"] == "b_4")
    broken |= {"status": "excluded", "start_unix_s": None, "energy_j": None}
    frame = build(trials, tmp_path)[0].frame.set_index("trial")
    assert frame.loc["c_1", "position"] == 3
    assert np.isnan(frame.loc["b_2", "position"])
    assert frame.loc["b_1", "predecessor"] == "a"
    assert frame.loc["a_3", "predecessor"] is None
    assert frame.loc["c_3", "position"] == 3
    assert np.isnan(frame.loc["c_4", "position"]), "an unreadable file is as good as a missing one"


def test_the_control_follows_from_the_experiment_where_the_request_names_none(tmp_path):
    trials = race({"a": 1.0, "a-control": 1.0, "b": 1.1}, blocks=3)
    twin = {"name": "a-control", "framework": "a"}
    found, parsed = build(trials, tmp_path, experiment={"settings": {"control": twin}})
    assert parsed.control == settings.Control("a", "a-control")
    assert (found.groups, found.twin) == (("a", "b"), "a-control")
    assert build(trials, tmp_path, experiment={"settings": {"control": None}})[1].control is None


def test_columns_of_different_lengths_are_refused(tmp_path):
    arrays, strings = pack(race({"a": 1.0, "b": 2.0}, blocks=3))
    arrays["energy_j"] = arrays["energy_j"][:-1]
    parsed = settings.Settings.parse(request(tmp_path, strings))
    with pytest.raises(settings.RequestError, match="energy_j"):
        table.build(arrays, strings, parsed)
