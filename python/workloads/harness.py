"""Runs one training trial: the same sequence for every framework, with its phases marked.

The host calls `run`; `python torch_cnn.py --epochs 1` ends up in `main`, which calls it too. A
script supplies the functions listed in README.md; everything that is not the framework's own
business is here.
"""

import argparse
import contextlib
import importlib
import math
import os
import sys
import time
from collections.abc import Callable

import frameworks
import spec

Emit = Callable[[dict], None]
"""Takes one JSON-able event; the host's, or a printer."""


class Trial:
    """A framework's script, its data and its emitted phases: what training and checking share."""

    def __init__(self, request: dict, emit: Emit) -> None:
        self.framework: str = request["framework"]
        self.job = spec.Job.from_request(request["job"])
        self.threads = self.job.resolved_threads()
        self.emit = emit
        if self.framework not in frameworks.discover():
            raise ValueError(
                f"there is no framework {self.framework!r}; there are "
                f"{', '.join(frameworks.discover())}"
            )

    @contextlib.contextmanager
    def phase(self, name: str):
        """Marks a phase's begin and end, with the wall clock in nanoseconds."""
        mark = {"event": "phase", "phase": name}
        self.emit({**mark, "edge": "begin", "unix_ns": time.time_ns()})
        yield
        self.emit({**mark, "edge": "end", "unix_ns": time.time_ns()})

    def load_framework(self) -> None:
        """Phase import: settles the process, then imports the script and with it the framework."""
        frameworks.settle(self.framework, self.threads)
        with self.phase("import"):
            self.script = importlib.import_module(f"{self.framework}_cnn")
            self.script.limit_threads(self.threads)

    def load_data(self) -> None:
        """Phase data: files to arrays in the framework's own form, and the order of every epoch."""
        import data  # here, not above: NumPy must load after the process is settled
        import weights

        job = self.job
        if job.data_dir is None:
            raise data.DataError("no data folder was given. Name one with --data-dir.")
        with self.phase("data"):
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


def run(request: dict, emit: Emit) -> None:
    """Runs the trial that `request` describes and emits its phases, epochs and result."""
    trial = Trial(request, emit)
    trial.load_framework()
    trial.load_data()
    import weights  # here, not above: NumPy must load after the process is settled

    job, script = trial.job, trial.script
    with trial.phase("build"):
        network = trial.build(weights.initial(job.seed))

    epochs = []
    with trial.phase("train"):
        for number, order in enumerate(trial.orders, start=1):
            epoch = script.train_epoch(network, trial.train_set, order)
            epochs.append(epoch)
            emit(
                {
                    "event": "epoch",
                    "epoch": number,
                    "epochs": job.epochs,
                    "loss": epoch["loss"],
                    "accuracy": epoch["accuracy"],
                }
            )
    with trial.phase("evaluate"):
        test = script.evaluate(network, trial.test_set)

    dtype, device = script.placement(network)
    emit(
        {
            "event": "result",
            "losses": [epoch["loss"] for epoch in epochs],
            "train_accuracies": [epoch["accuracy"] for epoch in epochs],
            "test_loss": test["loss"],
            "accuracy": test["accuracy"],
            "parameters": sum(array.size for array in script.weights(network).values()),
            "specified_parameters": spec.parameter_count(),
            "batches": script.steps_taken(network),
            "batches_per_epoch": [epoch["batches"] for epoch in epochs],
            "images_seen": sum(epoch["images"] for epoch in epochs),
            "test_images_seen": test["images"],
            "seed": job.seed,
            "threads": trial.threads,
            "dtype": dtype,
            "device": device,
            "frameworks_loaded": frameworks.loaded(trial.framework),
            "versions": frameworks.versions(trial.framework),
            "peak_memory_bytes": peak_memory_bytes(),
            "data": trial.images.summary(),
        }
    )


def peak_memory_bytes() -> int | None:
    """The largest resident set this process has had, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def main(framework: str) -> int:
    """Runs a trial from the command line and prints what the host would be told."""
    job = _parse(framework)
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
                f"training accuracy {event['accuracy']:.2%}",
                flush=True,
            )
        elif event["event"] == "result":
            print(
                f"test accuracy {event['accuracy']:.2%}, test loss {event['test_loss']:.6f}; "
                f"{event['images_seen']} images in {event['batches']} batches, "
                f"{event['threads']} threads, peak {event['peak_memory_bytes'] or math.nan:.3g} B"
            )

    try:
        run({"framework": framework, "job": job}, show)
    except (_data_error(), ValueError) as error:
        print(f"{framework}_cnn.py: {error}", file=sys.stderr)
        return 1
    return 0


def _data_error() -> type[Exception]:
    import data

    return data.DataError


def _parse(framework: str) -> dict:
    default = spec.Job()
    parser = argparse.ArgumentParser(
        prog=f"{framework}_cnn.py", description=f"Trains the CNN once with {framework}."
    )
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--batch-size", type=int, default=default.batch_size)
    parser.add_argument("--learning-rate", type=float, default=default.learning_rate)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--train-samples", type=int, help="use the first N images only")
    parser.add_argument("--test-samples", type=int, help="use the first N images only")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument(
        "--data-dir",
        default=os.environ.get("JOULERACE_DATA_DIR"),
        help="folder of MNIST's four IDX files; default: the variable JOULERACE_DATA_DIR",
    )
    args = parser.parse_args()
    if args.data_dir is None:
        parser.error(
            "name the folder of MNIST's four IDX files with --data-dir DIR, or set "
            "JOULERACE_DATA_DIR"
        )
    return vars(args)
