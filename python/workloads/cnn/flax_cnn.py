"""The CNN in JAX, with Flax's NNX and Optax, as its tutorial ("MNIST tutorial") writes it."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import inspect

import jax
import numpy as np
import optax
from flax import nnx
from jax import numpy as jnp

import spec
from cards import use_jax as use_card  # noqa: F401 - the harness calls them
from cards import wait_for_jax as synchronize  # noqa: F401

PACKAGES = ("flax", "jax", "jaxlib", "optax")
DEVICES = ("cpu", "gpu")

TAKES_MODEL = "model" in inspect.signature(nnx.Optimizer.update).parameters
"""Since 0.11 an optimiser is handed the model that it updates; before, it held it."""


def limit_threads(threads):
    """JAX has no call for this: XLA's pool has as many threads as the process has cores."""


def place(images, labels):
    """Images and labels as NumPy arrays; a batch is handed over when it is used."""
    return images, labels


class CNN(nnx.Module):
    """The network of `spec`; returns logits."""

    def __init__(self, *, rngs):
        channels = spec.IMAGE_SHAPE[2]
        self.conv1 = nnx.Conv(channels, spec.CONV1_FILTERS, kernel_size=(3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(spec.CONV1_FILTERS, spec.CONV2_FILTERS, kernel_size=(5, 5), rngs=rngs)
        self.dense = nnx.Linear(spec.FLAT, spec.CLASSES, rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.conv1(x)), window_shape=(2, 2), strides=(2, 2))
        x = nnx.max_pool(nnx.relu(self.conv2(x)), window_shape=(2, 2), strides=(2, 2))
        x = x.reshape(x.shape[0], -1)  # flatten
        return self.dense(x)


class Network:
    """What a trial trains: the model, its optimiser, and the metrics of a pass."""

    def __init__(self, job, tx):
        self.batch_size, self.tx = job.batch_size, tx
        self.model = CNN(rngs=nnx.Rngs(0))  # weights that are replaced before any use
        self.optimizer = nnx.Optimizer(self.model, tx, wrt=nnx.Param)
        self.metrics = nnx.MultiMetric(
            accuracy=nnx.metrics.Accuracy(), loss=nnx.metrics.Average("losses")
        )

    def parameters(self):
        """The model's variables, by their canonical names."""
        layers = {name: name.split("/") for name in spec.SHAPES}
        return {
            name: getattr(getattr(self.model, layer), part)
            for name, (layer, part) in layers.items()
        }


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    adam = optax.adam(job.learning_rate, b1=spec.BETA_1, b2=spec.BETA_2, eps=spec.EPSILON)
    network = Network(job, adam)
    for name, variable in network.parameters().items():
        variable.value = jnp.array(initial[name])
    return network


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and a throw-away copy of the network."""
    copy = Network(spec.Job(batch_size=network.batch_size), network.tx)
    for step, count in ((train_step, train_count), (eval_step, test_count)):
        for size in spec.batch_shapes(count, network.batch_size):
            images = np.zeros((size, *spec.IMAGE_SHAPE), np.float32)
            batch = {"image": images, "label": np.zeros(size, np.int32)}
            step(copy.model, copy.optimizer, copy.metrics, batch)
    copy.metrics.compute()
    jax.block_until_ready(nnx.state(copy.model))


def loss_fn(model, batch):
    logits = model(batch["image"])
    losses = optax.softmax_cross_entropy_with_integer_labels(logits=logits, labels=batch["label"])
    return losses.mean(), (losses, logits)


@nnx.jit
def train_step(model, optimizer, metrics, batch):
    """Train for a single step."""
    grad_fn = nnx.value_and_grad(loss_fn, has_aux=True)
    (_, (losses, logits)), grads = grad_fn(model, batch)
    metrics.update(losses=losses, logits=logits, labels=batch["label"])  # In-place updates.
    optimizer.update(*([model] if TAKES_MODEL else []), grads)  # In-place updates.


@nnx.jit
def eval_step(model, optimizer, metrics, batch):
    _, (losses, logits) = loss_fn(model, batch)
    metrics.update(losses=losses, logits=logits, labels=batch["label"])  # In-place updates.


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    return one_pass(train_step, network, train_set, order)


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    return one_pass(eval_step, network, test_set, np.arange(len(test_set[1])))


def one_pass(step, network, data_set, order):
    images, labels = data_set
    model, optimizer, metrics = network.model, network.optimizer, network.metrics
    metrics.reset()
    for begin in range(0, len(order), network.batch_size):
        batch = order[begin : begin + network.batch_size]
        step(model, optimizer, metrics, {"image": images[batch], "label": labels[batch]})
    found = metrics.compute()
    return {
        "loss": float(found["loss"]),
        "accuracy": float(found["accuracy"]),
        "images": len(order),
        "batches": spec.batches(len(order), network.batch_size),
    }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    return np.array(network.model(images))


def weights(network):
    """The present weights, in the canonical layout."""
    return {name: np.array(value.value) for name, value in network.parameters().items()}


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    return int(network.optimizer.step.value)


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.dense.kernel.value
    return str(weight.dtype), next(iter(weight.devices())).platform
