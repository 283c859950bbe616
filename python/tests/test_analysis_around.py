"""What the machine did around the trials, and the machine itself, as the report tells them."""

from test_analysis_made import build, race

from analysis import around, findings, machine, questions, verdict
from analysis.table import Incomplete

WARMUP = {
    "seconds": 60.25, "stopped": False, "threads": 8, "settled": False, "estimated": False,
    "why": "power still moved by 3.1% over the last 20 s",
}  # fmt: skip
BASELINES = [
    {"when": "before", "watts": 20.0, "sd_w": 0.3, "seconds": 10.0, "estimated": False},
    {"when": "after", "watts": 23.0, "sd_w": 0.3, "seconds": 10.0, "estimated": False},
]
OVERHEAD = {"seconds": 10.0, "cpu_seconds": 0.02, "cpu_share": 0.002, "watts": 0.4}


def watched(blocks=8):
    """Two groups whose trials carry everything that a host can know of the machine."""
    trials = race({"a": 1.0, "b": 1.2}, blocks=blocks)
    for row in trials:
        row |= {
            "flags": "", "idle_w": 20.0, "trial_time_s": 40.0, "trial_cpu_s": 80.0,
            "meter_cpu_s": 0.04, "missed_samples": 0, "other_cores": 0.02, "mhz_mean": 3000.0,
            "celsius_begin": 40.0, "celsius_max": 60.0, "throttle_events": 0, "cooldown_s": 30.0,
            "cooldown_w": 20.5,
        }  # fmt: skip
    disturbed = next(t for t in trials if t["trial"] == "b_3")
    disturbed |= {"flags": "interference;wrap", "other_cores": 1.5, "cooldown_w": 26.0}
    next(t for t in trials if t["trial"] == "a_2").update(flags="missed-samples", missed_samples=3)
    return trials


def answers(trials, tmp_path, **changes):
    """The ten answers as plain text, by number, and the findings behind them."""
    found_table, settings = build(trials, tmp_path, **changes)
    found = findings.analyse(found_table, settings)
    told = questions.answer_all(found_table, found, settings)
    return [""] + [" ".join([a.short, *a.paragraphs]) for a in told], found, told


def settled(**settling):
    experiment = {"settling": {"warmups": [], "baselines": [], "overhead": None} | settling}
    return {"experiment": experiment}


def test_idle_power_its_drift_and_the_way_back_to_it_are_told(tmp_path):
    said, found, told = answers(
        watched(),
        tmp_path,
        baseline={"before_w": 20.0, "after_w": 23.0, "drift_w": 3.0},
        **settled(warmups=[WARMUP], baselines=BASELINES),
    )
    assert "20.0 W before the first trial and 23.0 W after the last" in said[7]
    assert "drifted by 3.0 W (+15.0%)" in said[7]
    assert "had not settled when it ended: power still moved by 3.1%" in said[7]
    assert "16 cool-downs of 30.0 s on average ended at a mean of 20.8 W" in said[7]
    assert "1 of 16 were not back at idle, that is within 10% of it" in said[7]
    assert told[6].mark == "warn"
    cooldowns = found.around.cooldowns
    assert (cooldowns.judged, cooldowns.not_back) == ("here", 1)


def test_the_experiments_own_judgement_of_a_cool_down_counts(tmp_path):
    trials = watched()
    for place, row in enumerate(trials):
        row["cooldown_reached_idle"] = float(place > 2)
    cooldowns = around.cooldowns(build(trials, tmp_path)[0])
    assert (cooldowns.judged, cooldowns.known, cooldowns.not_back) == ("host", 16, 3)


def test_disturbed_trials_are_counted_per_group_and_limit_the_answer(tmp_path):
    said, found, told = answers(watched(), tmp_path)
    assert "other processes kept processors busy in 1 and samples are missing in 1" in said[2]
    rows = {r.group: r for r in found.around.during}
    assert rows["b"].other_cores_max == 1.5
    assert rows["a"].missed_samples == 3
    headings = [c.label for c in told[1].tables[0].columns]
    assert "Interference" in headings
    assert "Missed samples" in headings
    found_table, settings = build(watched(), tmp_path)
    answer = verdict.decide(found_table, found, settings)
    assert any(
        c.startswith("Of 16 usable trials, other processes kept processors busy in 1; without such")
        for c in answer.cautions
    )
    assert found.disturbed.trials == 2


def test_the_meters_own_cost_is_told_with_the_trials_and_without(tmp_path):
    said, found, _ = answers(watched(), tmp_path, **settled(overhead=OVERHEAD))
    assert found.around.meter_overhead.per_second == 0.001
    assert found.around.meter_overhead.trial_share == 0.0005
    assert "1.0 ms of processor time per second, 0.050% of the trials' own" in said[5]
    assert "0.40 W of idle power" in said[5]
    said, _, _ = answers(watched(), tmp_path, **settled(overhead=OVERHEAD | {"watts_se": 0.3}))
    assert "no power that can be told from idle (0.40 ± 0.30 W" in said[5]
    plain = race({"a": 1.0, "b": 1.2}, blocks=8)
    said, _, _ = answers(plain, tmp_path, **settled(overhead=OVERHEAD | {"watts": None}))
    assert "The meter itself took 2.0 ms of processor time per second." in said[5]


def test_an_experiment_that_knows_nothing_of_it_says_so(tmp_path):
    plain = race({"a": 1.0, "b": 1.2}, blocks=8)
    for experiment in (None, {}, {"settling": None}, {"settling": {"warmups": None}}):
        said, found, told = answers(plain, tmp_path, experiment=experiment)
        assert "idle power was not measured" in said[7]
        assert "The meter itself" not in said[5]
        assert found.around.cooldowns is None
        assert found.around.during == []
        assert told[6].mark == "unknown"


def test_a_pair_uses_every_block_in_which_both_of_it_are_usable(tmp_path):
    trials = race({"a": 1.0, "b": 1.1, "c": 1.2}, blocks=9)
    next(t for t in trials if t["trial"] == "c_4").update(status="failed", reason="it raised")
    next(t for t in trials if t["trial"] == "b_7").update(status="invalid", reason="wrong work")
    trials = [t for t in trials if t["trial"] != "a_9"]
    found_table, settings = build(trials, tmp_path)
    assert list(found_table.blocks("energy_j", ("a", "b")).index) == [1, 2, 3, 4, 5, 6, 8]
    found = findings.analyse(found_table, settings)
    paired = {
        (r.a, r.b): r.n for r in found.pairs if r.metric == "energy_j" and r.test == "paired-t-log"
    }
    assert paired == {("a", "b"): 7, ("a", "c"): 7, ("b", "c"): 7}
    unpaired = found.pair("a", "b", "welch")
    assert (unpaired.n_a, unpaired.n_b) == (8, 8)
    omnibus = [r for r in found.omnibus if r.test == "friedman" and r.metric == "energy_j"]
    assert omnibus[0].blocks == 6, "tests of all groups at once need complete blocks"
    assert found_table.incomplete_blocks() == [
        Incomplete(4.0, {"c": "failed"}),
        Incomplete(7.0, {"b": "invalid"}),
        Incomplete(9.0, {"a": "no trial"}),
    ]
    answer = questions.answer_all(found_table, found, settings)[1]
    listed = next(t for t in answer.tables if t.caption.startswith("Blocks that lack"))
    assert [c.text for c in listed.rows[0]] == ["4", "c: failed"]
    assert any("6 blocks with every group" in p for p in answer.paragraphs)


def test_a_group_outside_all_blocks_does_not_keep_the_others_from_pairing(tmp_path):
    trials = race({"a": 1.0, "b": 1.1}, blocks=7)
    trials += [row | {"block": None} for row in race({"c": 1.2}, blocks=7, seed=2)]
    found_table, _ = build(trials, tmp_path)
    assert len(found_table.blocks("energy_j", ("a", "b"))) == 7
    assert len(found_table.blocks("energy_j", ("a", "c"))) == 0


def test_every_pair_says_whether_it_is_resolved_and_why_not(tmp_path):
    trials = race({"a": 1.0, "a-control": 1.0, "b": 1.0, "c": 1.5}, blocks=40, noise=0.004)
    control = {"treatment": "a", "twin": "a-control"}
    found_table, settings = build(trials, tmp_path, control=control)
    found = findings.analyse(found_table, settings)
    answer = verdict.decide(found_table, found, settings)
    why = {frozenset((c.base, c.group)): c.why_not for c in answer.pairs}
    assert why[frozenset("ab")] == "not significant after Holm"
    assert why[frozenset("ac")] is None
    assert why[frozenset("bc")] is None
    assert "; not resolved: " in answer.sentence
    few = build(race({"a": 1.0, "b": 1.5}, blocks=1), tmp_path)
    answer = verdict.decide(few[0], findings.analyse(*few), few[1])
    assert [c.why_not for c in answer.pairs] == ["too few data"]


MACHINE = {
    "cpu": {
        "model": "A Processor", "sockets": 1, "cores": 8, "threads": 16, "smt": True,
        "turbo": False, "governor": ["performance"], "frequency_driver": "intel_pstate",
        "energy_preference": [], "hardware_min_mhz": 800.0, "hardware_max_mhz": 4700.0,
        "mitigations": {"mds": "Vulnerable", "l1tf": "Mitigation: PTE", "srso": "Not affected"},
    },
    "architecture": "x86_64", "memory_bytes": 17179869184, "swap_bytes": 0,
    "gpus": [{"name": "A Card", "driver": "nvidia", "version": "550.1"}], "os": "An OS 1",
    "kernel": "6.1.0", "virtualisation": {"hypervisor": "QEMU/KVM", "container": None},
    "supply": {"mains": False, "battery": True, "battery_status": "Discharging",
               "battery_percent": 80.0},
    "load": [0.1, 0.2, 0.3], "celsius": 41.0, "uptime_s": 7200.0, "board": {},
}  # fmt: skip


def test_the_machine_is_described_in_words():
    found = dict(machine.entries({"machine": MACHINE}))
    words = dict(found["Machine"])
    assert words["Cores"] == "1 socket, 8 cores, 16 threads"
    assert (words["Simultaneous multithreading"], words["Turbo"]) == ("on", "off")
    assert words["Governor"] == "performance (intel_pstate)"
    assert words["Of the hardware"] == "0.80 to 4.70 GHz"
    assert words["Mitigations"] == "1 active; left vulnerable: mds"
    assert (words["Memory"], words["Swap"]) == ("16.0 GiB", "none")
    assert words["Graphics"] == "A Card (nvidia 550.1)"
    assert (words["Virtual machine"], words["Container"]) == ("QEMU/KVM", "no")
    assert words["Power supply"] == "no mains, battery 80%, discharging"
    assert words["Since boot"] == "2.0 h"
    assert "Board" not in words, "what is unknown is left out"


def test_meter_software_and_data_are_described_and_strange_records_shown_as_they_are():
    counter = {"domain": "package", "counted": True, "name": "package-0", "range_j": 262143.0}
    cards = [
        {
            "gpu": 0,
            "name": "A Card",
            "driver": "550.1",
            "power_limit_w": 250.0,
            "power_limit_default_w": 250.0,
            "persistence": True,
            "clock_mhz": 1155,
            "clock_most_mhz": 1410,
            "memory_clock_mhz": 1593,
            "mig": False,
            "processes": 0,
        },
        {
            "gpu": 1,
            "name": "A Card",
            "driver": None,
            "power_limit_w": 180.5,
            "power_limit_default_w": 250.0,
            "persistence": False,
            "mig": True,
            "processes": 1,
        },
    ]
    experiment = {
        "version": "1.2", "git": {"revision": "abc", "dirty": True},
        "meter": {
            "chosen": {"kind": "rapl", "version": "1", "estimated": False, "counters": [counter],
                       "way": "perf events", "cards": cards},
            "rejected": [["energibridge", "no such file"]],
        },
        "environment": {"version": "3.11.7", "packages": {"torch": "2.6.0", "six": "1.17"}},
        "dataset": {"name": "mnist", "files": [{"name": "x.gz", "sha256": "0f" * 32,
                                                "published": False}]},
        "variables": {"OMP_NUM_THREADS": "2"}, "settings": {"cpu_watts": {"idle_w": 10.0}},
        "machine": {"some_cpu": "old", "parts": [{"n": 1}, {"n": None}]},
    }  # fmt: skip
    found = {heading: dict(entries) for heading, entries in machine.entries(experiment)}
    assert found["Meter"]["Domain package"] == "package-0, wraps after 262.1 kJ"
    assert found["Meter"]["RAPL read through"] == "perf events"
    assert found["Meter"]["GPU 0"] == (
        "A Card, driver 550.1, power limit 250 W, clock 1155 MHz, at most 1410 MHz, "
        "memory 1593 MHz, persistence on, not split, no other processes computed on it"
    )
    assert found["Meter"]["GPU 1"] == (
        "A Card, power limit 180.5 W (as it comes: 250 W), persistence off, split (MIG), "
        "1 other process computed on it"
    )
    assert found["Meter"]["Not energibridge"] == "no such file"
    assert found["Software"]["Revision"] == "abc, with changes that are not committed"
    assert list(found["All packages"]) == ["torch", "six"]
    assert found["Data set"]["x.gz"].startswith("not as published, SHA-256 0f0f")
    assert found["Environment variables"] == {"OMP_NUM_THREADS": "2"}
    assert found["Settings"] == {"cpu watts, idle w": "10.0"}
    assert found["Machine"] == {"some cpu": "old", "parts 1, n": "1"}
    assert machine.entries({}) == []


def test_where_hardly_a_trial_was_left_alone_nothing_is_said_of_the_rest(tmp_path):
    trials = race({"a": 1.0, "b": 1.0}, blocks=6, noise=0.05, seed=4)
    for trial in trials[:-2]:
        trial["flags"] = "interference"
    table, settings = build(trials, tmp_path)
    found = findings.analyse(table, settings)
    told = " ".join(verdict.decide(table, found, settings).cautions)
    assert "too little is left to tell whether the conclusion holds" in told
    assert "the conclusion is the same" not in told
