"""The `digits` data set: scikit-learn's bundled handwritten digits in MNIST's shape and counts.

scikit-learn carries 1,797 digits of 8×8 pixels (the test part of "Optical Recognition of
Handwritten Digits", UCI). They are enlarged to MNIST's 20×20 pixels within 28×28, and each becomes
many images by small rotations and shifts. The originals are divided first: no test image is a
variation of an original that training sees.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits

import data

TEST_SHARE = 1 / 6
"""Of the originals; MNIST's own share is 1/7."""

DIGIT_SIDE = 20
"""Pixels of the enlarged digit; MNIST's digits are fitted into such a box."""

MAX_ROTATION = np.deg2rad(12)
MAX_SHIFT = 2.0
"""Pixels, in both directions."""

_CHUNK = 5_000  # images varied at once: bounds the memory for their coordinates


def write(output: Path, seed: int) -> None:
    """Writes the four IDX files into `output`, which appears whole or not at all.

    Equal seeds give equal files. An `output` that exists is replaced if it is empty, and left
    alone with a `DataError` if it is not.
    """
    output = output.absolute()
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise data.DataError(
            f"{output} exists and is not an empty folder. Name another, or empty it."
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        for name, values in make(seed).items():
            data.write_idx(scratch / data.FILES[name], values)
        scratch.chmod(0o755)  # mkdtemp's 0700 would keep other users out of a shared cache
        scratch.replace(output)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def make(
    seed: int, train_images: int = data.TRAIN_IMAGES, test_images: int = data.TEST_IMAGES
) -> dict[str, np.ndarray]:
    """The four arrays of bytes, keyed as `data.FILES`."""
    images, labels = originals()
    arrays = {}
    parts = zip(("train", "test"), split(labels, seed), (train_images, test_images), strict=True)
    for stream, (name, members, count) in enumerate(parts, start=1):
        draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream])))
        # Every original equally often (to within one), in a random order.
        chosen = draw.permutation(np.resize(members, count))
        arrays[f"{name}_images"] = vary(images[chosen], draw)
        arrays[f"{name}_labels"] = labels[chosen]
    return arrays


def originals() -> tuple[np.ndarray, np.ndarray]:
    """All originals as float32 in [0, 1], (1797, 28, 28), and their labels as bytes."""
    bundled = load_digits()
    small = bundled.images.astype(np.float32) / 16  # their pixels count 0 to 16
    zoom = DIGIT_SIDE / small.shape[1]
    large = ndimage.zoom(small, (1, zoom, zoom), order=3, mode="grid-constant", grid_mode=True)
    margin = (28 - DIGIT_SIDE) // 2
    large = np.pad(large.clip(0, 1), ((0, 0), (margin, margin), (margin, margin)))
    return large.astype(np.float32), bundled.target.astype(np.uint8)


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the originals for training and for testing, with equal shares of each digit."""
    draw = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0])))
    train, test = [], []
    for digit in range(10):
        members = draw.permutation(np.flatnonzero(labels == digit))
        cut = round(len(members) * TEST_SHARE)
        test.append(members[:cut])
        train.append(members[cut:])
    return np.concatenate(train), np.concatenate(test)


def vary(images: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Turns and shifts each image by its own small random amounts; returns bytes.

    Each target pixel takes the bilinear interpolation of the four source pixels around the place
    it comes from; outside is black.
    """
    count = len(images)
    angle = draw.uniform(-MAX_ROTATION, MAX_ROTATION, count).astype(np.float32)
    shift = draw.uniform(-MAX_SHIFT, MAX_SHIFT, (2, count)).astype(np.float32)
    varied = np.empty((count, 28, 28), np.uint8)
    for begin in range(0, count, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        varied[part] = _turn(images[part], angle[part], shift[:, part])
    return varied


def _turn(images: np.ndarray, angle: np.ndarray, shift: np.ndarray) -> np.ndarray:
    centre = np.float32(13.5)
    rows, columns = np.indices((28, 28), np.float32) - centre
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    y = cosine * rows - sine * columns + centre + shift[0][:, None, None]
    x = sine * rows + cosine * columns + centre + shift[1][:, None, None]

    # A black frame, to which everything outside is clipped.
    framed = np.pad(images, ((0, 0), (1, 1), (1, 1))).reshape(len(images), -1)
    y, x = (y + 1).clip(0, 28.999), (x + 1).clip(0, 28.999)
    top, left = y.astype(np.int32), x.astype(np.int32)
    down, right = y - top, x - left
    corner = (top * 30 + left).reshape(len(images), -1)

    def pixel(offset: int) -> np.ndarray:
        return np.take_along_axis(framed, corner + offset, axis=1).reshape(y.shape)

    above = pixel(0) * (1 - right) + pixel(1) * right
    below = pixel(30) * (1 - right) + pixel(31) * right
    return np.rint((above * (1 - down) + below * down) * 255).astype(np.uint8)
