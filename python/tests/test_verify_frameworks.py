"""Verification of the real scripts: the three agree, and each kind of alteration is caught."""

from pathlib import Path

import pytest
from conftest import in_process

import verify

pytestmark = pytest.mark.frameworks

JOB = {"epochs": 1, "batch_size": 30, "train_samples": 320, "test_samples": 200, "threads": 2}
STEPS = 10

COLLECT = """
import verify
framework, job, steps, output = arguments
verify.collect({'framework': framework, 'job': job, 'steps': steps, 'output': output}, emit)
"""

# PyTorch's script with one thing altered each, as a mistake in it would be.
ALTER = """
import importlib, frameworks, harness, verify
job, steps, outputs = arguments
import torch_cnn, torch

def weights(name):
    build = torch_cnn.build
    def altered(job, initial):
        kernel = initial['conv2/kernel']
        return build(job, {**initial, 'conv2/kernel': kernel[::-1].copy()})  # upside down
    torch_cnn.build = altered

def order(name):
    train_epoch = torch_cnn.train_epoch
    def altered(network, train_set, order):
        size = network.batch_size
        if len(order) >= 2 * size:  # the first two batches change places
            order = order.copy()
            order[: 2 * size] = torch.from_numpy(order[: 2 * size]).roll(size).numpy()
        return train_epoch(network, train_set, order)
    torch_cnn.train_epoch = altered

def optimiser(name):
    class AdamW(torch.optim.AdamW):  # with the weight decay that it has unless told otherwise
        pass
    torch.optim.Adam = AdamW

def epsilon(name):
    original = torch.optim.Adam
    def altered(*args, eps, **kwargs):
        return original(*args, eps=eps / 0.001 ** 0.5, **kwargs)  # the first step's ε in Keras
    torch.optim.Adam = altered

def last_batch(name):
    train_epoch = torch_cnn.train_epoch
    def altered(network, train_set, order):
        size = network.batch_size
        whole = len(order) - len(order) % size
        return train_epoch(network, train_set, order[:whole] if whole else order)
    torch_cnn.train_epoch = altered

unaltered = torch_cnn.build, torch_cnn.train_epoch, torch.optim.Adam
for name, output in outputs.items():
    torch_cnn.build, torch_cnn.train_epoch, torch.optim.Adam = unaltered
    if name != 'as it is':
        globals()[name](name)
    # The framework is loaded and its threads are set: once in a process is enough.
    torch_cnn.limit_threads = lambda threads: None
    verify.collect({'framework': 'torch', 'job': job, 'steps': steps, 'output': output},
                   lambda event: None)
"""

ALTERATIONS = {
    "weights": "start_difference",
    "order": "short_weight_difference",
    "optimiser": "first_update_difference",
    "epsilon": "first_update_difference",
    "last_batch": "images",
}


def compare(files):
    events = []
    verify.compare({"files": {name: str(path) for name, path in files.items()}}, events.append)
    return events[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("collected")


@pytest.fixture(scope="module")
def altered(folder, small_data):
    """PyTorch's script as it is and with each alteration, collected."""
    outputs = {name: str(folder / f"{name}.npz") for name in ("as it is", *ALTERATIONS)}
    in_process(ALTER, {**JOB, "data_dir": str(small_data)}, STEPS, outputs, timeout_s=600)
    return outputs


def test_all_frameworks_do_identical_work(folder, small_data):
    files = {}
    for name in ("jax", "keras", "torch"):
        files[name] = str(folder / f"{name}.npz")
        job = {**JOB, "data_dir": str(small_data)}
        *_, result = in_process(COLLECT, name, job, STEPS, files[name])
        assert result["event"] == "result"
        assert result["batches"] == 11
    event = compare(files)
    assert event["reasons"] == []
    assert event["identical"]


def test_a_framework_added_in_another_folder_is_verified_like_the_others(
    folder, small_data, altered
):
    """Plain NumPy, which shares no code with any framework: the specification, not a habit."""
    output = str(folder / "numpy.npz")
    code = f"sys.path.insert(0, {str(Path(__file__).parent / 'later')!r})\n" + COLLECT
    job = {**JOB, "data_dir": str(small_data)}
    *_, result = in_process(code, "numpy", job, STEPS, output)
    assert result["batches"] == 11
    event = compare({"torch": altered["as it is"], "numpy": output})
    assert event["reasons"] == []


def test_the_same_script_twice_differs_in_nothing(altered):
    event = compare({"torch": altered["as it is"], "again": altered["as it is"]})
    row = event["rows"][1]
    assert {row[column] for column in event["tolerances"]} == {0.0}


@pytest.mark.parametrize(("alteration", "column"), ALTERATIONS.items())
def test_an_alteration_is_caught(altered, alteration, column):
    event = compare({"torch": altered["as it is"], "altered": altered[alteration]})
    assert not event["identical"]
    assert any(column in reason for reason in event["reasons"]), event["reasons"]
