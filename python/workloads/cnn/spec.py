"""The CNN: the one specification of the training job; every script and every check reads it.

The job is the 2025 study's: a convolutional network on 28×28 grey images of ten digits, trained
with Adam on the mean cross-entropy of each batch, then evaluated once on the test set.

    image 28×28×1, float32 in [0, 1]
    conv    64 filters 3×3, stride 1, 'same', bias, ReLU      → 28×28×64
    maxpool 2×2, stride 2                                     → 14×14×64
    conv    128 filters 5×5, stride 1, 'same', bias, ReLU     → 14×14×128
    maxpool 2×2, stride 2                                     →  7×7×128
    flatten (height, width, channel), dense 10, bias          → 10 logits
    softmax, inside the loss

Only the standard library is needed here, so that the host's checks can read it anywhere.
"""

from jobs import (  # noqa: F401 - scripts read all of them here
    BETA_1,
    BETA_2,
    CLASSES,
    DTYPE,
    EPSILON,
    IMAGE_SHAPE,
    Job,
    batch_shapes,
    batches,
    parameters,
)

LOOP = "training"
"""Which of the shared modules runs a trial and verifies it."""

CONV1_FILTERS, CONV1_KERNEL = 64, 3
CONV2_FILTERS, CONV2_KERNEL = 128, 5
POOL = 2
"""Side and stride of both max pools."""

FLAT = 7 * 7 * CONV2_FILTERS
"""Inputs of the dense layer: both pools halve the 28 pixels."""

SHAPES = {
    "conv1/kernel": (CONV1_KERNEL, CONV1_KERNEL, IMAGE_SHAPE[2], CONV1_FILTERS),
    "conv1/bias": (CONV1_FILTERS,),
    "conv2/kernel": (CONV2_KERNEL, CONV2_KERNEL, CONV1_FILTERS, CONV2_FILTERS),
    "conv2/bias": (CONV2_FILTERS,),
    "dense/kernel": (FLAT, CLASSES),
    "dense/bias": (CLASSES,),
}
"""The canonical layout of the weights: convolution kernels are (height, width, in, out), the dense
kernel is (in, out) with its inputs flattened in the order height, width, channel."""


def parameter_count() -> int:
    """Trainable parameters of the network: 268,298."""
    return parameters(SHAPES)
