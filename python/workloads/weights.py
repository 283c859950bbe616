"""Initial weights and batch orders: everything random in a trial, from one seed.

All draws are raw 64-bit output of NumPy's PCG64 bit generator, seeded through SeedSequence. NumPy
promises the streams of its bit generators to be stable across releases, which it does not promise
for `Generator.uniform` or `Generator.permutation`; so environments with different NumPy versions
start from the same weights too.
"""

import math

import numpy as np

import spec

GENERATOR = "PCG64"
"""The bit generator's name, for the record."""

_WEIGHTS, _ORDER = 0, 1  # streams of one seed: a draw from one never shifts the other


def _raw(seed: int, *stream: int, count: int) -> np.ndarray:
    return np.random.PCG64(np.random.SeedSequence([seed, *stream])).random_raw(count)


def _unit(raw: np.ndarray) -> np.ndarray:
    """Doubles in [0, 1) from the upper 53 bits, the usual way."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def initial(seed: int) -> dict[str, np.ndarray]:
    """The weights before training, float32, in the canonical layout (`spec.SHAPES`).

    Kernels are Glorot uniform, U(−a, a) with a = √(6 / (fan_in + fan_out)), where a convolution's
    fans count its receptive field (Glorot & Bengio, 2010, eq. 16); biases are zero.
    """
    weights = {}
    for index, (name, shape) in enumerate(spec.SHAPES.items()):
        if name.endswith("/bias"):
            weights[name] = np.zeros(shape, np.float32)
            continue
        field = math.prod(shape[:-2])
        limit = math.sqrt(6.0 / (field * shape[-2] + field * shape[-1]))
        unit = _unit(_raw(seed, _WEIGHTS, index, count=math.prod(shape)))
        weights[name] = ((2.0 * unit - 1.0) * limit).astype(np.float32).reshape(shape)
    return weights


def order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of `count` images in an epoch (numbered from 1): a permutation, int32.

    It depends on the seed, the epoch and the count alone. Sorting by 64-bit keys is a uniform
    shuffle but for ties, whose chance is below count² / 2⁶⁵ (1e-10 for MNIST).
    """
    keys = _raw(seed, _ORDER, epoch, count=count)
    return np.argsort(keys, kind="stable").astype(np.int32)
