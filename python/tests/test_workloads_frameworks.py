"""The real frameworks on 400 images: events, repeatability, and what the warm call leaves alone."""

import importlib.util

import pytest
import spec
from conftest import WORKLOADS, in_process

import frameworks
import jobs

pytestmark = pytest.mark.frameworks

EVERY = pytest.mark.parametrize("framework", ["jax", "keras", "torch"])

OTHERS = [
    (name, variant)
    for name in frameworks.discover()
    for variant in (None, *frameworks.variants(name))
    if (name, variant) not in [(n, None) for n in ("jax", "keras", "torch")]
    # Compiling C++ takes a minute; `joulerace verify --treatments torch,torch:compile` does it.
    and variant != "compile"
]
"""Contestants that need less proof here: they have the same harness as the three."""

# A trial as far as its data; the programs below go on from there.
LOADED = """
import harness
framework, job = arguments
trial = harness.Trial({'framework': framework, 'job': job}, lambda event: None)
trial.load_framework()
trial.load_data()
import weights
script = trial.script
"""

RUN = "import harness; harness.run({'framework': arguments[0], 'job': arguments[1]}, emit)"
RUN_OTHER = """
import harness
framework, variant, job = arguments
harness.run({'framework': framework, 'variant': variant, 'job': job}, emit)
"""

# Prints, for a network with and one without the warm call before it, everything that training
# shows: weights before, losses of two epochs batch by batch, weights after.
WARM = """
import hashlib, numpy as np

def digest(network):
    found = script.weights(network)
    return hashlib.sha256(b''.join(found[name].tobytes() for name in sorted(found))).hexdigest()

initial = weights.initial(job['seed'])
for warm in (False, True):
    network = script.build(trial.job, initial)
    built = digest(network)
    if warm:
        before = [order.copy() for order in trial.orders]
        script.warm_call(network, len(trial.images.train_images), len(trial.images.test_images))
        assert all(np.array_equal(a, b) for a, b in zip(before, trial.orders))
    record = {'built': built, 'warm': digest(network), 'steps': script.steps_taken(network)}
    record['epochs'] = [script.train_epoch(network, trial.train_set, o) for o in trial.orders]
    record['test'] = script.evaluate(network, trial.test_set)
    record['trained'] = digest(network)
    emit(record)
"""

# Counts how often Python runs the network: a compiled network is only run to be traced.
TRACES = """
import functools
runs = []
if framework == 'keras':
    from keras import layers
    owner, name = layers.Conv2D, 'call'
else:
    owner, name = script.CNN, '__call__'
original = getattr(owner, name)
@functools.wraps(original)
def counted(*args, **kwargs):
    runs.append(1)
    return original(*args, **kwargs)
setattr(owner, name, counted)
network = trial.build(weights.initial(1))
built = len(runs)
script.train_epoch(network, trial.train_set, trial.orders[0])
script.evaluate(network, trial.test_set)
emit({'build': built, 'train and evaluate': len(runs) - built})
"""

# Trains two networks alike, but for the batches that one call of the compiled function takes.
STEPS = """
import sys
for steps in (script.STEPS_PER_CALL, sys.maxsize):
    script.STEPS_PER_CALL = steps
    network = script.build(trial.job, weights.initial(1))
    emit(script.train_epoch(network, trial.train_set, trial.orders[0]))
"""

# The labels batch by batch of what Keras is fed with, and whether tf.data tunes it.
FED = """
import frameworks, numpy as np
frameworks.settle('keras', 1)
import keras_cnn
pairs = keras_cnn.batches(np.zeros((7, 28, 28, 1), np.float32), np.arange(7), 3)
emit({'labels': [labels.numpy().tolist() for _, labels in pairs],
      'tuned': pairs.options().autotune.enabled})
"""


@pytest.fixture
def job(small_data):
    """400 images in batches of 60 leave a partial one of 40; 130 to test on leave 10."""
    return {
        "epochs": 2,
        "batch_size": 60,
        "learning_rate": 0.001,
        "seed": 42,
        "train_samples": 400,
        "test_samples": 130,
        "threads": 2,
        "dataset": "mnist",
        "data_dir": str(small_data),
        "unknown_to_python": True,
    }


@pytest.fixture(scope="module")
def trial(small_data):
    """Runs a framework's trial; its first one is shared by the tests of this module."""
    first = {}

    def _trial(framework, job, again=False):
        if again:
            return in_process(RUN, framework, job)
        if framework not in first:
            first[framework] = in_process(RUN, framework, job)
        return first[framework]

    return _trial


@EVERY
def test_a_trial_tells_its_phases_epochs_and_result(framework, job, trial):
    events = trial(framework, job)
    marks = [(e["phase"], e["edge"]) for e in events if e["event"] == "phase"]
    phases = ("import", "data", "build", "train", "evaluate")
    assert marks == [(phase, edge) for phase in phases for edge in ("begin", "end")]
    times = [e["unix_ns"] for e in events if e["event"] == "phase"]
    assert times == sorted(times)

    epochs = [e for e in events if e["event"] == "epoch"]
    assert [(e["epoch"], e["epochs"]) for e in epochs] == [(1, 2), (2, 2)]
    train = [marks.index(("train", "begin")), marks.index(("train", "end"))]
    inside = [e for e in events if e["event"] != "result"][train[0] + 1 : train[1] + 2]
    assert [e for e in inside if e["event"] == "epoch"] == epochs

    result = events[-1]
    assert result["event"] == "result"
    assert result["losses"] == [e["loss"] for e in epochs]
    assert result["losses"][1] < result["losses"][0] < 2.5
    assert result["accuracy"] > 0.2  # twice the chance of ten classes
    assert result["parameters"] == spec.parameter_count()
    assert result["batches"] == 14
    assert result["batches_per_epoch"] == [7, 7]
    assert result["images_seen"] == 800
    assert result["test_images_seen"] == 130
    assert result["threads"] == min(2, jobs.available_cores())
    assert (result["dtype"], result["device"]) == ("float32", "cpu")
    assert result["frameworks_loaded"] == [framework]
    assert set(result["versions"]) >= {"python", "numpy", framework}
    assert result["peak_memory_bytes"] > 50_000_000
    assert result["data"]["train_images"] == 400
    assert len(result["data"]["sha256"]) == 64


@EVERY
def test_equal_seeds_give_equal_losses_in_another_process(framework, job, trial):
    first, again = trial(framework, job)[-1], trial(framework, job, again=True)[-1]
    for key in ("losses", "train_accuracies", "test_loss", "accuracy"):
        assert first[key] == again[key]


@EVERY
def test_the_warm_call_touches_neither_weights_nor_optimiser_nor_order(framework, job):
    cold, warm = in_process(LOADED + WARM, framework, job)
    assert warm["steps"] == 0
    assert warm["built"] == warm["warm"] == cold["built"]
    # Moments or a step count left in the optimiser would show in the training that follows.
    assert warm == cold
    assert warm["trained"] != warm["built"]


@pytest.mark.parametrize("framework", ["jax", "keras"])
def test_nothing_is_traced_after_the_build(framework, job):
    (traces,) = in_process(LOADED + TRACES, framework, job)
    assert traces["build"] > 0
    assert traces["train and evaluate"] == 0


def test_several_steps_in_one_call_are_the_same_training(job):
    together, one_by_one = in_process(LOADED + STEPS, "jax", job)
    assert together == pytest.approx(one_by_one, rel=1e-5)
    assert together["batches"] == one_by_one["batches"] == 7


def test_keras_gets_every_batch_in_order_and_no_tuning_thread():
    (fed,) = in_process(FED)
    assert fed == {"labels": [[0, 1, 2], [3, 4, 5], [6]], "tuned": False}


def usable(framework):
    """Skips where what a framework consists of is not installed, or not built."""
    missing = [name for name in frameworks.modules(framework) if not importlib.util.find_spec(name)]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    if framework == "burn" and not (WORKLOADS / "cnn/burn/target/release/burn_cnn").is_file():
        pytest.skip(
            "burn's program is not built: cargo build --release in python/workloads/cnn/burn"
        )


@pytest.mark.parametrize(("framework", "variant"), OTHERS)
def test_every_contestant_trains_as_pytorch_does(framework, variant, job, trial):
    usable(framework)
    wanted = trial("torch", job)[-1]
    found = in_process(RUN_OTHER, framework, variant, {**job, "epochs": 1})[-1]
    assert found["losses"] == pytest.approx(wanted["losses"][:1], rel=2e-4)
    expected = found["expected"]
    assert expected["batches"] == 7
    assert {name: found[name] for name in expected} == expected
    assert found["variant"] == variant
    assert found["frameworks_loaded"] == [framework]


@pytest.mark.parametrize("workload", ["mlp", "inference"])
def test_the_other_workloads_do_the_same_work_in_every_framework(workload, job, tmp_path):
    files = {}
    for name in frameworks_of(workload):
        files[name] = str(tmp_path / f"{name}.npz")
        request = {"framework": name, "workload": workload, "job": job, "steps": 5}
        in_process(COLLECT, request | {"output": files[name]}, workload=workload)
    (event,) = in_process(
        "import verify; verify.compare(*arguments, emit)", {"files": files}, workload=workload
    )
    assert event["reasons"] == []


COLLECT = "import verify; verify.collect(*arguments, lambda event: None)"
COMPARE = "import verify; verify.compare(*arguments, emit)"


def frameworks_of(workload):
    ending = f"_{workload}"
    return sorted(f.stem.removesuffix(ending) for f in (WORKLOADS / workload).glob(f"*{ending}.py"))
