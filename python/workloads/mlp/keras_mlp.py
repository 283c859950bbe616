"""The MLP in Keras, on TensorFlow."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import spec

PACKAGES = ("tensorflow", "keras")
OLDEST = {"keras": "3.2"}  # earlier ones average losses over batches, not over images

SEVERAL = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 7)
"""Whether a call may hold more steps than are left; earlier Keras on TensorFlow then breaks off."""

STEPS_PER_EXECUTION = 32 if SEVERAL else 1
"""Batches per call of the compiled function, which Keras recommends for small models."""

PREFETCHED = 2
"""Batches made ready while the model trains on one."""


def limit_threads(threads):
    """Caps TensorFlow's own thread pools."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def place(images, labels):
    """Images and labels as Keras takes them: NumPy arrays."""
    return images, labels


def batches(images, labels, batch_size):
    """The set in its order, batch by batch, for TensorFlow.

    They take arrays too, and make such a dataset of them, but one with tf.data's tuning on. The
    tuning has a thread that sleeps 10 ms, 20 ms, 40 ms and so on, doubling, and that often misses
    the word to end: then `fit` and `evaluate` sit idle until it wakes, at worst for as long as they
    took. There is nothing here to tune, so it is off.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))
    return pairs.batch(batch_size).prefetch(PREFETCHED).with_options(options)


class Adam(keras.optimizers.Adam):
    """Adam with ε after the bias correction, as in PyTorch, in Optax and in the paper.

    Keras computes w − α·m / (√v + ε) with α = lr·√(1 − β2ᵗ) / (1 − β1ᵗ). Scaling its ε by
    √(1 − β2ᵗ) makes that equal to w − lr·m̂ / (√v̂ + ε); see spec.EPSILON.
    """

    def update_step(self, gradient, variable, learning_rate):
        step = ops.cast(self.iterations + 1, variable.dtype)
        beta_2_power = ops.power(ops.cast(self.beta_2, variable.dtype), step)
        epsilon = self.epsilon
        self.epsilon = epsilon * ops.sqrt(1 - beta_2_power)
        super().update_step(gradient, variable, learning_rate)
        self.epsilon = epsilon


class Network:
    """What a trial trains: the model, which holds its optimiser."""

    def __init__(self, job):
        self.batch_size = job.batch_size
        self.model = keras.Sequential(
            [
                keras.Input(spec.IMAGE_SHAPE),
                layers.Flatten(),
                layers.Dense(spec.WIDTHS[0], activation="relu"),
                layers.Dense(spec.WIDTHS[1], activation="relu"),
                layers.Dense(spec.CLASSES),
            ]
        )
        self.model.compile(
            optimizer=Adam(
                learning_rate=job.learning_rate,
                beta_1=spec.BETA_1,
                beta_2=spec.BETA_2,
                epsilon=spec.EPSILON,
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            steps_per_execution=STEPS_PER_EXECUTION,
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    network = Network(job)
    network.model.set_weights([initial[name] for name in spec.SHAPES])
    return network


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch, then puts every variable back.

    The compiled functions belong to the model, so a copy of it would not do.
    """
    variables = network.model.variables + network.model.optimizer.variables
    saved = [variable.numpy() for variable in variables]
    for size in spec.batch_shapes(train_count, network.batch_size):
        images, labels = np.zeros((size, *spec.IMAGE_SHAPE), np.float32), np.zeros(size, np.int32)
        train_epoch(network, (images, labels), np.arange(size))
    for size in spec.batch_shapes(test_count, network.batch_size):
        images, labels = np.zeros((size, *spec.IMAGE_SHAPE), np.float32), np.zeros(size, np.int32)
        evaluate(network, (images, labels))
    for variable, value in zip(variables, saved, strict=True):
        variable.assign(value)


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    images, labels = train_set
    before = steps_taken(network)
    pairs = batches(images[order], labels[order], network.batch_size)
    history = network.model.fit(pairs, verbose=0)
    return {
        "loss": history.history["loss"][0],
        "accuracy": history.history["accuracy"][0],
        "images": images_seen(network),
        "batches": steps_taken(network) - before,
    }


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    loss, accuracy = network.model.evaluate(batches(*test_set, network.batch_size), verbose=0)
    images = images_seen(network)
    return {
        "loss": loss,
        "accuracy": accuracy,
        "images": images,
        "batches": spec.batches(images, network.batch_size),
    }


def images_seen(network):
    """Images of the last pass, by the count that Keras's mean loss divides by."""
    return int(ops.convert_to_numpy(network.model.metrics[0].count))


def logits(network, images):
    """The network's output for images in the canonical form, as a NumPy array."""
    return network.model(images).numpy()


def weights(network):
    """The present weights, in the canonical layout."""
    return dict(zip(spec.SHAPES, network.model.get_weights(), strict=True))


def steps_taken(network):
    """Updates made so far, by the optimiser's own count."""
    return int(ops.convert_to_numpy(network.model.optimizer.iterations))


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.trainable_variables[0]
    return weight.dtype, tf.DeviceSpec.from_string(weight.value.device).device_type.lower()
