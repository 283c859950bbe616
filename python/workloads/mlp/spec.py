"""The MLP: the specification of the training job; every script and every check reads it.

Three dense layers on 28×28 grey images of ten digits, trained with Adam on the mean cross-entropy
of each batch, then evaluated once on the test set.

    image 28×28×1, float32 in [0, 1], flattened   → 784
    dense 256, bias, ReLU                         → 256
    dense 128, bias, ReLU                         → 128
    dense 10, bias                                → 10 logits
    softmax, inside the loss

Its steps take a thousandth of a second, so what a framework does around them shows.
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

PIXELS = 28 * 28
WIDTHS = (256, 128, CLASSES)

SHAPES = {
    "dense1/kernel": (PIXELS, WIDTHS[0]),
    "dense1/bias": (WIDTHS[0],),
    "dense2/kernel": (WIDTHS[0], WIDTHS[1]),
    "dense2/bias": (WIDTHS[1],),
    "dense3/kernel": (WIDTHS[1], CLASSES),
    "dense3/bias": (CLASSES,),
}
"""The canonical layout of the weights: kernels are (in, out)."""


def parameter_count() -> int:
    """Trainable parameters of the network: 235,146."""
    return parameters(SHAPES)
