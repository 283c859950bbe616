"""The images: reading IDX files, and making the `digits` data set where MNIST cannot be had.

The IDX format: big-endian, two zero bytes, a type byte (8: unsigned byte), the number of
dimensions, then each dimension as uint32, then the values
(http://yann.lecun.com/exdb/mnist/, "file formats").
"""

import gzip
import hashlib
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import jobs

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
"""MNIST's names for the four files; `digits` uses them too."""

TRAIN_IMAGES, TEST_IMAGES = 60_000, 10_000


class DataError(Exception):
    """The data cannot be used; says which file or setting, and what to do."""


@dataclass(frozen=True)
class Images:
    """What a trial trains and is tested on."""

    train_images: np.ndarray
    """float32 in [0, 1], (images, 28, 28, 1)."""
    train_labels: np.ndarray
    """int32 in 0..9, (images,)."""
    test_images: np.ndarray
    test_labels: np.ndarray
    sha256: str
    """Of the bytes used, before scaling: training images, their labels, test images, theirs."""

    def summary(self) -> dict:
        """What the trial's record says of the data."""
        return {
            "train_images": len(self.train_images),
            "test_images": len(self.test_images),
            "sha256": self.sha256,
        }


def load(
    directory: str | Path, train_samples: int | None = None, test_samples: int | None = None
) -> Images:
    """Reads the four files in `directory`, keeps the first N of each set, scales the pixels.

    Raises `DataError` for a file that is missing, cut short or not what its name says, and for
    more samples asked for than there are.
    """
    directory = Path(directory)
    digest = hashlib.sha256()
    parts = {}
    for split, samples in (("train", train_samples), ("test", test_samples)):
        images_file = directory / FILES[f"{split}_images"]
        labels_file = directory / FILES[f"{split}_labels"]
        images = read_idx(images_file, (None, *jobs.IMAGE_SHAPE[:2]))
        labels = read_idx(labels_file, (None,))
        if len(images) != len(labels):
            raise DataError(
                f"{images_file} holds {len(images)} images but {labels_file.name} {len(labels)} "
                "labels. The files do not belong together; get both again."
            )
        if len(labels) and labels.max() >= jobs.CLASSES:
            raise DataError(
                f"{labels_file} holds the label {labels.max()}; labels are 0 to "
                f"{jobs.CLASSES - 1}. Get the file again."
            )
        if samples is not None and samples > len(images):
            raise DataError(
                f"--{split}-samples asks for {samples} images, but {images_file} holds "
                f"{len(images)}. Ask for at most that many."
            )
        images, labels = images[:samples], labels[:samples]
        digest.update(images.tobytes())
        digest.update(labels.tobytes())
        parts[f"{split}_images"] = scale(images)
        parts[f"{split}_labels"] = labels.astype(np.int32)
    return Images(**parts, sha256=digest.hexdigest())


def scale(images: np.ndarray) -> np.ndarray:
    """Bytes (images, 28, 28) to float32 in [0, 1], (images, 28, 28, 1)."""
    scaled = images.astype(np.float32)
    scaled /= np.float32(jobs.PIXEL_SCALE)
    return scaled.reshape(len(images), *jobs.IMAGE_SHAPE)


def read_idx(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """The values of a gzipped IDX file of unsigned bytes, with `shape` (None: any length)."""
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist. Name the folder of the four IDX files with --data-dir."
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}). Get it again.") from error

    magic = bytes([0, 0, 8, len(shape)])
    if content[:4] != magic:
        raise DataError(
            f"{path} starts with {content[:4].hex(' ')}, where an IDX file of {len(shape)} "
            f"dimensions starts with {magic.hex(' ')}. Get it again."
        )
    header = 4 + 4 * len(shape)
    if len(content) < header:
        raise DataError(f"{path} ends within its header. Get it again.")
    found = tuple(int(side) for side in np.frombuffer(content[4:header], ">u4"))
    if any(want not in (None, side) for want, side in zip(shape, found, strict=True)):
        raise DataError(f"{path} holds {found}, wanted {shape}. Get it again.")
    if len(content) - header != math.prod(found):
        raise DataError(
            f"{path} holds {len(content) - header} values where its header says "
            f"{math.prod(found)}. Get it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(found)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Writes bytes as a gzipped IDX file; equal values give equal files (no time stamp inside)."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    # Level 1: the images are rewritten rarely and read in every trial; size matters little.
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), 1, mtime=0))


def make_digits(request: dict, emit) -> None:
    """Called by the host: writes the `digits` data set to `request["output"]`; see digits.py."""
    import digits  # scikit-learn takes a second to import, and only this needs it

    digits.write(Path(request["output"]), request.get("seed", 42))
    emit({"event": "result", "train_images": TRAIN_IMAGES, "test_images": TEST_IMAGES})
