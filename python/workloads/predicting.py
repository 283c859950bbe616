"""The loop of workloads that use a trained network: its weights are there before it is measured.

`spec.trained(job, images)` makes them, in the data phase; then the network is built and compiled,
and the test set is predicted `job.epochs` times, batch by batch, in its order.
"""

import spec
import verify


def load(trial) -> dict:
    """Phase data: the images, and the trained weights in the canonical layout."""
    with trial.phase("data"):
        trial.read_data()
        return spec.trained(trial.job, trial.images)


def run(trial) -> None:
    """Runs a trial whose framework is loaded, and emits its phases and result."""
    job, script = trial.job, trial.script
    initial = load(trial)
    with trial.phase("build"):
        network = trial.build(initial)
    passes = []
    with trial.phase("predict"):
        for number in range(1, job.epochs + 1):
            passes.append(script.evaluate(network, trial.test_set))
            mark = {"event": "epoch", "epoch": number, "epochs": job.epochs}
            last = passes[-1]
            trial.emit({**mark, "loss": last["loss"], "accuracy": last["accuracy"]})
    dtype, device = trial.placement(network)
    trial.account(
        expected(trial),
        {
            "losses": [one["loss"] for one in passes],
            "test_loss": passes[-1]["loss"],
            "accuracy": passes[-1]["accuracy"],
            "parameters": sum(array.size for array in script.weights(network).values()),
            "batches": sum(one["batches"] for one in passes),
            "test_images_seen": sum(one["images"] for one in passes),
            "dtype": dtype,
            "device": device,
            "data": trial.images.summary(),
        },
    )


def expected(trial) -> dict:
    """What a trial's result has to say, from the job and the specification alone."""
    job, count = trial.job, len(trial.images.test_images)
    return {
        "parameters": spec.parameter_count(),
        "batches": job.epochs * spec.batches(count, job.batch_size),
        "test_images_seen": job.epochs * count,
        "dtype": spec.DTYPE,
        "device": job.device,
    }


def collect(trial, steps: int, progress) -> tuple[dict, dict]:
    """What `verify.compare` holds against the others': weights, logits, one pass."""
    job, script = trial.job, trial.script
    network = trial.build(load(trial))
    found = {f"start/{name}": value for name, value in script.weights(network).items()}
    found["logits"] = script.logits(network, trial.images.test_images[: job.batch_size])
    progress("one pass")
    test = script.evaluate(network, trial.test_set)
    facts = {"steps": 0, "epoch_loss": test["loss"]}
    return verify.common(trial, network, test) | facts, found
