"""A whole experiment's folder as the program leaves it, made with a known truth.

Samples, records and ``experiment.json`` are written by hand here, so that a test can run the real
program on them and work every number out again from the same files.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[2]

#: Phases with their seconds and their power as a multiple of the trial's.
PHASES = {
    "import": (1.3, 0.6), "data": (0.7, 0.5), "build": (0.9, 0.8), "train": (8.0, 1.1),
    "evaluate": (1.1, 0.9),
}  # fmt: skip

#: Watts of the package, and what the memory takes beside it.
GROUPS = {"slow": 30.0, "quick": 26.0, "odd": 29.6}
DRAM = 0.1
TWIN = "quick-control"
BLOCKS = 14
RANGE_J = 262_144.0
IDLE = (9.0, 9.3)
OVERHEAD = {"seconds": 20.0, "cpu_seconds": 0.01, "watts": 0.05, "watts_se": 0.04}
LIMITS = {
    "others_per_trial": 0.05, "others_cores": 0.1, "throttle_events": 0, "swapped_pages": 256,
    "steal_share": 0.02,
}  # fmt: skip


def program():
    """The program that the tests were built with, or the last one that was built."""
    named = os.environ.get("JOULERACE_TEST_PROGRAM")
    found = Path(named) if named else PROJECT / "target/debug/joulerace"
    if not found.exists():
        pytest.skip("the program is not built; `cargo test --test python` builds it")
    return found


def analyse(folder, *flags):
    """Run the program on a folder as a user does; the folder of its results."""
    output = folder.parent / f"{folder.name}-report"
    done = subprocess.run(
        [program(), "analyze", folder, "--output", output, *flags],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "VIRTUAL_ENV": str(Path(sys.prefix)), "JOULERACE_HOME": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return output


def _steps(start_s, watts, stretch):
    """Marks of the phases, the steps of the package's power, and the end."""
    at, edges, marks = start_s + 0.31, [(start_s, 0.4 * watts)], []
    for phase, (seconds, share) in PHASES.items():
        seconds *= stretch
        marks += [(phase, "begin", at), (phase, "end", at + seconds)]
        edges.append((at, share * watts))
        at += seconds
    edges.append((at, 0.4 * watts))
    return marks, edges, at + 0.45


def _joules(edges, until):
    ends = [t for t, _ in edges[1:]] + [math.inf]
    pieces = zip(edges, ends, strict=True)
    return sum(w * max(0.0, min(end, until) - begin) for (begin, w), end in pieces)


def _samples(path, start_s, end_s, edges, first_j):
    """Five samples a second, counters in 2⁻¹⁴ J, both with the same range."""
    rows = ["Delta,Time,PACKAGE_ENERGY (J),DRAM_ENERGY (J),CPU_USAGE_0"]
    for i in range(math.ceil((end_s - start_s) * 5) + 1):
        at = start_s + 0.2 * i
        used = _joules(edges, at)
        package = round(16384 * (first_j + used)) / 16384 % RANGE_J
        dram = round(16384 * (100 + DRAM * used)) / 16384 % RANGE_J
        rows.append(f"200,{round(1000 * at)},{package},{dram},50")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _record(name, group, block, place, run, before, marks, rng, flags):
    return {
        "schema": 1, "trial": name, "treatment": group, "framework": group, "block": block,
        "position": place, "run_order": run, "predecessor": before, "attempt": 1, "status": "ok",
        "flags": flags, "meter": "energibridge", "estimated": False,
        "cpu_seconds": 20.0 + rng.random(),
        "sampler": {"missed": int(rng.integers(0, 2)), "cpu_seconds": 0.02 + 0.01 * rng.random()},
        "marks": [
            {"phase": p, "edge": e, "unix_ns": round(1e9 * at)} for p, e, at in marks
        ],
        "accuracy": 0.9 + 0.05 * rng.random(), "loss": 0.3 + 0.1 * rng.random(), "idle_w": IDLE[0],
        "interference": {
            "seconds": 12.0, "cpus": 4, "other_cores": 0.02 + 0.01 * rng.random(),
            "mhz_mean": 3000.0 + 10 * rng.random(), "celsius_begin": 40.0 + rng.random(),
            "celsius_max": 60.0 + rng.random(), "throttle_events": 0, "swapped_pages": 0,
            "steal_s": 0.0,
        },
        "cooldown": {
            "seconds": 30.0 + rng.random(), "watts": 9.2 + 0.5 * rng.random(),
            "reached_idle": bool(rng.random() < 0.8),
        },
    }  # fmt: skip


def make(folder, seed=31, wave=0.0, **protocol):
    """Three groups and an A/A twin in :data:`BLOCKS` blocks of random order.

    One trial failed, two were disturbed, one is far out, one's counter wrapped. ``wave`` is the
    size of a slow wave over the blocks in the first group's energy, which makes its differences
    remember. ``protocol`` replaces parts of what was declared.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    names = [*GROUPS, TWIN]
    for name in names:
        (folder / name).mkdir()
    clock, run, before, planned = 1_760_000_000.0, 0, None, []
    for block in range(BLOCKS):
        common = rng.normal(0, 0.01)
        for place, group in enumerate(str(g) for g in rng.permutation(names)):
            watts = GROUPS[group.removesuffix("-control")]
            watts *= math.exp(common + rng.normal(0, 0.012))
            if (group, block) == ("slow", 5) and not wave:
                watts *= 1.2
            if group == "slow":
                watts *= math.exp(wave * math.cos(2 * math.pi * block / BLOCKS))
            name = f"{group}_{block}"
            stretch = math.exp(rng.normal(0, 0.01)) * (1.02 if group == "slow" else 1.0)
            marks, edges, end = _steps(clock, watts, stretch)
            flags = ["interference"] if (group, block) in (("odd", 2), ("quick", 9)) else []
            record = _record(name, group, block, place, run, before, marks, rng, flags)
            if (group, block) == ("odd", 8):
                record |= {"status": "failed", "reason": "the script raised ValueError"}
            first = RANGE_J - 100.0 if (group, block) == ("quick", 3) else 50.0 * block
            _samples(folder / group / f"{name}.csv", clock, end, edges, first)
            path = folder / group / f"{name}.json"
            path.write_text(json.dumps(record), encoding="utf-8")
            planned.append({"name": name, "treatment": group, "framework": group, "block": block,
                            "position": place, "run_order": run})  # fmt: skip
            before, run, clock = group, run + 1, clock + 60.0
    treatments = [{"name": g, "framework": g} for g in GROUPS]
    content = {
        "schema": 1, "version": "0.0.1", "created": "2025-10-09T08:00:00Z",
        "settings": {
            "iterations": BLOCKS, "treatments": treatments,
            "control": {"name": TWIN, "framework": "quick"}, "order": "random",
        },
        "protocol": declared() | protocol,
        "meter": {"chosen": {
            "kind": "energibridge", "estimated": False, "version": "a test's", "notes": [],
            "total": ["package", "dram"],
            "counters": [
                {"domain": d, "counted": True, "name": d, "path": "/", "range_j": RANGE_J,
                 "sensor": "energibridge", "column": f"{d.upper()}_ENERGY (J)"}
                for d in ("package", "dram")
            ],
        }, "rejected": []},
        "plan": {"order_seed": 31, "generator": "a test's", "trials": planned},
        "settling": {
            "warmups": [],
            "baselines": [
                {"when": "before", "watts": IDLE[0], "other_cores": 0.01},
                {"when": "after", "watts": IDLE[1], "other_cores": 0.02},
            ],
            "overhead": OVERHEAD,
        },
        "work": {"identical": True, "reasons": []},
    }  # fmt: skip
    (folder / "experiment.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def declared():
    """What the experiment declared before its first trial."""
    names = list(GROUPS)
    return {
        "schema": 2, "primary_metric": "energy_j of the window, on the log scale",
        "window": ["build", "train", "evaluate"],
        "design": "randomised complete blocks; a block is one iteration",
        "comparisons": [[a, b] for i, a in enumerate(names) for b in names[i + 1:]],
        "primary_test": "paired-t-log", "correction": "holm", "alpha": 0.05, "margin_pct": 2.0,
        "tests": [
            "paired t on logs within blocks, Holm-corrected over the comparisons: decides",
            "equivalence within ±2%: two one-sided paired t on logs",
            "Wilcoxon signed-rank on the same, Holm-corrected: agreement",
            "repeated-measures ANOVA (Greenhouse-Geisser)", "Friedman",
        ],
        "exclusions": [
            "failed: the worker or the meter did not finish, or the counters or clocks cannot be "
            "trusted",
            "invalid: the work was not the work asked for",
            "no trial is left out for the size of its energy or time",
        ],
        "coverage_limit": 0.99, "interference": LIMITS, "seeds": None, "sequential": None,
    }  # fmt: skip
