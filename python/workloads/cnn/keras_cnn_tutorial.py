"""The CNN in Keras, on TensorFlow, as its guides write it: plain `compile` and `fit`.

After "Simple MNIST convnet" and "Training & evaluation with the built-in methods": arrays are
given to `fit` and `evaluate`, which decide for themselves how to feed, batch and compile. The order
is the arrays' own. The optimiser has the same ε as everyone's; see `keras_cnn.Adam`.
"""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import keras
from keras import layers

import spec
from keras_cnn import (  # noqa: F401 - all of the script's own
    Adam,
    images_seen,
    limit_threads,
    logits,
    place,
    placement,
    steps_taken,
    warm_with,
    weights,
)


class Network:
    """What a trial trains: the model, which holds its optimiser."""

    def __init__(self, job):
        self.batch_size = job.batch_size
        self.model = keras.Sequential(
            [
                keras.Input(shape=spec.IMAGE_SHAPE),
                layers.Conv2D(64, kernel_size=(3, 3), padding="same", activation="relu"),
                layers.MaxPooling2D(pool_size=(2, 2)),
                layers.Conv2D(128, kernel_size=(5, 5), padding="same", activation="relu"),
                layers.MaxPooling2D(pool_size=(2, 2)),
                layers.Flatten(),
                layers.Dense(spec.CLASSES),
            ]
        )
        self.model.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            optimizer=Adam(learning_rate=job.learning_rate, epsilon=spec.EPSILON),
            metrics=["accuracy"],
        )
        self.model.optimizer.build(self.model.trainable_variables)


def build(job, initial):
    """The network with the initial weights (canonical layout), and its optimiser."""
    network = Network(job)
    network.model.set_weights([initial[name] for name in spec.SHAPES])
    return network


def warm_call(network, train_count, test_count):
    """Runs each step once on a throw-away batch, then puts every variable back."""
    warm_with(network, train_epoch, evaluate, train_count, test_count)


def train_epoch(network, train_set, order):
    """Trains on the images in this order, batch by batch, the last partial one included."""
    (x_train, y_train), before = train_set, steps_taken(network)
    history = network.model.fit(
        x_train[order],
        y_train[order],
        batch_size=network.batch_size,
        epochs=1,
        shuffle=False,
        verbose=0,
    )
    return {
        "loss": history.history["loss"][0],
        "accuracy": history.history["accuracy"][0],
        "images": images_seen(network),
        "batches": steps_taken(network) - before,
    }


def evaluate(network, test_set):
    """Mean loss and accuracy on the test set, in the same batch size."""
    score = network.model.evaluate(*test_set, batch_size=network.batch_size, verbose=0)
    images = images_seen(network)
    return {
        "loss": score[0],
        "accuracy": score[1],
        "images": images,
        "batches": spec.batches(images, network.batch_size),
    }
