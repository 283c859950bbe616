"""The CNN in JAX, with Equinox and Optax, as Equinox's MNIST example writes it."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import equinox as eqx
import jax
import numpy as np
import optax
from jax import numpy as jnp

import spec
from cards import use_jax as use_card  # noqa: F401 - the harness calls them
from cards import wait_for_jax as synchronize  # noqa: F401

PACKAGES = ("equinox", "jax", "jaxlib", "optax")
DEVICES = ("cpu", "gpu")

POOLED = (7, 7, spec.CONV2_FILTERS)
"""What the second pool gives, height, width and channel: the order of the canonical kernel."""


def limit_threads(threads):
    """JAX has no call for this: XLA's pool has as many threads as the process has cores."""


def place(images, labels):
    """Images, channel first, and labels as NumPy arrays; a batch is handed over when it is used."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels


class CNN(eqx.Module):
    """The network of `spec` for one image; returns logits. Flattens channel first."""

    layers: list

    def __init__(self, key):
        keys = jax.random.split(key, 3)
        kernel1, kernel2 = spec.CONV1_KERNEL, spec.CONV2_KERNEL
        channels, filters1, filters2 = spec.IMAGE_SHAPE[2], spec.CONV1_FILTERS, spec.CONV2_FILTERS
        self.layers = [
            eqx.nn.Conv2d(channels, filters1, kernel_size=kernel1, padding="SAME", key=keys[0]),
            jax.nn.relu,
            eqx.nn.MaxPool2d(kernel_size=spec.POOL, stride=spec.POOL),
            eqx.nn.Conv2d(filters1, filters2, kernel_size=kernel2, padding="SAME", key=keys[1]),
            jax.nn.relu,
            eqx.nn.MaxPool2d(kernel_size=spec.POOL, stride=spec.POOL),
            jnp.ravel,
            eqx.nn.Linear(spec.FLAT, spec.CLASSES, key=keys[2]),
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Network:
    """What a trial trains: the model, its optimiser and that one's state."""

    def __init__(self, job, model):
        self.batch_size, self.model = job.batch_size, model
        self.optim = optax.adam(job.learning_rate, b1=spec.BETA_1, b2=spec.BETA_2, eps=spec.EPSILON)
        self.opt_state = self.optim.init(eqx.filter(model, eqx.is_array))


def trained(model):
    """The model's arrays, in the order of `spec.SHAPES`."""
    conv1, conv2, dense = (model.layers[place] for place in (0, 3, 7))
    return [conv1.weight, conv1.bias, conv2.weight, conv2.bias, dense.weight, dense.bias]


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    dense = initial["dense/kernel"].reshape(*POOLED, -1).transpose(3, 2, 0, 1)
    values = [
        initial["conv1/kernel"].transpose(3, 2, 0, 1),
        initial["conv1/bias"].reshape(-1, 1, 1),
        initial["conv2/kernel"].transpose(3, 2, 0, 1),
        initial["conv2/bias"].reshape(-1, 1, 1),
        dense.reshape(spec.CLASSES, -1),
        initial["dense/bias"],
    ]
    model = CNN(jax.random.PRNGKey(0))  # weights that are replaced before any use
    return Network(job, eqx.tree_at(trained, model, [jnp.array(value) for value in values]))


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch; a model is replaced, never altered."""
    shape = (spec.IMAGE_SHAPE[2], *spec.IMAGE_SHAPE[:2])
    for size in spec.batch_shapes(train_count, network.batch_size):
        x, y = np.zeros((size, *shape), np.float32), np.zeros(size, np.int32)
        jax.block_until_ready(make_step(network.optim, network.model, network.opt_state, x, y)[2:])
    for size in spec.batch_shapes(test_count, network.batch_size):
        x, y = np.zeros((size, *shape), np.float32), np.zeros(size, np.int32)
        jax.block_until_ready(eval_step(network.model, x, y))


def loss_fn(model, x, y):
    """The sums of losses and of hits beside the batch's loss."""
    logits = jax.vmap(model)(x)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
    return loss, (loss * len(y), (logits.argmax(-1) == y).sum())


@eqx.filter_jit
def make_step(optim, model, opt_state, x, y):
    """One batch: forward, backward, update."""
    (_, sums), grads = eqx.filter_value_and_grad(loss_fn, has_aux=True)(model, x, y)
    updates, opt_state = optim.update(grads, opt_state, eqx.filter(model, eqx.is_array))
    return eqx.apply_updates(model, updates), opt_state, *sums


@eqx.filter_jit
def eval_step(model, x, y):
    return loss_fn(model, x, y)[1]


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    images, labels = train_set
    sums = []
    for begin in range(0, len(order), network.batch_size):
        batch = order[begin : begin + network.batch_size]
        network.model, network.opt_state, *step = make_step(
            network.optim, network.model, network.opt_state, images[batch], labels[batch]
        )
        sums.append(step)
    return result(sums, len(order))


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    images, labels = test_set
    sums = []
    for begin in range(0, len(labels), network.batch_size):
        batch = slice(begin, begin + network.batch_size)
        sums.append(eval_step(network.model, images[batch], labels[batch]))
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
    return np.array(jax.vmap(network.model)(images.transpose(0, 3, 1, 2)))


def weights(network):
    """The present weights, in the canonical layout."""
    height, width, channels = POOLED
    conv1, bias1, conv2, bias2, dense, bias3 = map(np.array, trained(network.model))
    dense = dense.reshape(spec.CLASSES, channels, height, width).transpose(2, 3, 1, 0)
    values = (
        conv1.transpose(2, 3, 1, 0),
        bias1.ravel(),
        conv2.transpose(2, 3, 1, 0),
        bias2.ravel(),
        dense.reshape(spec.FLAT, spec.CLASSES),
        bias3,
    )
    return {name: value.copy() for name, value in zip(spec.SHAPES, values, strict=True)}


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    return int(network.opt_state[0].count)


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.layers[7].weight
    return str(weight.dtype), next(iter(weight.devices())).platform
