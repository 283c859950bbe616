"""The CNN in JAX, with Flax and Optax."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import math
import os
from functools import partial
from importlib import metadata

if metadata.version("jaxlib").startswith("0.5."):
    # XLA's newer CPU runtime is a fifth slower on this network; JAX's change log names the flag
    # for going back. Versions after 0.6 have no other runtime. See README.md for numbers.
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_use_thunk_runtime" not in flags:  # who has chosen one keeps it
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_thunk_runtime=false".strip()

import jax
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
from jax import numpy as jnp

import spec
from cards import use_jax as use_card  # noqa: F401 - the harness calls them
from cards import wait_for_jax as synchronize  # noqa: F401

PACKAGES = ("jax", "jaxlib", "flax", "optax")
DEVICES = ("cpu", "gpu")
VARIANTS = {
    "tutorial": "as Flax's MNIST example writes it: one step per call, nn.max_pool, XLA as it is",
}

STEPS_PER_CALL = 5
"""Full batches per call of the compiled function, as long as there are as many: a tenth faster than
one by one, for two seconds more of compiling. Ten are no faster (README.md has the numbers)."""


def limit_threads(threads):
    """JAX has no call for this: XLA's pool has as many threads as the process has cores."""


def place(images, labels):
    """Images and labels as JAX takes them: NumPy arrays; a batch is handed over when it is used."""
    return images, labels


class CNN(nn.Module):
    """The network of `spec`; returns logits."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(spec.CONV1_FILTERS, (spec.CONV1_KERNEL,) * 2, name="conv1")(x))
        x = max_pool(x)
        x = nn.relu(nn.Conv(spec.CONV2_FILTERS, (spec.CONV2_KERNEL,) * 2, name="conv2")(x))
        x = max_pool(x)
        return nn.Dense(spec.CLASSES, name="dense")(x.reshape(len(x), -1))


def max_pool(x):
    """2×2 max pooling, stride 2; the first of equal values takes the gradient.

    The same function with the same gradient as `nn.max_pool`, whose backward pass XLA runs as one
    scalar loop on the CPU: a third of the whole step (README.md has the numbers).
    """
    images, height, width, channels = x.shape
    x = x.reshape(images, height // 2, 2, width // 2, 2, channels)
    top = first_max(x[:, :, 0, :, 0], x[:, :, 0, :, 1])
    bottom = first_max(x[:, :, 1, :, 0], x[:, :, 1, :, 1])
    return first_max(top, bottom)


def first_max(a, b):
    """The larger value; `jnp.maximum` would divide the gradient between equal ones."""
    return jnp.where(a >= b, a, b)


class Network:
    """What a trial trains: the train state, which holds parameters and optimiser."""

    def __init__(self, job, params):
        self.batch_size = job.batch_size
        self.state = TrainState.create(
            apply_fn=CNN().apply,
            params=params,
            tx=optax.adam(job.learning_rate, b1=spec.BETA_1, b2=spec.BETA_2, eps=spec.EPSILON),
        )


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    params = {}
    for name, value in initial.items():
        layer, part = name.split("/")
        params.setdefault(layer, {})[part] = jnp.array(value)
    return Network(job, params)


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and a throw-away copy of the state."""
    whole = train_count // network.batch_size
    sizes = [(size,) for size in spec.batch_shapes(train_count, network.batch_size)]
    if whole >= STEPS_PER_CALL:
        sizes.append((STEPS_PER_CALL, network.batch_size))
    for size in sizes:
        images, labels = np.zeros((*size, *spec.IMAGE_SHAPE), np.float32), np.zeros(size, np.int32)
        step = train_step if len(size) == 1 else train_steps
        copy = jax.tree.map(jnp.copy, network.state)
        jax.block_until_ready(step(copy, Totals.zero(), images, labels))
    for size in spec.batch_shapes(test_count, network.batch_size):
        images, labels = np.zeros((size, *spec.IMAGE_SHAPE), np.float32), np.zeros(size, np.int32)
        jax.block_until_ready(eval_step(network.state, Totals.zero(), images, labels))


def update(state, totals, images, labels):
    """One batch: forward, backward, update. Adds its losses and hits to the totals, on device."""

    def loss_fn(params):
        logits = state.apply_fn({"params": params}, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), logits

    (loss, logits), gradients = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    return state.apply_gradients(grads=gradients), Totals.add(totals, loss, logits, labels)


train_step = jax.jit(update, donate_argnums=(0, 1))


@partial(jax.jit, donate_argnums=(0, 1))
def train_steps(state, totals, images, labels):
    """As many batches as there are, one after the other, in one call.

    Python's loop, not XLA's: its CPU back end has no fast convolutions within a loop, and JAX
    before 0.4.36 leaves one of a single turn where `lax.scan` unrolls all steps.
    """
    step = jax.jit(update, inline=True)  # traced once
    for batch in range(len(images)):
        state, totals = step(state, totals, images[batch], labels[batch])
    return state, totals


@partial(jax.jit, donate_argnums=1)
def eval_step(state, totals, images, labels):
    """One test batch. Adds its losses and hits to the totals, on device."""
    logits = state.apply_fn({"params": state.params}, images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return Totals.add(totals, loss, logits, labels)


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    images, labels = train_set
    totals, size, begin = Totals.zero(), network.batch_size, 0
    while begin < len(order):
        if begin + STEPS_PER_CALL * size <= len(order):
            step, shape = train_steps, (STEPS_PER_CALL, size)
        else:
            step, shape = train_step, (min(size, len(order) - begin),)
        batch = order[begin : begin + math.prod(shape)].reshape(shape)
        network.state, totals = step(network.state, totals, images[batch], labels[batch])
        begin += batch.size
    return Totals.result(totals)


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    images, labels = test_set
    totals = Totals.zero()
    for begin in range(0, len(labels), network.batch_size):
        batch = slice(begin, begin + network.batch_size)
        totals = eval_step(network.state, totals, images[batch], labels[batch])
    return Totals.result(totals)


class Totals:
    """Sums that stay on the device until the pass is over."""

    @staticmethod
    def zero():
        zero = jnp.zeros((), jnp.int32)
        return {"loss": jnp.zeros(()), "hits": zero, "images": zero + 0, "batches": zero + 0}

    @staticmethod
    def add(totals, loss, logits, labels):
        return {
            "loss": totals["loss"] + loss * len(labels),
            "hits": totals["hits"] + (logits.argmax(-1) == labels).sum(),
            "images": totals["images"] + len(labels),
            "batches": totals["batches"] + 1,
        }

    @staticmethod
    def result(totals):
        images = int(totals["images"])
        return {
            "loss": float(totals["loss"]) / images,
            "accuracy": int(totals["hits"]) / images,
            "images": images,
            "batches": int(totals["batches"]),
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
