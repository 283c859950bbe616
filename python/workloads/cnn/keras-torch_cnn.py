"""The CNN in Keras, on PyTorch: the model and its steps are those of `keras_cnn.py`."""

if __name__ == "__main__":
    # The harness settles threads and variables, then imports this file as a module.
    import sys
    from pathlib import Path

    sys.path.insert(1, str(Path(__file__).absolute().parents[1]))
    import harness

    sys.exit(harness.main(__file__))

import os

os.environ["KERAS_BACKEND"] = "torch"  # read by Keras when it is imported

import torch

from cards import use_torch as use_card  # noqa: F401 - the harness calls them
from cards import wait_for_torch as synchronize  # noqa: F401
from keras_cnn import (  # noqa: F401 - all of the script's own
    build,
    evaluate,
    logits,
    place,
    steps_taken,
    train_epoch,
    warm_call,
    weights,
)

PACKAGES = ("keras", "torch")
OLDEST = {"keras": "3.2"}  # earlier ones average losses over batches, not over images
DEVICES = ("cpu", "gpu")


def limit_threads(threads):
    """Caps PyTorch's own thread pools."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(threads)


def placement(network):
    """Data type and device of the weights."""
    weight = network.model.trainable_variables[0]
    return weight.dtype, weight.value.device.type
