"""Runs one trial of a workload: the same sequence for every framework, with its phases marked.

The host calls `run`; `python cnn/torch_cnn.py --epochs 1` ends up in `main`, which calls it too. A
script supplies the functions listed in README.md; everything that is not the framework's own
business is here, and in the loop that the workload's `spec` names.
"""

import argparse
import contextlib
import dataclasses
import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import frameworks
import jobs

Emit = Callable[[dict], None]
"""Takes one JSON-able event; the host's, or a printer."""


class Trial:
    """A framework's script, its data and its emitted phases: what running and checking share."""

    def __init__(self, request: dict, emit: Emit) -> None:
        self.framework: str = request["framework"]
        self.workload: str = request.get("workload") or frameworks.DEFAULT
        self.variant: str | None = request.get("variant")
        self.emit = emit
        known = frameworks.discover(self.workload)
        if self.framework not in known:
            raise ValueError(
                f"the workload {self.workload} has no framework {self.framework!r}; "
                f"it has {', '.join(known) or 'none'}"
            )
        variants = frameworks.variants(self.framework, self.workload)
        if self.variant is not None and self.variant not in variants:
            raise ValueError(
                f"{self.framework} has no variant {self.variant!r}; "
                f"it has {', '.join(variants) or 'none'}"
            )
        job = jobs.Job.from_request(request["job"])
        self.job = dataclasses.replace(job, variant=self.variant)
        devices = frameworks.devices(self.framework, self.workload, self.variant)
        if self.job.device not in devices:
            raise ValueError(
                f"{self.name()} cannot run on a {self.job.device}; its script declares "
                f"{' and '.join(devices)}"
            )
        self.threads = self.job.resolved_threads()

    def name(self) -> str:
        """The framework and its variant, as in `torch:compile`."""
        return f"{self.framework}:{self.variant}" if self.variant else self.framework

    @contextlib.contextmanager
    def phase(self, name: str):
        """Marks a phase's begin and end, with the wall clock in nanoseconds.

        A graphics card works on while its script goes on: a phase ends when the card is done.
        """
        mark = {"event": "phase", "phase": name}
        self.emit({**mark, "edge": "begin", "unix_ns": time.time_ns()})
        yield
        if self.job.device != "cpu":
            self.script.synchronize()
        self.emit({**mark, "edge": "end", "unix_ns": time.time_ns()})

    def load_framework(self) -> None:
        """Phase import: settles the process, then imports the script and with it the framework."""
        file = frameworks.script(self.framework, self.workload, self.variant)
        job = self.job
        frameworks.settle(self.framework, self.threads, self.workload, job.device, job.card)
        with self.phase("import"):
            self.script = importlib.import_module(file.stem)
            if job.device != "cpu":
                self.script.use_card()
            if hasattr(self.script, "limit_threads"):
                self.script.limit_threads(self.threads)

    def load_data(self) -> None:
        """Phase data: files to arrays in the framework's own form, and the order of every epoch."""
        with self.phase("data"):
            self.read_data()

    def read_data(self) -> None:
        """The images, whole and as the framework takes them, and the order of every epoch."""
        import data  # here, not above: NumPy must load after the process is settled
        import weights

        job = self.job
        if job.data_dir is None:
            raise data.DataError("no data folder was given. Name one with --data-dir.")
        self.images = data.load(job.data_dir, job.train_samples, job.test_samples)
        self.train_set = self.script.place(self.images.train_images, self.images.train_labels)
        self.test_set = self.script.place(self.images.test_images, self.images.test_labels)
        count = len(self.images.train_images)
        self.orders = [weights.order(job.seed, epoch + 1, count) for epoch in range(job.epochs)]

    def build(self, initial: dict):
        """A network with these weights, compiled: what the phase build holds."""
        network = self.script.build(self.job, initial)
        train_count, test_count = len(self.images.train_images), len(self.images.test_images)
        self.script.warm_call(network, train_count, test_count)
        return network

    def placement(self, network) -> tuple[str, str]:
        """Data type and device of the network's weights; a card has several names."""
        dtype, device = self.script.placement(network)
        return dtype, "gpu" if device == "cuda" else device

    def account(self, expected: dict, found: dict) -> None:
        """Emits the result: what the trial did, and what the host holds it against."""
        self.emit(
            {
                "event": "result",
                **found,
                "expected": expected,
                "seed": self.job.seed,
                "threads": self.threads,
                "variant": self.variant,
                "frameworks_loaded": frameworks.loaded(self.framework, self.workload),
                "versions": {
                    **frameworks.versions(self.framework, self.workload),
                    **getattr(self.script, "versions", dict)(),
                },
                "peak_memory_bytes": peak_memory_bytes(),
            }
        )


def run(request: dict, emit: Emit) -> None:
    """Runs the trial that `request` describes and emits its phases, epochs and result."""
    trial = Trial(request, emit)
    trial.load_framework()
    if hasattr(trial.script, "run"):
        own(trial)
    else:
        loop().run(trial)


def loop():
    """The shared module that runs the workload's trials and collects for its verification."""
    import spec

    return importlib.import_module(spec.LOOP)


def own(trial: Trial) -> None:
    """A script that does the whole job itself, in `run(job, phase)`, and returns what came of it.

    That has to be the same for everyone, which the host sees to. An `accuracy` in it is shown.
    """
    found = outcome(trial)
    told = {name: found[name] for name in ("accuracy", "losses") if name in found}
    trial.account({}, {**told, "outcome": found})


def outcome(trial: Trial) -> dict:
    """Runs such a script; what it returned."""
    found = trial.script.run(trial.job, trial.phase)
    if not isinstance(found, dict) or not found:
        raise ValueError(
            f"run() of {trial.name()} returned {found!r}; it has to return a dictionary that tells "
            "what came of the work, so that it can be held against the others'"
        )
    return found


def peak_memory_bytes() -> int | None:
    """The largest resident set this process has had, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def main(file: str) -> int:
    """Runs a trial from the command line and prints what the host would be told.

    `file` is the script: `torch_cnn.py` in a folder `cnn`, or the one that a variant has for
    itself, `torch_cnn_tutorial.py`.
    """
    path = Path(file).absolute()
    workload = path.parent.name
    framework, _, variant = path.stem.partition(f"_{workload}")
    job = _parse(path.name, framework, workload, variant.removeprefix("_") or None)
    began = {}

    def show(event: dict) -> None:
        if event["event"] == "phase" and event["edge"] == "begin":
            began[event["phase"]] = event["unix_ns"]
        elif event["event"] == "phase":
            seconds = (event["unix_ns"] - began[event["phase"]]) / 1e9
            print(f"{event['phase']:<8} {seconds:8.2f} s", flush=True)
        elif event["event"] == "epoch":
            print(
                f"epoch {event['epoch']}/{event['epochs']}: loss {event['loss']:.6f}, "
                f"accuracy {event['accuracy']:.2%}",
                flush=True,
            )
        elif event["event"] == "result":
            print(_line(event))

    request = {"framework": framework, "workload": workload, "variant": job.pop("variant")}
    try:
        run({**request, "job": job}, show)
    except (_data_error(), ValueError) as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return 1
    return 0


def _line(result: dict) -> str:
    """What came of a trial, on one line."""
    parts = []
    if "accuracy" in result:
        parts.append(f"test accuracy {result['accuracy']:.2%}")
    if "test_loss" in result:
        parts.append(f"test loss {result['test_loss']:.6f}")
    parts += [f"{name} {value}" for name, value in result.get("outcome", {}).items()]
    parts.append(f"{result['threads']} threads")
    if result["peak_memory_bytes"]:
        parts.append(f"peak {result['peak_memory_bytes'] / 2**20:.0f} MiB")
    return ", ".join(parts)


def _data_error() -> type[Exception]:
    import data

    return data.DataError


def _parse(name: str, framework: str, workload: str, variant: str | None) -> dict:
    default = jobs.Job()
    parser = argparse.ArgumentParser(
        prog=name, description=f"Runs the workload {workload} once with {framework}."
    )
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--batch-size", type=int, default=default.batch_size)
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--train-samples", type=int, help="use the first N images only")
    parser.add_argument("--test-samples", type=int, help="use the first N images only")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--device", choices=jobs.DEVICES, default=default.device)
    known = frameworks.variants(framework, workload)
    parser.add_argument("--variant", default=variant, help=f"one of {', '.join(known) or 'none'}")
    parser.add_argument(
        "--data-dir",
        default=os.environ.get("JOULERACE_DATA_DIR"),
        help="folder of MNIST's four IDX files; default: the variable JOULERACE_DATA_DIR",
    )
    args = parser.parse_args()
    if args.data_dir is None and importlib.util.find_spec("spec"):
        parser.error(
            "name the folder of MNIST's four IDX files with --data-dir DIR, or set "
            "JOULERACE_DATA_DIR"
        )
    return vars(args)
