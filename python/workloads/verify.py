"""Proves that the frameworks do the same work: `collect` in one process each, then `compare`.

What a workload's frameworks have to show is collected by its loop, `training` or `predicting`.

What must be equal is compared exactly: parameters, initial weights, batches, images, data type.
What goes through floating-point arithmetic agrees within tolerances that follow from it. Let
u = 2⁻²⁴ = 6e-8 be float32's unit roundoff.

**Logits before training** (absolute, 1e-6). A logit of size 0.1 to 1 is a sum of 6,272 products of
sums of 1,600 products. Added in another order, the rounding errors, being as often up as down,
differ by about √n·u relative to the terms' root sum of squares: √6,272 · u = 5e-6 of something
below 0.1, so some 1e-7. Ten times that is allowed; a wrong layout or seed changes logits by 0.1.

**The first update** (relative, η + 2u·max|w|/lr). Adam's first step is lr·g/(|g| + ε): every weight
moves by nearly lr, whatever its gradient's size. Its relative error η = 1.3e-5 is half the
gradient's, whose longest sums run over 64·14·14 = 12,544 terms (√n·u = 7e-6), and half the bias
correction's: float32 rounds β2 = 0.999 by 1.3e-8, which is 1.3e-5 of 1 − β2 and 6.5e-6 of its root.
(PyTorch corrects in double precision, Keras and Optax in float32.) Storing the weight adds its own
rounding, twice. Weight decay of 0.01 would be 3e-4, Keras's own place for ε 1e-3.

**The first loss** (relative, 1e-6). No update lies before it: it is the mean of the first batch's
losses, whose logits agree to 1e-7.

**Losses of the first 3 steps** (relative, 3·η). They change by as much as the updates say, so each
step adds at most η. Keras's own place for ε shows at the second step with 1.5e-4.

**Weights after a short call** (relative, 5e-2): one `train_epoch` call on 3 full batches and the
epoch's partial one. By now some errors have grown (next paragraph), which reaches 2e-3 in the bias
of the first convolution. One batch of four left out, swapped or shuffled changes updates by a
quarter.

**Losses of all steps and weights after them** (relative). Adam divides each gradient by its own
size, so a weight whose gradient is zero up to rounding moves a full learning rate in a direction
that rounding decides; from there errors grow until they saturate. How far depends on the job, so it
is measured, not assumed: each framework also trains two *twins*, which carry the two kinds of error
in opposite directions. Weights are changed by ±2⁻¹⁹ of themselves, signs drawn, for what rounding
does to gradients: the first five updates move a weight of 0.05 by 5·lr, a tenth of it, and
η/10 = 1.3e-6 = 2⁻¹⁹·⁵. And the learning rate is changed by ±η/2, for the bias correction, whose
rounding of β2 scales all updates the same way, step after step, which drawn signs cannot stand for.
(Tried: PyTorch with lr·(1 − η/2) repeats the losses of JAX to 7e-6 where it was 4e-4 off.) Allowed
are 4 times the distance to the farther twin, since that distance varies by a factor of 3 with the
signs, plus η per step. Of several frameworks the (lower) median counts, so that one that went
astray cannot raise its own tolerance.

**Accuracy after one epoch** (0.3 points, on a graphics card 1 point, and at least 3 images): images
whose two best logits are closer than the weights' noise fall either way. A card adds in an order
that no two trainings share, so that one script's differ there as much as those of two do: on an
H100 and the digits eight scripts came to 98.7 to 99.4 %.

Weights are compared tensor by tensor, the most different one counting: the median absolute
difference relative to the median absolute update. The median tells of the whole tensor; a largest
element would only tell of a weight whose direction rounding decided. A few wrong elements that it
would miss show in the weights before training, which must be equal exactly, and in the losses.

The tolerances for a short call and for accuracy are the only ones that no rounding argument gives:
they lie between what rounding was seen to do and what the smallest alteration would do.
"""

import dataclasses
import json
import math
from pathlib import Path

EARLY_STEPS = 3
SHORT_BATCHES = 3
ETA = 1.3e-5
UNIT_ROUNDOFF = 2.0**-24
TWIN_CHANGE = 2.0**-19
TWINS = {"twin_up": 1, "twin_down": -1}
TWIN_FACTOR = 4
LOGITS = 1e-6
FIRST_LOSS = 1e-6
SHORT_WEIGHTS = 5e-2
ACCURACY = {"cpu": 0.003, "gpu": 0.01}
ACCURACY_IMAGES = 3

EXACT = ("parameters", "batches", "images", "test_images", "dtype", "device")
"""Columns that must be exactly what the job and `spec` say."""


def collect(request: dict, emit) -> None:
    """Runs one framework as `compare` wants it and writes what it saw to `request["output"]`.

    Emits a `progress` event before each part and a `result` event at the end.
    """
    import harness

    def progress(step: str) -> None:
        emit({"event": "progress", "step": step})

    trial = harness.Trial(request, emit)
    progress("import")
    trial.load_framework()
    if hasattr(trial.script, "run"):
        progress("the whole job")
        job = dataclasses.asdict(trial.job) | {"variant": None}
        facts, found = {"job": job, "data": "", "outcome": harness.outcome(trial)}, {}
    else:
        facts, found = harness.loop().collect(trial, request.get("steps", 50), progress)
    facts["framework"] = trial.name()

    import numpy as np  # NumPy may load only after the process is settled

    with Path(request["output"]).open("wb") as file:
        np.savez(file, facts=np.array(json.dumps(facts)), **found)
    emit({"event": "result", "output": str(request["output"]), **facts})


def common(trial, network, test: dict) -> dict:
    """Facts of every network, whatever it was made for; `test` is a pass over the test set."""
    job, images = trial.job, trial.images
    dtype, device = trial.placement(network)
    return {
        # The settings that two collections must share to be compared.
        "job": {
            "batch_size": job.batch_size,
            "learning_rate": job.learning_rate,
            "seed": job.seed,
            "train_images": len(images.train_labels),
            "test_images": len(images.test_labels),
            "device": job.device,
        },
        "data": images.sha256,
        "parameters": sum(value.size for value in trial.script.weights(network).values()),
        "test_images": test["images"],
        "dtype": dtype,
        "device": device,
        "accuracy": test["accuracy"],
    }


def slightly_changed(initial: dict, seed: int, sign: int) -> dict:
    """The weights times 1 ± `TWIN_CHANGE`, signs drawn; all turned around where `sign` is −1."""
    import numpy as np

    draw = np.random.Generator(np.random.PCG64(seed))
    return {
        name: (value * (1 + sign * draw.choice((-1.0, 1.0), value.shape) * TWIN_CHANGE)).astype(
            value.dtype
        )
        for name, value in initial.items()
    }


def compare(request: dict, emit) -> None:
    """Compares what `collect` wrote; emits one `result` event with a row per framework.

    `request["files"]` maps frameworks to files. The first is the reference of the differences.
    The event holds `rows`, `tolerances` (by column), `identical`, and `reasons`, each naming the
    framework, what differs, by how much, and what is allowed. Needs NumPy only.
    """
    files = request["files"]
    if not files:
        raise ValueError("there is nothing to compare: no framework was collected")
    found = {name: _read(name, path) for name, path in files.items()}
    reference, base = next(iter(found.items()))
    for name, other in found.items():
        for key in ("job", "data", "steps"):
            if other["facts"].get(key) != base["facts"].get(key):
                raise ValueError(
                    f"{name} and {reference} were collected with different settings: {key} "
                    f"{other['facts'][key]} and {base['facts'][key]}. Collect both again."
                )

    if "outcome" in base["facts"]:
        tolerances, expected, judge = {}, base["facts"]["outcome"], _outcome
    else:
        import spec

        tolerances, judge = _tolerances(found), _row
        expected = {
            name: value
            for name, value in _expected(spec, base["facts"]["job"]).items()
            if name in base["facts"]
        }
    rows, reasons = [], []
    for name, other in found.items():
        row = judge(base, other)
        row["reference"] = name == reference
        row["reasons"] = [
            f"{name}: {column} is {row.get(column)}, where the job has {wanted}"
            for column, wanted in expected.items()
            if row.get(column) != wanted
        ]
        row["reasons"] += [
            f"{name}: {column} against {reference} is {row[column]:.2g}, "
            f"above the tolerance of {tolerance:.2g}"
            for column, tolerance in tolerances.items()
            if not row[column] <= tolerance  # so that NaN fails
        ]
        reasons += row["reasons"]
        rows.append(row)
    emit(
        {
            "event": "result",
            "reference": reference,
            "steps": base["facts"].get("steps", 0),
            "rows": rows,
            "expected": expected,
            "tolerances": tolerances,
            "identical": not reasons,
            "reasons": reasons,
        }
    )


def _read(name: str, path: str) -> dict:
    import numpy as np

    try:
        with np.load(path) as file:
            found = {key: file[key] for key in file.files}
        found["facts"] = json.loads(str(found["facts"]))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path}, which should hold what {name} did, cannot be read ({error}). "
            "Run the verification again."
        ) from error
    return found


def _outcome(base: dict, other: dict) -> dict:
    """Of a script that does its whole job itself: what it returned."""
    return {"framework": other["facts"]["framework"], **other["facts"]["outcome"]}


def _expected(spec, job: dict) -> dict:
    return {
        "parameters": spec.parameter_count(),
        "batches": spec.batches(job["train_images"], job["batch_size"]),
        "images": job["train_images"],
        "test_images": job["test_images"],
        "dtype": spec.DTYPE,
        "device": job["device"],
    }


def _tolerances(found: dict) -> dict[str, float]:
    """Per column of differences, the largest allowed value; the module's head derives them."""
    base = next(iter(found.values()))
    job = base["facts"]["job"]
    allowed = {
        "start_difference": 0.0,
        "logit_difference": LOGITS,
        "accuracy_difference": max(ACCURACY[job["device"]], ACCURACY_IMAGES / job["test_images"]),
    }
    if "losses" not in base:
        return allowed
    steps = base["facts"]["steps"]
    largest = max(float(abs(base[f"start/{name}"]).max()) for name in _names(base))

    def twins(distance) -> float:
        distances = sorted(distance(other) for other in found.values())
        return TWIN_FACTOR * distances[(len(distances) - 1) // 2] + ETA * steps

    return {
        **allowed,
        "first_loss_difference": FIRST_LOSS,
        "first_update_difference": ETA + 2 * UNIT_ROUNDOFF * largest / job["learning_rate"],
        "early_loss_difference": EARLY_STEPS * ETA,
        "short_weight_difference": SHORT_WEIGHTS,
        "loss_difference": twins(_twin_losses),
        "weight_difference": twins(_twin_weights),
    }


def _names(found: dict) -> list[str]:
    """Of the network's weights."""
    return [key.removeprefix("start/") for key in found if key.startswith("start/")]


def _row(base: dict, other: dict) -> dict:
    import numpy as np

    facts = other["facts"]
    start = [abs(other[f"start/{name}"] - base[f"start/{name}"]).max() for name in _names(base)]
    row = {
        "framework": facts["framework"],
        **{column: facts[column] for column in EXACT if column in facts},
        "start_difference": float(np.max(start)),  # NumPy's max, so that NaN stays
        "logit_difference": float(abs(other["logits"] - base["logits"]).max()),
        "epoch_loss": facts["epoch_loss"],
        "accuracy": facts["accuracy"],
        "accuracy_difference": abs(_hits(facts) - _hits(base["facts"])) / facts["test_images"],
    }
    if "losses" not in base:
        return row
    losses = abs(other["losses"] - base["losses"]) / abs(base["losses"])
    return {
        **row,
        "first_loss_difference": float(losses[0]),
        "first_update_difference": _weights_apart(base, "first", other, "first"),
        "early_loss_difference": float(losses[:EARLY_STEPS].max()),
        "short_weight_difference": _weights_apart(base, "short", other, "short"),
        "loss_difference": float(losses.max()),
        "weight_difference": _weights_apart(base, "steps", other, "steps"),
        "twin_loss_difference": _twin_losses(other),
        "twin_weight_difference": _twin_weights(other),
    }


def _hits(facts: dict) -> float:
    """Test images classified rightly: a whole number, whatever precision their share had."""
    hits = facts["accuracy"] * facts["test_images"]
    return round(hits) if math.isfinite(hits) else math.nan


def _twin_losses(found: dict) -> float:
    import numpy as np

    apart = [abs(found[f"{name}_losses"] - found["losses"]).ravel() for name in TWINS]
    return float(np.max(apart / abs(found["losses"])))


def _twin_weights(found: dict) -> float:
    import numpy as np

    return float(np.max([_weights_apart(found, "steps", found, name) for name in TWINS]))


def _weights_apart(base: dict, base_part: str, other: dict, other_part: str) -> float:
    """Of the tensor where it is largest: median difference over the base's median update."""
    import numpy as np

    relative = []
    for name in _names(base):
        value = base[f"{base_part}/{name}"].astype(np.float64)
        apart = float(np.median(abs(other[f"{other_part}/{name}"] - value)))
        update = float(np.median(abs(value - base[f"start/{name}"])))
        relative.append(apart / update if update else math.inf if apart else 0.0)
    return float(np.max(relative))
