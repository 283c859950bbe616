"""Prediction with the CNN in Keras, on TensorFlow: the steps are those of `keras_cnn.py`."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import spec  # noqa: F401 - it says where the next is
from keras_cnn import (  # noqa: F401 - all of the script's own
    build,
    evaluate,
    limit_threads,
    logits,
    place,
    placement,
    synchronize,
    use_card,
    weights,
)
from keras_cnn import warm_call as warm_both

PACKAGES = ("tensorflow", "keras")
OLDEST = {"keras": "3.2"}  # earlier ones average losses over batches, not over images
DEVICES = ("cpu", "gpu")


def warm_call(network, train_count, test_count):
    """Runs the step once on a throw-away batch of each size; nothing is trained."""
    warm_both(network, 0, test_count)
