"""What all workloads share of a specification: the job's settings, the images, and counting.

Only the standard library is needed here, so that the host's checks can read it anywhere.
"""

import math
import os
from dataclasses import dataclass, fields

IMAGE_SHAPE = (28, 28, 1)
"""Height, width, channels of one of MNIST's images."""

CLASSES = 10

PIXEL_SCALE = 255
"""An image's bytes are divided by this, once, in the data phase."""

DTYPE = "float32"
"""Of images, weights, optimiser state and arithmetic. No mixed precision, no bfloat16 passes."""

DEVICES = ("cpu", "gpu")
"""Where a job can run."""

BETA_1 = 0.9
BETA_2 = 0.999
EPSILON = 1e-7
"""Adam's ε, added to √v̂ *after* the bias correction, as in Kingma & Ba (2015), algorithm 1:

    w ← w − lr · m̂ / (√v̂ + ε),   m̂ = m / (1 − β1ᵗ),   v̂ = v / (1 − β2ᵗ)

PyTorch and Optax compute this. Keras adds ε to √v *before* the correction (the paper's "ε-hat"),
which is the formula above with an ε of ε / √(1 − β2ᵗ): 32 times larger at the first step. The
Keras script corrects its ε accordingly; see README.md for the choice and its error argument."""


@dataclass(frozen=True)
class Job:
    """One job. The defaults are the study's settings."""

    epochs: int = 3
    """Passes over the training set; where nothing is trained, over the test set."""
    batch_size: int = 64
    learning_rate: float = 0.001
    seed: int = 42
    """Of the initial weights and the batch order; nothing else in a trial is random."""
    train_samples: int | None = None
    """Train on the first N images only; None means all."""
    test_samples: int | None = None
    """Evaluate on the first N images only; None means all."""
    threads: int | None = None
    """The cap on threads and cores, the same for every framework; None means all cores."""
    dataset: str = "mnist"
    data_dir: str | None = None
    """Where the four IDX files are."""
    variant: str | None = None
    """Which of the script's `VARIANTS` runs; None: the script as it is."""
    device: str = "cpu"
    """Where weights, images and arithmetic are: `cpu`, or `gpu` for a graphics card."""
    card: int | None = None
    """Which graphics card, by the driver's number; None means the first that is visible."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("train_samples", "test_samples", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1, or left out")
        if self.device not in DEVICES:
            raise ValueError(f"device is {self.device!r}; it must be {' or '.join(DEVICES)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be above 0")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be at least 0")

    @classmethod
    def from_request(cls, job: dict) -> "Job":
        """A job from the host's request; settings that this side does not know are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in job.items() if name in known})

    def resolved_threads(self) -> int:
        """The cap in force: what was asked for, but never more than the cores this process has."""
        available = available_cores()
        return min(self.threads or available, available)


def available_cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def batches(count: int, batch_size: int) -> int:
    """Batches in one pass over `count` images; the last, partial one counts and is trained on."""
    return -(-count // batch_size)


def batch_shapes(count: int, batch_size: int) -> list[int]:
    """The distinct batch sizes of one pass over `count` images, the full one first."""
    sizes = [batch_size] if count >= batch_size else []
    if count % batch_size:
        sizes.append(count % batch_size)
    return sizes


def parameters(shapes: dict[str, tuple[int, ...]]) -> int:
    """Numbers in arrays of these shapes."""
    return sum(math.prod(shape) for shape in shapes.values())
