"""Which frameworks there are, and the process each one gets: threads, variables, no others.

Only the standard library is imported here: all of this must be settled before NumPy and the
framework load, because they size their thread pools and read their variables then.
"""

import ast
import importlib.machinery
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).parent
SUFFIX = "_cnn.py"

REDUCED_PRECISION = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "TF_SET_ONEDNN_FPMATH_MODE",
)
"""Variables with which float32 arithmetic may lose precision; no trial has them."""


def folders() -> list[Path]:
    """Where scripts are: this folder, and those before it on `sys.path`, which win over it."""
    path = [Path(entry).absolute() for entry in sys.path]
    return [*path[: path.index(HERE)], HERE] if HERE in path else [HERE]


def discover() -> list[str]:
    """Names of all frameworks: one for each `<name>_cnn.py` in `folders`, sorted."""
    found = (path for folder in folders() for path in folder.glob(f"*{SUFFIX}"))
    return sorted({path.name.removesuffix(SUFFIX) for path in found})


def packages(framework: str) -> tuple[str, ...]:
    """The packages that `framework` consists of, as its script's `PACKAGES` lists them.

    Their presence in a process means that it is loaded, and their versions are recorded. The
    script is read, not run: nothing of it may load yet. Without the list, the package of its name.
    """
    files = (folder / f"{framework}{SUFFIX}" for folder in folders())
    script = next((file for file in files if file.is_file()), None)
    if script is None:
        return (framework,)
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PACKAGES":
            return tuple(ast.literal_eval(node.value))
    return (framework,)


def loaded(framework: str) -> list[str]:
    """Names of the frameworks of which a package is in `sys.modules`.

    What two frameworks share counts as `framework`'s own, the one that this process is for.
    """
    own = set(packages(framework))
    return [
        name
        for name in discover()
        if (set(packages(name)) - (own if name != framework else set())) & sys.modules.keys()
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
    # oneDNN, which PyTorch and TensorFlow call, would take bfloat16 for float32 if told so here.
    for name in REDUCED_PRECISION:
        os.environ.pop(name, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    # Else TensorFlow reports missing GPU libraries as errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
