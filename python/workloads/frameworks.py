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
DEFAULT = "cnn"
"""The workload where none is named."""

REDUCED_PRECISION = (
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "TF_SET_ONEDNN_FPMATH_MODE",
)
"""Variables with which float32 arithmetic may lose precision; no trial has them."""


def folders() -> list[Path]:
    """Where the workload's scripts are: what stands on `sys.path` before this folder."""
    path = [Path(entry).absolute() for entry in sys.path]
    return path[: path.index(HERE)] if HERE in path else []


def discover(workload: str = DEFAULT) -> list[str]:
    """Names of all its frameworks: one for each `<name>_<workload>.py` in `folders`, sorted."""
    suffix = f"_{workload}.py"
    found = (path for folder in folders() for path in folder.glob(f"*{suffix}"))
    return sorted({path.name.removesuffix(suffix) for path in found})


def script(framework: str, workload: str = DEFAULT, variant: str | None = None) -> Path | None:
    """The file of a framework, or the one that a variant of it has for itself."""
    name = f"{framework}_{workload}"
    names = [f"{name}_{variant}.py", f"{name}.py"] if variant else [f"{name}.py"]
    files = (folder / name for name in names for folder in folders())
    return next((file for file in files if file.is_file()), None)


def literal(file: Path | None, name: str, default):
    """The literal that a script's module gives `name`. Read, not run: nothing may load yet."""
    if file is not None:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                return ast.literal_eval(node.value)
    return default


def variants(framework: str, workload: str = DEFAULT) -> dict[str, str]:
    """The variants that a script declares, each with a sentence."""
    return literal(script(framework, workload), "VARIANTS", {})


def packages(framework: str, workload: str = DEFAULT) -> tuple[str, ...]:
    """The packages that `framework` consists of, as its script's `PACKAGES` lists them: what is
    installed and whose versions are recorded. Without the list, the package of its name."""
    return tuple(literal(script(framework, workload), "PACKAGES", (framework,)))


def devices(framework: str, workload: str = DEFAULT, variant: str | None = None) -> tuple[str, ...]:
    """Where the script can run its job, as its `DEVICES` says; without them, on the processor."""
    return tuple(literal(script(framework, workload, variant), "DEVICES", ("cpu",)))


def modules(framework: str, workload: str = DEFAULT) -> set[str]:
    """The modules by which `framework` is imported: `MODULES`, else those of its packages' names.

    Their presence in a process means that it is loaded.
    """
    own = packages(framework, workload)
    return set(literal(script(framework, workload), "MODULES", own))


def loaded(framework: str, workload: str = DEFAULT) -> list[str]:
    """Names of the frameworks of which a module is in `sys.modules`.

    What two frameworks share counts as `framework`'s own, the one that this process is for. One
    without modules, which runs a program of its own, is loaded as soon as its script is.
    """
    own = modules(framework, workload)
    found = []
    for name in discover(workload):
        wanted = own if name == framework else modules(name, workload) - own
        if wanted & sys.modules.keys() or (not wanted and f"{name}_{workload}" in sys.modules):
            found.append(name)
    return found


def versions(framework: str, workload: str = DEFAULT) -> dict[str, str]:
    """Versions of Python, NumPy and the framework's packages."""
    found = {"python": platform.python_version()}
    for package in ("numpy", *packages(framework, workload)):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # a framework's module need not be named as its package
    return found


def settle(
    framework: str,
    threads: int,
    workload: str = DEFAULT,
    device: str = "cpu",
    card: int | None = None,
) -> None:
    """Makes this process ready for `framework`, before anything of it is imported."""
    set_variables(threads)
    show_cards(device, card)
    pin(threads)
    hide_others(framework, workload)


def set_variables(threads: int) -> None:
    """Sets the environment variables that libraries read at import: capped threads, whole floats.

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
    # Else TensorFlow reports missing GPU libraries as errors.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def show_cards(device: str, card: int | None) -> None:
    """Lets libraries see no graphics card, or `card`, or those that this process was given."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
        return
    if card is not None:
        # As the driver numbers them, and so whoever measures them.
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = str(card)
    os.environ.pop("JAX_PLATFORMS", None)
    # float32 is not to be rounded to TF32, which cards would do for speed.
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    os.environ["JAX_DEFAULT_MATMUL_PRECISION"] = "highest"


def pin(threads: int) -> None:
    """Lets this process run on `threads` of its cores only, where the system can do that.

    The cap holds for every thread started afterwards, whichever library starts it.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:threads])


def hide_others(framework: str, workload: str = DEFAULT) -> None:
    """Makes the other frameworks look as if they were not installed.

    TensorFlow imports JAX when it finds it (for its converter), although Keras on TensorFlow never
    uses it: a Keras trial would pay for importing JAX and keep its thread pools. With this, each
    trial runs as in an environment that holds its own framework only.
    """
    foreign = everything(workload) - modules(framework, workload)
    for index, finder in enumerate(sys.meta_path):
        if finder is importlib.machinery.PathFinder:
            sys.meta_path[index] = _Without(foreign)


def everything(workload: str) -> set[str]:
    """Modules of all frameworks: of the workload's own scripts, and of those that joulerace has."""
    found = {module for name in discover(workload) for module in modules(name, workload)}
    for file in HERE.glob("*/*.py"):
        if file.stem.endswith(f"_{file.parent.name}"):
            found |= set(literal(file, "MODULES", literal(file, "PACKAGES", ())))
    return found


class _Without(importlib.machinery.PathFinder):
    """The usual finder of modules, but for some packages, which it does not find."""

    def __init__(self, hidden: set[str]) -> None:
        self.hidden = hidden

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in self.hidden:
            return None
        return super().find_spec(fullname, path, target)
