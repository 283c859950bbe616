"""Comparing what frameworks did: what passes, and that anything beyond a tolerance is named."""

import json

import numpy as np
import pytest
import spec

import verify
import weights

JOB = {
    "batch_size": 64,
    "learning_rate": 0.001,
    "seed": 42,
    "train_images": 1000,
    "test_images": 500,
    "device": "cpu",
}


@pytest.fixture
def write(tmp_path):
    """Writes a collection as `collect` does, with some of it changed; returns its path."""

    def _write(framework, facts=None, arrays=None):
        start = weights.initial(1)
        found = {"logits": np.linspace(-0.3, 0.3, 640).reshape(64, 10)}
        found["losses"] = np.linspace(2.3, 1.0, 20)
        found["twin_up_losses"] = found["losses"] * (1 + 1e-3)
        found["twin_down_losses"] = found["losses"] * (1 - 1e-4)
        for part, moved, noise in (
            ("start", 0, 0),
            ("first", 1e-3, 0),
            ("short", 3e-3, 0),
            ("steps", 9e-3, 0),
            ("twin_up", 9e-3, 1e-4),
            ("twin_down", 9e-3, 1e-5),
        ):
            for name, value in start.items():
                found[f"{part}/{name}"] = value + np.float32(moved) + np.float32(noise)
        found.update(arrays(found) if arrays else {})
        told = {
            "framework": framework,
            "job": JOB,
            "data": "abc",
            "steps": 20,
            "parameters": spec.parameter_count(),
            "batches": 16,
            "images": 1000,
            "test_images": 500,
            "dtype": "float32",
            "device": "cpu",
            "epoch_loss": 0.5,
            "accuracy": 0.9,
            **(facts or {}),
        }
        path = tmp_path / f"{framework}.npz"
        np.savez(path, facts=np.array(json.dumps(told)), **found)
        return str(path)

    return _write


def compare(**files):
    events = []
    verify.compare({"files": files}, events.append)
    (event,) = events
    json.dumps(event)  # it must reach the host as JSON
    return event


def test_equal_work_is_identical_and_any_framework_may_be_there(write):
    event = compare(torch=write("torch"), mine=write("mine"))
    assert event["identical"]
    assert event["reasons"] == []
    assert [row["framework"] for row in event["rows"]] == ["torch", "mine"]
    assert [row["reference"] for row in event["rows"]] == [True, False]
    assert set(event["tolerances"]) <= set(event["rows"][0])


def test_rounding_passes(write):
    def rounded(found):
        noise = np.random.default_rng(0)
        changed = {"logits": found["logits"] + 1e-7, "losses": found["losses"] * (1 + 1e-6)}
        for name in spec.SHAPES:
            for part in ("first", "short", "steps"):
                value = found[f"{part}/{name}"]
                changed[f"{part}/{name}"] = value + noise.normal(0, 3e-9, value.shape)
        return changed

    assert compare(torch=write("torch"), jax=write("jax", arrays=rounded))["identical"]


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("start_difference", lambda f: {"start/conv1/bias": f["start/conv1/bias"] + 1e-9}),
        ("logit_difference", lambda f: {"logits": f["logits"] + np.eye(64, 10) * 2e-6}),
        (
            "first_update_difference",
            # Weight decay of 0.01, as an AdamW would apply in the first step.
            lambda f: {"first/conv2/kernel": f["first/conv2/kernel"] * np.float32(1 - 1e-5)},
        ),
        (
            "early_loss_difference",
            # What Keras's own place for ε does to the second loss.
            lambda f: {"losses": f["losses"] * np.r_[1, 1 + 1.5e-4, np.ones(18)]},
        ),
        ("short_weight_difference", lambda f: {"short/dense/bias": f["short/dense/bias"] * 1.1}),
        ("loss_difference", lambda f: {"losses": f["losses"] * np.r_[np.ones(19), 1.01]}),
        ("weight_difference", lambda f: {"steps/dense/bias": f["steps/dense/bias"] * 1.2}),
    ],
)
def test_a_difference_beyond_its_tolerance_is_named(write, column, change):
    event = compare(torch=write("torch"), jax=write("jax", arrays=change))
    assert not event["identical"]
    assert len(event["reasons"]) == 1
    assert event["reasons"][0].startswith(f"jax: {column} against torch is ")


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("parameters", 268_297),
        ("batches", 15),
        ("images", 960),
        ("test_images", 448),
        ("dtype", "bfloat16"),
        ("device", "gpu"),
    ],
)
def test_what_must_be_exact_is_checked_in_the_reference_too(write, fact, value):
    event = compare(torch=write("torch", facts={fact: value}))
    assert event["reasons"] == [
        f"torch: {fact} is {value}, where the job has {event['expected'][fact]}"
    ]


def test_accuracies_may_be_a_few_images_apart_and_no_more(write):
    near = compare(torch=write("torch"), jax=write("jax", facts={"accuracy": 0.906}))
    assert near["tolerances"]["accuracy_difference"] == 3 / 500
    far = compare(torch=write("torch"), jax=write("jax", facts={"accuracy": 0.908}))
    lost = compare(torch=write("torch"), jax=write("jax", facts={"accuracy": float("nan")}))
    assert near["identical"]
    assert not lost["identical"]
    assert not far["identical"]


@pytest.mark.parametrize("part", ["start/conv1/kernel", "logits", "losses", "steps/conv2/kernel"])
def test_nan_is_never_within_a_tolerance(write, part):
    def spoiled(found):
        return {part: found[part] * np.nan}

    assert not compare(torch=write("torch"), jax=write("jax", arrays=spoiled))["identical"]


def test_the_farther_twin_counts_and_one_astray_cannot_raise_its_own_tolerance(write):
    def astray(found):
        return {"losses": found["losses"] * 1.5, "twin_down_losses": found["losses"] * 99}

    usual = compare(torch=write("torch"))["tolerances"]["loss_difference"]
    assert usual == pytest.approx(4 * 1e-3 + 20 * verify.ETA)
    event = compare(torch=write("torch"), jax=write("jax", arrays=astray))
    assert event["tolerances"]["loss_difference"] == usual
    assert not event["identical"]


def test_collections_of_different_jobs_are_not_compared(write):
    other = write("jax", facts={"job": {**JOB, "seed": 43}})
    with pytest.raises(ValueError, match="jax and torch were collected with different settings"):
        compare(torch=write("torch"), jax=other)


def test_an_unreadable_collection_is_named(write, tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"broken\.npz, which should hold what jax did"):
        compare(torch=write("torch"), jax=str(broken))
