"""Shared by the Python tests: a small data set, and trials in processes of their own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

WORKLOADS = Path(__file__).parents[1] / "workloads"

# The CNN's modules before those that all workloads share, as the host has them.
sys.path[:0] = [str(WORKLOADS / "cnn"), str(WORKLOADS)]

# The training and the analysis environment hold different packages; each runs its own tests.
collect_ignore_glob = [] if importlib.util.find_spec("pandas") else ["test_analysis*"]

# Everything that a child process says to its test is a line with this before its JSON.
MARK = "@event "


def pytest_report_header():
    """Says which tests this environment cannot run."""
    return [f"not collected without pandas: {name}.py" for name in collect_ignore_glob]


def pytest_collection_modifyitems(items):
    """Skips tests of the real frameworks where these are not installed."""
    missing = [
        name for name in ("tensorflow", "torch", "jax") if importlib.util.find_spec(name) is None
    ]
    if missing:
        # The analysis environment holds no framework; `cargo test` runs these in the training one.
        skip = pytest.mark.skip(reason=f"not installed here: {', '.join(missing)}")
        for item in items:
            if item.get_closest_marker("frameworks"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def small_images() -> dict[str, np.ndarray]:
    """700 + 200 images in ten learnable classes, keyed as `data.FILES`: noisy smooth templates."""
    draw = np.random.default_rng(5)
    templates = np.kron(draw.random((10, 7, 7)), np.ones((4, 4)))
    made = {}
    for split, count in (("train", 700), ("test", 200)):
        labels = draw.integers(0, 10, count).astype(np.uint8)
        noisy = 160 * templates[labels] + 80 * draw.random((count, 28, 28))
        made[f"{split}_images"] = noisy.astype(np.uint8)
        made[f"{split}_labels"] = labels
    return made


@pytest.fixture(scope="session")
def small_data(small_images, tmp_path_factory) -> Path:
    """A folder with `small_images` in four IDX files."""
    import data

    folder = tmp_path_factory.mktemp("small")
    for name, values in small_images.items():
        data.write_idx(folder / data.FILES[name], values)
    return folder


def in_process(
    code: str, *arguments, timeout_s: int = 300, workload: str | Path = "cnn"
) -> list[dict]:
    """Runs `code` in a fresh Python, as a worker would; returns the events that it emitted.

    `code` finds `emit`, `arguments` and the modules of a workload (a name, or a folder of one's
    own); its stdout is free for chatter.
    """
    prelude = (
        "import json, sys\n"
        f"sys.path[:0] = [{str(WORKLOADS / workload)!r}, {str(WORKLOADS)!r}]\n"
        "arguments = json.loads(sys.argv[1])\n"
        f"def emit(event): print('\\n' + {MARK!r} + json.dumps(event), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prelude + code, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines = done.stdout.splitlines()
    return [json.loads(line.removeprefix(MARK)) for line in lines if line.startswith(MARK)]
