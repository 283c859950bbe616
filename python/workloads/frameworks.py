"""Which frameworks there are, and the process each one gets: threads, variables, no others.

Only the standard library is imported here: all of this must be settled before NumPy and the
framework load, because they size their thread pools and read their variables then.
"""

import importlib.machinery
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).parent
SUFFIX = "_cnn.py"

PACKAGES = {
    "keras": ("tensorflow", "keras"),
    "torch": ("torch",),
    "jax": ("jax", "jaxlib", "flax", "optax"),
}
"""The packages a framework consists of: their presence in a process means that it is loaded, and
their versions are recorded. A framework that is not listed consists of the package of its name."""


def discover(folder: Path = HERE) -> list[str]:
    """Names of all frameworks: one for each `<name>_cnn.py` in `folder`, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}"))


def packages(framework: str) -> tuple[str, ...]:
    """The packages that `framework` consists of."""
    return PACKAGES.get(framework, (framework,))


def loaded() -> list[str]:
    """Names of the frameworks of which any package is in `sys.modules`."""
    return [
        name for name in discover() if any(package in sys.modules for package in packages(name))
    ]


def versions(framework: str) -> dict[str, str]:
    """Versions of Python, NumPy and the framework's packages."""
    found = {"python": platform.python_version()}
    for package in ("numpy", *packages(framework)):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # a framework's module need not be named as its package
    return found


def settle(framework: str, threads: int) -> None:
    """Makes this process ready for `framework`, before anything of it is imported."""
    set_variables(threads)
    pin(threads)
    hide_others(framework)


def set_variables(threads: int) -> None:
    """Sets the environment variables that libraries read at import: CPU only, capped threads.

    The scripts set their framework's own caps as well (`limit_threads`); these are for what has
    no such call: NPROC sizes XLA's pool, OMP and the BLAS libraries theirs.
    """
    cap = str(threads)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        os.environ[name] = cap
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.setdefault(
        "TF_CPP_MIN_LOG_LEVEL", "3"
    )  # else it reports missing GPU libraries as errors


def pin(threads: int) -> None:
    """Lets this process run on `threads` of its cores only, where the system can do that.

    The cap holds for every thread started afterwards, whichever library starts it.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def hide_others(framework: str) -> None:
    """Makes the other frameworks look as if they were not installed.

    TensorFlow imports JAX when it finds it (for its converter), although Keras on TensorFlow never
    uses it: a Keras trial would pay for importing JAX and keep its thread pools. With this, each
    trial runs as in an environment that holds its own framework only.
    """
    own = set(packages(framework))
    foreign = {package for name in discover() for package in packages(name)} - own
    for index, finder in enumerate(sys.meta_path):
        if finder is importlib.machinery.PathFinder:
            sys.meta_path[index] = _Without(foreign)


class _Without(importlib.machinery.PathFinder):
    """The usual finder of modules, but for some packages, which it does not find."""

    def __init__(self, hidden: set[str]) -> None:
        self.hidden = hidden

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in self.hidden:
            return None
        return super().find_spec(fullname, path, target)
