"""The CNN in burn, a framework in Rust: this script starts its program and hands the work over.

The program (`burn/src/main.rs`) is built once, by `cargo build --release` in `burn/`. It gets a
line of JSON for each of the functions below and answers with one; arrays go by files.
"""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import spec

PACKAGES = ()
BUILT = {
    "burn/target/release/burn_cnn": "cargo build --release --manifest-path burn/Cargo.toml",
}

FOLDER = Path(__file__).parent / "burn"
PROGRAM = FOLDER / "target" / "release" / "burn_cnn"
SCRATCH = tempfile.TemporaryDirectory(prefix="burn-")


class Program:
    """The running program."""

    def __init__(self, threads):
        source = FOLDER / "Cargo.toml"
        if not PROGRAM.is_file():
            raise ValueError(
                f"burn's program is not built. Build it once: cargo build --release "
                f"--manifest-path {source}"
                if source.is_file()
                else "burn's program is not part of this installation; use a clone of joulerace"
            )
        caps = {"RAYON_NUM_THREADS": str(threads), "MATMUL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            [PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **caps},
            cwd=SCRATCH.name,
            text=True,
        )
        self.version = self.answer()["version"]

    def ask(self, what, **more):
        """One command and its answer."""
        self.process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"burn's program ended with status {self.process.wait()}")
        return json.loads(line)


def limit_threads(threads):
    """Starts the program with its caps."""
    global program
    program = Program(threads)


def versions():
    """What the record says of the program."""
    return {"burn": program.version}


def file(name, array=None):
    """What the program calls a file of the scratch folder, where it runs; with an array in it."""
    if array is not None:
        np.ascontiguousarray(array).tofile(Path(SCRATCH.name) / name)
    return name


def numbers(name):
    """The numbers in a file that the program wrote."""
    return np.fromfile(Path(SCRATCH.name) / name, np.float32)


def place(images, labels):
    """Images and labels within the program; here, what it calls them."""
    return program.ask(
        "place", images=file("images", images), labels=file("labels", labels.astype(np.int64))
    )["set"]


class Network:
    """What a trial trains: it lives within the program, which has one at a time."""

    def __init__(self, job):
        self.batch_size = job.batch_size


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    program.ask(
        "build",
        weights=file("weights", np.concatenate([initial[name].ravel() for name in spec.SHAPES])),
        batch_size=job.batch_size,
        learning_rate=job.learning_rate,
        beta_1=spec.BETA_1,
        beta_2=spec.BETA_2,
        epsilon=spec.EPSILON,
    )
    return Network(job)


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and throw-away copy of the network."""
    train = spec.batch_shapes(train_count, network.batch_size)
    program.ask("warm", train=train, test=spec.batch_shapes(test_count, network.batch_size))


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    return program.ask("train", set=train_set, order=file("order", order.astype(np.int64)))


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    return program.ask("evaluate", set=test_set)


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    placed = place(images, np.zeros(len(images), np.int32))
    program.ask("logits", set=placed, output=file("logits"))
    return numbers("logits").reshape(len(images), spec.CLASSES)


def weights(network):
    """The present weights, in the canonical layout."""
    program.ask("weights", output=file("weights"))
    flat, found = numbers("weights"), {}
    for name, shape in spec.SHAPES.items():
        value, flat = np.split(flat, [int(np.prod(shape))])
        found[name] = value.reshape(shape).copy()
    return found


def steps_taken(network):
    """Updates made so far."""
    return program.ask("steps")["steps"]


def placement(network):
    """Data type and device of the weights, as the program's types have them."""
    found = program.ask("placement")
    return found["dtype"], found["device"]
