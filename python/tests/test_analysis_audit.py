"""The audit of tables: each fault planted at a known size is found with the right count."""

import json

import numpy as np
import pytest

from analysis.audit import checks, host, left
from analysis.audit.trials import Trials

GROUPS = ("c", "go", "java", "python")

#: Seconds and watts of each group; 24 runs each, in random order.
TRUE = {"c": (20.0, 40.0), "go": (26.0, 42.0), "java": (33.0, 44.0), "python": (90.0, 41.0)}
RUNS = 24


class Made:
    """A clean table as CodeCarbon writes it where there are counters, and faults to plant."""

    def __init__(self, seed: int = 3, runs: int = RUNS) -> None:
        rng = self.rng = np.random.default_rng(seed)
        self.group = np.repeat(GROUPS, runs)
        size = len(self.group)
        self.time = np.array([TRUE[g][0] for g in self.group]) * rng.normal(1, 0.04, size)
        self.cpu_w = np.array([TRUE[g][1] for g in self.group]) * rng.normal(1, 0.05, size)
        self.ram_w = 6.0 * rng.normal(1, 0.06, size)
        self.total = None
        self.version = ["2.8.1"] * size
        self.machine = ["one"] * size
        self.block = [None] * size
        starts = rng.permutation(size) * 200.0
        self.start = 1.7e9 + starts
        self.content = np.arange(size, dtype=float)
        self.stated = True
        self.impossible = np.full(size, np.nan)

    @property
    def joules(self) -> tuple[np.ndarray, np.ndarray]:
        return self.cpu_w * self.time, self.ram_w * self.time

    def of(self, group: str) -> np.ndarray:
        return np.flatnonzero(self.group == group)

    def request(self) -> tuple[dict, dict]:
        cpu, ram = self.joules
        total = cpu + ram if self.total is None else self.total
        size = len(self.group)
        strings = {
            "trial": [f"row {i + 2}" for i in range(size)],
            "group": self.group.tolist(),
            "status": ["invalid" if i == 1 else "ok" for i in self.impossible],
            "reason": ["its energy is a time" if i == 1 else None for i in self.impossible],
            "tool": ["CodeCarbon"] * size,
            "tool_version": self.version,
            "machine": self.machine,
            "table_block": self.block,
        }
        arrays = {
            "energy_j": cpu + ram,
            "table_energy_j": total,
            "energy_package_j": cpu,
            "energy_dram_j": ram,
            "time_s": self.time,
            "start_unix_s": self.start,
            "table_row": np.arange(size) + 2.0,
            "table_content": self.content,
            "table_impossible": self.impossible,
        }
        if self.stated:
            arrays |= {"stated_package_w": self.cpu_w, "stated_dram_w": self.ram_w}
        return {"strings": strings}, arrays

    def trials(self) -> Trials:
        return Trials.of(*self.request())

    def found(self) -> dict:
        return {finding.kind: finding for finding in checks.all_of(self.trials())}

    def only(self, kind: str):
        """The one finding that there is."""
        found = self.found()
        assert list(found) == [kind], {k: f.evidence for k, f in found.items()}
        return found[kind]


@pytest.mark.parametrize("seed", range(40))
def test_a_clean_table_gives_no_finding(seed):
    for stated in (True, False):
        made = Made(seed)
        made.stated = stated
        assert not made.found()


@pytest.mark.parametrize("stated", [True, False])
def test_a_constant_power_is_an_estimate_and_its_share_and_groups_are_told(stated):
    made = Made()
    made.stated = stated
    made.ram_w[:] = 20.0
    found = made.only("estimate")
    assert (len(found.trials), found.groups) == (4 * RUNS, GROUPS)
    cpu, ram = made.joules
    share = ram[made.of("c")].sum() / (cpu + ram)[made.of("c")].sum()
    assert found.numbers["share"]["c"] == pytest.approx(share)
    assert found.severity == "serious" and found.parts == ("energy_dram_j",)


def test_a_processor_that_is_constant_for_some_groups_only_is_two_instruments():
    made = Made()
    for group in ("c", "go", "java"):
        made.cpu_w[made.of(group)] = 42.5
    found = made.found()
    assert set(found) - {"time-in-disguise"} == {"estimate", "constant-in-some"}
    assert len(found["estimate"].trials) == 3 * RUNS
    assert found["constant-in-some"].groups == ("c", "go", "java")
    assert "42.5 W in c, go and java" in found["estimate"].evidence


def test_a_group_of_one_run_is_not_said_to_vary():
    made = Made()
    made.cpu_w[:] = 42.5
    one = made.of("python")
    made.stated = False
    request, arrays = made.request()
    kept = np.setdiff1d(np.arange(len(made.group)), one[1:])
    strings = {name: [values[i] for i in kept] for name, values in request["strings"].items()}
    trials = Trials.of({"strings": strings}, {name: v[kept] for name, v in arrays.items()})
    found = {finding.kind: finding for finding in checks.all_of(trials)}
    assert "constant-in-some" not in found
    assert "varies" not in found["estimate"].evidence


def test_a_part_that_some_groups_lack_is_missing_there():
    made = Made()
    made.ram_w[made.of("python")] = 0.0
    found = made.only("missing-part")
    assert (found.groups, len(found.trials)) == (("python",), RUNS)


def test_mixed_versions_weigh_more_where_they_are_a_groups_own():
    made = Made()
    for row in range(0, len(made.group), 4):
        made.version[row] = "3.0.0"
    found = made.only("mixed-tool-version")
    assert (len(found.trials), found.severity) == (RUNS, "warning")
    made = Made()
    for row in made.of("java"):
        made.version[row] = "3.0.0"
    found = made.only("mixed-tool-version")
    assert (len(found.trials), found.severity, found.groups) == (RUNS, "serious", ("java",))


def test_machines_are_told_apart():
    made = Made()
    for row in (3, 30, 60):
        made.machine[row] = "another"
    assert len(made.only("mixed-machine").trials) == 3


def test_a_second_profiler_that_ranks_otherwise_is_told_and_one_that_agrees_is_not():
    made = Made()
    request, arrays = made.request()
    second = 0.9 * arrays["energy_j"]
    arrays["other_b__energy"] = second
    assert not checks.all_of(Trials.of(request, arrays))
    second[made.of("c")] *= 2.0
    (found,) = checks.all_of(Trials.of(request, arrays))
    assert (found.kind, found.numbers["column"]) == ("meters-disagree", "b__energy")
    assert found.numbers["ratio"]["c"] == pytest.approx(1.8)


def test_a_column_that_never_moved_is_noted():
    request, arrays = Made().request()
    request["absent"] = [{"column": "DRAM_ENERGY (J)", "groups": ["c", "go"], "trials": 40}]
    (found,) = checks.all_of(Trials.of(request, arrays))
    assert (found.kind, found.severity, len(found.trials)) == ("absent", "note", 40)


def test_runs_of_one_group_after_another_have_no_random_order():
    made = Made()
    made.start = 1.7e9 + 200.0 * np.arange(len(made.group))
    found = made.only("order-by-group")
    assert (found.numbers["changes"], found.severity) == (3, "serious")
    # Two stretches of each are as little random.
    stretches = np.concatenate([made.of(g)[half::2] for half in (0, 1) for g in GROUPS])
    made.start[stretches] = 1.7e9 + 200.0 * np.arange(len(made.group))
    found = made.only("order-by-group")
    assert (found.numbers["changes"], found.severity) == (7, "warning")


def test_groups_of_two_days_did_not_run_at_the_same_time():
    made = Made()
    late = np.isin(made.group, GROUPS[2:])
    made.start[late] += 7 * 86400.0
    found = made.only("order-apart")
    assert (found.numbers["periods"], found.severity) == (2, "serious")
    assert found.numbers["pairs"] == 4


def test_a_run_that_broke_off_is_found_and_left_out():
    made = Made()
    rows = [made.of(GROUPS[0])[4], made.of(GROUPS[1])[2]]
    made.time[rows] *= (0.01, 5.0)
    found = made.only("odd-length")
    assert sorted(found.trials) == sorted(rows) and list(found.drop) == list(found.trials)
    assert f"row {rows[0] + 2} " in found.evidence


def test_numbers_through_all_groups_are_no_blocks():
    made = Made()
    made.block = [str(n) for n in range(len(made.group))]
    found = made.only("numbered-in-time")
    assert len(found.trials) == 4 * RUNS


def in_blocks(made: Made, cycle: bool) -> None:
    made.block = [str(n) for n in np.tile(np.arange(RUNS), 4)]
    for block in range(RUNS):
        rows = np.arange(4) * RUNS + block
        order = np.arange(4) if cycle else made.rng.permutation(4)
        made.start[rows] = 1.7e9 + 1000.0 * block + 200.0 * order


def test_an_order_that_repeats_in_every_block_is_found_and_a_random_one_is_not():
    made = Made()
    in_blocks(made, cycle=False)
    assert not made.found()
    in_blocks(made, cycle=True)
    found = made.only("order-repeats")
    assert (found.numbers["blocks"], found.numbers["period"]) == (RUNS, 1)


def test_blocks_that_lack_a_group_are_counted():
    made = Made()
    in_blocks(made, cycle=False)
    request, arrays = made.request()
    for row in (made.of("go")[5], made.of("go")[6], made.of("python")[9]):
        request["strings"]["status"][row] = "failed"
    found = {f.kind: f for f in checks.all_of(Trials.of(request, arrays))}
    assert found["blocks-incomplete"].numbers["incomplete"] == 3
    assert found["blocks-incomplete"].numbers["missing"] == {
        "c": 0,
        "go": 2,
        "java": 0,
        "python": 1,
    }
    assert len(found["unusable"].trials) == 3


def test_energy_that_is_time_in_disguise_has_a_slope_of_one():
    made = Made()
    made.stated = False
    made.cpu_w = 40.0 * made.rng.normal(1, 0.008, len(made.group))
    made.ram_w = 6.0 * made.rng.normal(1, 0.03, len(made.group))
    found = made.only("time-in-disguise")
    assert found.numbers["slope_low"] < 1 < found.numbers["slope_high"]
    assert found.numbers["r"] > 0.999


def test_duplicates_zeros_and_negatives_are_counted_by_group():
    made = Made()
    c = made.of("c")
    for name in ("time", "cpu_w", "ram_w", "content"):
        getattr(made, name)[c[:4]] = getattr(made, name)[c[4:8]]
    found = made.only("duplicate")
    assert (len(found.trials), found.groups) == (4, ("c",))
    made = Made()
    made.total = sum(made.joules)
    made.total[made.of("go")[:2]] = 0.0
    made.total[made.of("java")[:3]] *= -1.0
    found = made.found()
    assert {k: (len(f.trials), f.groups) for k, f in found.items()} == {
        "zero": (2, ("go",)),
        "negative": (3, ("java",)),
    }


def test_energies_that_no_machine_uses_are_told_and_the_ranking_is_made_without():
    made = Made()
    rows = made.of("go")[:5]
    made.impossible[rows] = 1
    made.total = sum(made.joules)
    made.total[rows] = 1.77e12
    found = made.found()["impossible"]
    assert (len(found.trials), found.groups, found.severity) == (5, ("go",), "serious")
    assert "5 times its energy is a time" in found.evidence
    assert sorted(found.drop) == sorted(rows)


def test_rounding_is_told_where_it_hides_differences_only():
    made = Made()
    total = sum(made.joules)
    made.total = np.round(total / 5.0) * 5.0
    assert "rounded" not in made.found(), "5 J are little beside a scatter of 60"
    made.total = np.round(total / 200.0) * 200.0
    assert made.found()["rounded"].numbers["step_j"] == pytest.approx(200.0)


def test_outliers_cut_on_both_sides_leave_a_sharp_edge():
    made = Made(runs=240)
    total = sum(made.joules)
    keep = np.ones(len(total), bool)
    for group in GROUPS:
        rows = made.of(group)
        z = (total[rows] - total[rows].mean()) / total[rows].std()
        keep[rows[np.abs(z) > 2]] = False
    for name in ("group", "time", "cpu_w", "ram_w", "start", "content", "impossible"):
        setattr(made, name, getattr(made, name)[keep])
    for name in ("version", "machine", "block"):
        setattr(made, name, [v for v, k in zip(getattr(made, name), keep, strict=True) if k])
    found = made.only("outliers-cut")
    assert found.numbers["above_sd"] < 2.5 and found.numbers["below_sd"] < 2.5


def test_wraps_that_nobody_undid_are_a_range_below_the_median():
    made = Made()
    made.time *= 10.0
    made.total = sum(made.joules)
    rows = made.of("python")[:3]
    made.total[rows] -= 65536.0
    found = made.found()["wrap"]
    assert sorted(found.trials) == sorted(rows)
    assert found.numbers["range_j"] == 65536.0


def test_a_handful_of_runs_is_too_few():
    found = Made(runs=3).only("few")
    assert (len(found.trials), found.severity) == (12, "warning")
    assert Made(runs=1).found()["few"].severity == "serious"


def test_parts_above_the_total_and_sums_that_do_not_add_up():
    made = Made()
    cpu, ram = made.joules
    made.total = cpu + ram
    made.total[:6] = 0.5 * cpu[:6]
    made.total[30:34] *= 1.2
    found = made.found()
    assert len(found["part-above-whole"].trials) == 6
    assert len(found["sum"].trials) == 4


def test_the_ranking_is_told_with_and_without_each_finding():
    """Memory at a constant 20 W is most of what the long-running group costs."""
    made = Made()
    made.time[made.of("c")] *= 2.6
    made.cpu_w[made.of("c")] *= 0.4
    made.ram_w[:] = 20.0
    cpu, ram = made.joules
    mean = {g: [(cpu + ram)[made.of(g)].mean(), cpu[made.of(g)].mean()] for g in GROUPS}
    assert mean["c"][0] > mean["go"][0] and mean["c"][1] < mean["go"][1], "as planted"
    trials = made.trials()
    remains = left.without(trials, checks.all_of(trials))
    assert remains.published.ranked[:2] == ["go", "c"]
    (change,) = [row for row in remains.each if row.changes]
    assert change.kind == "estimate" and change.comparison.ranked[0] == "c"
    assert "turned round: c < go" in change.what


def test_where_all_is_an_estimate_nothing_is_left_to_compare():
    made = Made()
    request, arrays = made.request()
    arrays = {"energy_j": 50.0 * made.time, "time_s": made.time, "start_unix_s": made.start}
    arrays |= {"energy_system_j": 50.0 * made.time, "table_row": np.arange(96.0)}
    trials = Trials.of(request, arrays)
    found = checks.all_of(trials)
    assert {f.kind for f in found} == {"estimate", "time-in-disguise"}
    assert not any(row.comparison for row in left.without(trials, found).each)


def test_all_three_files_say_the_same(tmp_path):
    made = Made()
    made.ram_w[:] = 20.0
    made.group = np.array(["<b>c" if g == "c" else g for g in made.group])
    request, arrays = made.request()
    events = []
    host.serve(request | {"output": str(tmp_path), "title": "T"}, arrays, events.append)
    assert events[-1]["event"] == "result"
    told = json.loads((tmp_path / "audit.json").read_text())
    page = (tmp_path / "audit.html").read_text()
    assert [f["kind"] for f in told["findings"]] == ["estimate"]
    assert told["findings"][0]["title"] in page
    assert told["findings"][0]["title"] in (tmp_path / "audit.md").read_text()
    assert "<b>c" not in page and "&lt;b&gt;c" in page
