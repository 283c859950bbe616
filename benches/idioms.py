"""Times each framework's ways to write the same training, each in a fresh process.

    PYTHON benches/idioms.py --data-dir DIR [--train-samples N] [--repeat N] [NAME ...]

A variant is a script of python/workloads/cnn with one thing changed; all train the job of `spec` in
float32, on the same batches. Without names all are run, interleaved; `--list` prints them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from variants import VARIANTS

WORKLOADS = Path(__file__).parents[1] / "python" / "workloads"
MARK = "@result "
PHASES = ("build", "train", "evaluate")


def worker(name: str, job: dict) -> None:
    """Trains one variant in this process and prints the seconds of its phases."""
    sys.path[:0] = [str(WORKLOADS / "cnn"), str(WORKLOADS)]
    import harness

    framework, variant = name.partition("/")[0], VARIANTS[name]
    if variant.xla_flags:
        os.environ["XLA_FLAGS"] = variant.xla_flags
    began, seconds = {}, {}

    def emit(event):
        if event["event"] == "phase" and event["edge"] == "begin":
            began[event["phase"]] = event["unix_ns"]
        elif event["event"] == "phase":
            seconds[event["phase"]] = (event["unix_ns"] - began[event["phase"]]) / 1e9
        elif event["event"] == "result":
            told = {"loss": event["losses"][-1], "accuracy": event["accuracy"]}
            print(MARK + json.dumps({**seconds, **told}), flush=True)

    load = harness.Trial.load_framework

    def load_changed(trial):
        load(trial)
        if variant.change:
            variant.change(trial.script)

    harness.Trial.load_framework = load_changed
    harness.run({"framework": framework, "job": job}, emit)


def measure(name: str, job: dict) -> dict | None:
    """Trains one variant in a fresh process; None, after saying why, if that failed."""
    done = subprocess.run(
        [sys.executable, __file__, "--worker", name, json.dumps(job)],
        capture_output=True,
        text=True,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if not found:
        print(f"{name} failed:\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    return json.loads(found[0].removeprefix(MARK))


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        return worker(sys.argv[2], json.loads(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="'torch', or 'torch/script'")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("--data-dir", default=os.environ.get("JOULERACE_DATA_DIR"))
    parser.add_argument("--train-samples", type=int, default=12_000)
    parser.add_argument("--test-samples", type=int, default=2_000)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="append each run's numbers to this file")
    args = parser.parse_args()
    chosen = [e for e in VARIANTS if not args.names or {e, e.partition("/")[0]} & set(args.names)]
    unknown = [n for n in args.names if not any(n in (e, e.partition("/")[0]) for e in VARIANTS)]
    if unknown:
        parser.error(f"there is no variant {unknown[0]!r}; --list prints them")
    if args.list:
        return print("\n".join(VARIANTS))
    if args.data_dir is None:
        parser.error("name the folder of MNIST's four IDX files with --data-dir DIR")
    job = {
        "epochs": 1,
        "data_dir": args.data_dir,
        "train_samples": args.train_samples,
        "test_samples": args.test_samples,
        "threads": args.threads,
    }
    runs = {name: [] for name in chosen}
    for _ in range(args.repeat):
        for name in chosen:
            found = measure(name, job)
            if found is None:
                continue
            runs[name].append(found)
            if args.json:
                with args.json.open("a") as file:
                    file.write(json.dumps({"name": name, **found}) + "\n")
    print("| variant | build s | train s | least–most | build + train + evaluate s | loss |")
    print("|---|---|---|---|---|---|")
    for name, found in runs.items():
        if found:
            print(row(name, found))


def row(name: str, found: list[dict]) -> str:
    """A line of the table: medians over the repetitions."""
    train = [run["train"] for run in found]
    total = statistics.median(sum(run[phase] for phase in PHASES) for run in found)
    return (
        f"| {name} | {statistics.median(run['build'] for run in found):.2f} "
        f"| {statistics.median(train):.2f} | {min(train):.2f}–{max(train):.2f} "
        f"| {total:.2f} | {found[0]['loss']:.4f} |"
    )


if __name__ == "__main__":
    main()
