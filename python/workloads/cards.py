"""The graphics card, for the scripts of a framework: whether it is found, and when it is done.

Frameworks are imported here only when they are asked for: others than a trial's own are hidden.
"""

from importlib import metadata


def found(framework: str, package: str, there: bool, lacks: str) -> None:
    """Raises `ValueError` with what is missing where a framework finds no card."""
    if not there:
        raise ValueError(
            f"{framework} {metadata.version(package)} finds no graphics card; it needs {lacks} in "
            "the environment, and a driver that fits"
        )


def use_jax() -> None:
    """JAX takes the graphics card by itself where it finds one."""
    import jax

    found("JAX", "jax", jax.default_backend() == "gpu", "its CUDA packages")


def wait_for_jax() -> None:
    """Waits until the graphics card is done: it works through what it is given in order."""
    from jax import numpy as jnp

    (jnp.zeros(()) + 1).block_until_ready()


def use_torch() -> None:
    """PyTorch has to be told for each tensor; that it finds a card is all that is seen to here."""
    import torch

    found("PyTorch", "torch", torch.cuda.is_available(), "a build with CUDA")


def wait_for_torch() -> None:
    """Waits until the graphics card is done."""
    import torch

    torch.cuda.synchronize()
