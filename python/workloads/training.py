"""The loop of workloads that train a network: the phases of a trial, in order."""

import dataclasses

import spec
import verify


def run(trial) -> None:
    """Runs a trial whose framework is loaded, and emits its phases, epochs and result."""
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
            trial.emit(
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

    dtype, device = trial.placement(network)
    trial.account(
        expected(trial),
        {
            "losses": [epoch["loss"] for epoch in epochs],
            "train_accuracies": [epoch["accuracy"] for epoch in epochs],
            "test_loss": test["loss"],
            "accuracy": test["accuracy"],
            "parameters": sum(array.size for array in script.weights(network).values()),
            "batches": script.steps_taken(network),
            "batches_per_epoch": [epoch["batches"] for epoch in epochs],
            "images_seen": sum(epoch["images"] for epoch in epochs),
            "test_images_seen": test["images"],
            "dtype": dtype,
            "device": device,
            "data": trial.images.summary(),
        },
    )


def expected(trial) -> dict:
    """What a trial's result has to say, from the job and the specification alone."""
    job, images = trial.job, trial.images
    count = len(images.train_images)
    return {
        "parameters": spec.parameter_count(),
        "batches": job.epochs * spec.batches(count, job.batch_size),
        "images_seen": job.epochs * count,
        "test_images_seen": len(images.test_images),
        "dtype": spec.DTYPE,
        "device": job.device,
    }


def collect(trial, steps: int, progress) -> tuple[dict, dict]:
    """What `verify.compare` holds against the others': facts, and arrays by their names."""
    trial.load_data()

    import numpy as np  # NumPy may load only after the process is settled

    import weights

    job, script, order = trial.job, trial.script, trial.orders[0]
    size = job.batch_size
    full = len(order) // size
    steps = min(steps, full)
    if steps < 1:
        raise ValueError(
            f"{len(order)} training images hold no full batch of {size}. "
            "Ask for more with --train-samples."
        )
    found: dict[str, np.ndarray] = {}

    def keep(prefix: str, network) -> None:
        for name, value in script.weights(network).items():
            found[f"{prefix}/{name}"] = value

    def losses(network, begin: int, end: int) -> list[float]:
        """Losses of these steps: one call per batch, since a call returns its mean loss."""
        batches = (order[step * size : (step + 1) * size] for step in range(begin, end))
        return [script.train_epoch(network, trial.train_set, batch)["loss"] for batch in batches]

    initial = weights.initial(job.seed)
    progress(f"{steps} steps")
    network = trial.build(initial)
    keep("start", network)
    found["logits"] = script.logits(network, trial.images.train_images[order[:size]])
    first = losses(network, 0, 1)
    keep("first", network)
    found["losses"] = np.array(first + losses(network, 1, steps))
    keep("steps", network)

    for name, sign in verify.TWINS.items():
        progress(f"{steps} steps of its {name}")
        rate = job.learning_rate * (1 + sign * verify.ETA / 2)
        trial.job = dataclasses.replace(job, learning_rate=rate)
        network = trial.build(verify.slightly_changed(initial, job.seed, sign))
        found[f"{name}_losses"] = np.array(losses(network, 0, steps))
        keep(name, network)
    trial.job = job

    progress("short call")
    network = trial.build(initial)
    short = min(verify.SHORT_BATCHES, full) * size
    script.train_epoch(network, trial.train_set, np.r_[order[:short], order[full * size :]])
    keep("short", network)

    progress("one epoch")
    network = trial.build(initial)
    epoch = script.train_epoch(network, trial.train_set, order)
    test = script.evaluate(network, trial.test_set)
    return verify.common(trial, network, test) | {
        "steps": steps,
        "batches": script.steps_taken(network),
        "images": epoch["images"],
        "epoch_loss": epoch["loss"],
    }, found
