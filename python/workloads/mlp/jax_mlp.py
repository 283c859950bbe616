"""The MLP in JAX, as functions of arrays, with Optax."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

from functools import partial

import jax
import numpy as np
import optax
from jax import numpy as jnp

import spec

PACKAGES = ("jax", "jaxlib", "optax")


def limit_threads(threads):
    """JAX has no call for this: XLA's pool has as many threads as the process has cores."""


def place(images, labels):
    """Images, flat, and labels as NumPy arrays; a batch is handed over when it is used."""
    return images.reshape(len(images), -1), labels


def forward(params, x):
    """The network of `spec`; returns logits."""
    x = jax.nn.relu(x @ params["dense1/kernel"] + params["dense1/bias"])
    x = jax.nn.relu(x @ params["dense2/kernel"] + params["dense2/bias"])
    return x @ params["dense3/kernel"] + params["dense3/bias"]


class Network:
    """What a trial trains: parameters, the optimiser and its state."""

    def __init__(self, job, params):
        self.batch_size, self.params = job.batch_size, params
        adam = optax.adam(job.learning_rate, b1=spec.BETA_1, b2=spec.BETA_2, eps=spec.EPSILON)
        self.optimizer, self.state = adam, adam.init(params)


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    return Network(job, {name: jnp.array(value) for name, value in initial.items()})


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch and throw-away copies."""
    for size in spec.batch_shapes(train_count, network.batch_size):
        images, labels = np.zeros((size, spec.PIXELS), np.float32), np.zeros(size, np.int32)
        params, state = jax.tree.map(jnp.copy, (network.params, network.state))
        jax.block_until_ready(train_step(network.optimizer.update, params, state, images, labels))
    for size in spec.batch_shapes(test_count, network.batch_size):
        images, labels = np.zeros((size, spec.PIXELS), np.float32), np.zeros(size, np.int32)
        jax.block_until_ready(eval_step(network.params, images, labels))


def loss_fn(params, images, labels):
    """The batch's mean loss; beside it the sums of losses and of hits."""
    logits = forward(params, images)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    return loss, (loss * len(labels), (logits.argmax(-1) == labels).sum())


@partial(jax.jit, static_argnums=0, donate_argnums=(1, 2))
def train_step(optimise, params, state, images, labels):
    """One batch: forward, backward, update."""
    (_, sums), gradients = jax.value_and_grad(loss_fn, has_aux=True)(params, images, labels)
    updates, state = optimise(gradients, state, params)
    return optax.apply_updates(params, updates), state, sums


@jax.jit
def eval_step(params, images, labels):
    """One test batch. Returns the sums of losses and of hits, on device."""
    return loss_fn(params, images, labels)[1]


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    images, labels = train_set
    sums, update = [], network.optimizer.update
    for begin in range(0, len(order), network.batch_size):
        batch = order[begin : begin + network.batch_size]
        network.params, network.state, step = train_step(
            update, network.params, network.state, images[batch], labels[batch]
        )
        sums.append(step)
    return result(sums, len(order))


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    images, labels = test_set
    sums = []
    for begin in range(0, len(labels), network.batch_size):
        batch = slice(begin, begin + network.batch_size)
        sums.append(eval_step(network.params, images[batch], labels[batch]))
    return result(sums, len(labels))


def result(sums, images):
    """Read from the device when the pass is over."""
    return {
        "loss": sum(float(loss) for loss, _ in sums) / images,
        "accuracy": sum(int(hits) for _, hits in sums) / images,
        "images": images,
        "batches": len(sums),
    }


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    return np.array(forward(network.params, images.reshape(len(images), -1)))


def weights(network):
    """The present weights, in the canonical layout."""
    return {name: np.array(network.params[name]) for name in spec.SHAPES}


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    return int(network.state[0].count)


def placement(network):
    """Data type and device of the weights."""
    weight = network.params["dense1/kernel"]
    return str(weight.dtype), next(iter(weight.devices())).platform
