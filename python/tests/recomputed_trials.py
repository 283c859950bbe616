"""The trials of a made folder worked out from its samples and records alone.

Shares no code with the program or with ``analysis``.
"""

import json
from pathlib import Path

import numpy as np

WINDOW = ("build", "train", "evaluate")
PHASES = ("import", "data", *WINDOW)
COUNTERS = {"package": "PACKAGE_ENERGY (J)", "dram": "DRAM_ENERGY (J)", "cpu": "CPU_ENERGY (J)"}
TOTAL = ("package", "dram")

#: Flags of a trial that something disturbed.
DISTURBED = {"interference", "throttled", "swapped", "steal", "missed-samples", "clock-step",
             "suspended", "supply-change"}  # fmt: skip


def read(path):
    """A file of samples: its first instant in ms since 1970, seconds since then, and each counter's
    readings as they stand.
    """
    lines = path.read_text("utf-8").splitlines()
    names = lines[0].split(",")
    rows = np.array([[float(v) for v in line.split(",")] for line in lines[1:]])
    counters = {d: rows[:, names.index(c)] for d, c in COUNTERS.items() if c in names}
    times = rows[:, names.index("Time")]
    return int(times[0]), (times - times[0]) / 1000.0, counters


def unwrapped(readings, range_j):
    """Joules since the first sample, and how often the counter passed its range."""
    steps = np.diff(readings)
    return np.append(0.0, np.cumsum(steps % range_j)), int((steps < 0).sum())


def trial(record_path, range_j):
    """Everything that a trial's row has, of the groups' own names."""
    record = json.loads(record_path.read_text("utf-8"))
    first_ms, at, counters = read(record_path.with_suffix(".csv"))
    used, wraps = {}, 0
    for domain, readings in counters.items():
        used[domain], times = unwrapped(readings, range_j)
        wraps += times
    since = {(m["phase"], m["edge"]): m["unix_ns"] - 10**6 * first_ms for m in record["marks"]}
    marks = {edge: ns / 1e9 for edge, ns in since.items()}

    def between(domain, begin, end):
        return float(np.diff(np.interp([begin, end], at, used[domain]))[0])

    def total(begin, end):
        return sum(between(d, begin, end) for d in used)

    spans = {p: (marks[p, "begin"], marks[p, "end"]) for p in PHASES}
    row = {f"phase_{p}_j": total(*span) for p, span in spans.items()}
    row |= {f"phase_{p}_s": span[1] - span[0] for p, span in spans.items()}
    row |= {
        "energy_j": sum(row[f"phase_{p}_j"] for p in WINDOW),
        "time_s": sum(row[f"phase_{p}_s"] for p in WINDOW),
        "trial_energy_j": total(at[0], at[-1]),
        "trial_time_s": at[-1] - at[0],
        "published_energy_j": counters["package"][-1] - counters["package"][0],
        "published_time_s": at[-1] - at[0],
    }
    row |= {f"energy_{d}_j": sum(between(d, *spans[p]) for p in WINDOW) for d in used}
    beside, cooling = record["interference"], record["cooldown"]
    row |= {
        "samples": len(at), "wraps": wraps, "resets": 0, "gaps": 0,
        "wrap_range_j": range_j if wraps else None,
        "max_gap_s": float(np.diff(at).max()), "coverage": 1.0,
        "start_unix_s": first_ms / 1000.0, "trial_cpu_s": record["cpu_seconds"],
        "meter_cpu_s": record["sampler"]["cpu_seconds"],
        "missed_samples": record["sampler"]["missed"],
        "cooldown_s": cooling["seconds"], "cooldown_w": cooling["watts"],
        "cooldown_reached_idle": float(cooling["reached_idle"]),
    }  # fmt: skip
    for name in ("other_cores", "mhz_mean", "celsius_begin", "celsius_max", "throttle_events",
                 "swapped_pages", "steal_s"):  # fmt: skip
        row[name] = beside[name]
    for name in ("block", "position", "run_order", "accuracy", "loss", "idle_w", "attempt"):
        row[name] = record[name]
    row |= {
        "power_w": row["energy_j"] / row["time_s"],
        "edp_js": row["energy_j"] * row["time_s"],
        "ed2p_js2": row["energy_j"] * row["time_s"] ** 2,
        "above_idle_j": row["energy_j"] - row["idle_w"] * row["time_s"],
    }
    return row | {
        "trial": record["trial"], "group": record["treatment"], "flags": set(record["flags"]),
        "predecessor": record["predecessor"], "status": record["status"],
        "usable": record["status"] == "ok", "disturbed": bool(DISTURBED & set(record["flags"])),
    }  # fmt: skip


def of_experiment(folder, range_j):
    """The trials of an experiment's folder, in the order in which they ran."""
    found = [trial(path, range_j) for path in Path(folder).glob("*/*.json")]
    return sorted(found, key=lambda t: t["run_order"])
