"""The CNN in JAX, with Flax and Optax, as Flax's MNIST example writes it.

One step per call in two compiled functions, `nn.max_pool`, images on the device, losses in a list.
Nothing is set for XLA.
"""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import jax
import numpy as np
import optax
from flax import linen as nn
from flax.training import train_state
from jax import numpy as jnp

import spec
from cards import use_jax as use_card  # noqa: F401 - the harness calls them
from cards import wait_for_jax as synchronize  # noqa: F401

DEVICES = ("cpu", "gpu")


def limit_threads(threads):
    """JAX has no call for this: XLA's pool has as many threads as the process has cores."""


def place(images, labels):
    """Images and labels on the device."""
    return {"image": jnp.float32(images), "label": jnp.int32(labels)}


class CNN(nn.Module):
    """The network of `spec`; returns logits."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(features=spec.CONV1_FILTERS, kernel_size=(3, 3), name="conv1")(x)
        x = nn.relu(x)
        x = nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = nn.Conv(features=spec.CONV2_FILTERS, kernel_size=(5, 5), name="conv2")(x)
        x = nn.relu(x)
        x = nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))
        x = x.reshape((x.shape[0], -1))  # flatten
        return nn.Dense(features=spec.CLASSES, name="dense")(x)


class Network:
    """What a trial trains: the train state, which holds parameters and optimiser."""

    def __init__(self, job, params):
        self.batch_size = job.batch_size
        tx = optax.adam(job.learning_rate, b1=spec.BETA_1, b2=spec.BETA_2, eps=spec.EPSILON)
        self.state = train_state.TrainState.create(apply_fn=CNN().apply, params=params, tx=tx)


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    params = {}
    for name, value in initial.items():
        layer, part = name.split("/")
        params.setdefault(layer, {})[part] = jnp.array(value)
    return Network(job, params)


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch; a state is replaced, never altered."""
    for size in spec.batch_shapes(train_count, network.batch_size):
        images, labels = jnp.zeros((size, *spec.IMAGE_SHAPE)), jnp.zeros(size, jnp.int32)
        grads, _, _ = apply_model(network.state, images, labels)
        jax.block_until_ready(update_model(network.state, grads))
    for size in spec.batch_shapes(test_count, network.batch_size):
        images, labels = jnp.zeros((size, *spec.IMAGE_SHAPE)), jnp.zeros(size, jnp.int32)
        jax.block_until_ready(apply_model(network.state, images, labels))


@jax.jit
def apply_model(state, images, labels):
    """Computes gradients, loss and accuracy for a single batch."""

    def loss_fn(params):
        logits = state.apply_fn({"params": params}, images)
        one_hot = jax.nn.one_hot(labels, spec.CLASSES)
        loss = jnp.mean(optax.softmax_cross_entropy(logits=logits, labels=one_hot))
        return loss, logits

    grad_fn = jax.value_and_grad(loss_fn, has_aux=True)
    (loss, logits), grads = grad_fn(state.params)
    accuracy = jnp.mean(jnp.argmax(logits, -1) == labels)
    return grads, loss, accuracy


@jax.jit
def update_model(state, grads):
    return state.apply_gradients(grads=grads)


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    epoch_loss, epoch_accuracy, sizes = [], [], []
    for begin in range(0, len(order), network.batch_size):
        perm = order[begin : begin + network.batch_size]
        batch_images = train_set["image"][perm, ...]
        batch_labels = train_set["label"][perm, ...]
        grads, loss, accuracy = apply_model(network.state, batch_images, batch_labels)
        network.state = update_model(network.state, grads)
        epoch_loss.append(loss)
        epoch_accuracy.append(accuracy)
        sizes.append(len(perm))
    return result(epoch_loss, epoch_accuracy, sizes)


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size.

    The example calls `apply_model` here too, and does not use its gradients.
    """
    losses, accuracies, sizes = [], [], []
    for begin in range(0, len(test_set["label"]), network.batch_size):
        batch = slice(begin, begin + network.batch_size)
        images, labels = test_set["image"][batch], test_set["label"][batch]
        _, loss, accuracy = apply_model(network.state, images, labels)
        losses.append(loss)
        accuracies.append(accuracy)
        sizes.append(len(labels))
    return result(losses, accuracies, sizes)


def result(losses, accuracies, sizes):
    """Means over images: each batch counts by its size."""
    return {
        "loss": float(np.average(np.array(losses, np.float64), weights=sizes)),
        "accuracy": float(np.average(np.array(accuracies, np.float64), weights=sizes)),
        "images": sum(sizes),
        "batches": len(sizes),
    }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    return np.array(network.state.apply_fn({"params": network.state.params}, images))


def weights(network):
    """The present weights, in the canonical layout."""
    params = network.state.params
    names = {name: name.split("/") for name in spec.SHAPES}
    return {name: np.array(params[layer][part]) for name, (layer, part) in names.items()}


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    return int(network.state.opt_state[0].count)


def placement(network):
    """Data type and device of the weights."""
    weight = network.state.params["dense"]["kernel"]
    return str(weight.dtype), next(iter(weight.devices())).platform
