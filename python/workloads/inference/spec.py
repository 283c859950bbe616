"""Prediction with the CNN: the specification; every script and every check reads it.

The network, its layout and its scripts are those of `cnn/`. Its weights are there before it is
measured: made in the data phase by NumPy alone, so that every framework gets the same. The filters
are the drawn ones; the dense layer is fitted to what they give for some training images, each class
being told by the nearest mean.
"""

import importlib.util
import sys
from pathlib import Path

from jobs import CLASSES, DTYPE, IMAGE_SHAPE, Job, batch_shapes, batches  # noqa: F401

CNN = Path(__file__).parents[1] / "cnn"
sys.path.append(str(CNN))  # the scripts of this workload build on the CNN's

_found = importlib.util.spec_from_file_location("cnn_spec", CNN / "spec.py")
_cnn = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_cnn)
globals().update({name: value for name, value in vars(_cnn).items() if name[0] != "_"})

LOOP = "predicting"
"""Which of the shared modules runs a trial and verifies it."""

FITTED = 512
"""Training images, at most, that the dense layer is fitted to."""

CHUNK = 64
"""Images at once: bounds the memory for their patches."""


def trained(job: Job, images) -> dict:
    """The weights, float32, in the canonical layout.

    The kernel and bias of the nearest mean, x·(μ_c − μ) − (|μ_c|² − |μ|²)/2, scaled to logits below
    1 and rounded to half precision, which is coarse enough for every NumPy to agree.
    """
    import numpy as np

    import weights

    found = weights.initial(job.seed)
    flat = np.concatenate(
        [
            features(found, images.train_images[begin : begin + CHUNK])
            for begin in range(0, min(FITTED, len(images.train_images)), CHUNK)
        ]
    )[:FITTED]
    labels = images.train_labels[: len(flat)]
    mean = flat.mean(0)
    means = np.stack(
        [flat[labels == c].mean(0) if (labels == c).any() else mean for c in range(CLASSES)]
    )
    kernel, bias = (means - mean).T, (mean @ mean - (means**2).sum(1)) / 2
    scale = 1 / abs(flat @ kernel + bias).max()
    half = {"dense/kernel": kernel * scale, "dense/bias": bias * scale}
    return found | {
        name: value.astype(np.float16).astype(np.float32) for name, value in half.items()
    }


def features(weights: dict, images):
    """What the dense layer gets of these images, as doubles."""
    import numpy as np

    x = images
    for layer in ("conv1", "conv2"):
        kernel, bias = weights[f"{layer}/kernel"], weights[f"{layer}/bias"]
        side = kernel.shape[0]
        edge = side // 2
        padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, side * side * x.shape[-1])
        x = np.maximum(patches @ kernel.reshape(-1, kernel.shape[-1]) + bias, 0)
        n, height = len(images), padded.shape[1] - 2 * edge
        x = x.reshape(n, height // 2, 2, height // 2, 2, -1).max((2, 4))
    return x.reshape(len(images), -1).astype(np.float64)
