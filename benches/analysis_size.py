"""How long the statistics, plots and report of large experiments take, and how much memory.

    python benches/analysis_size.py            # both sizes, each in a process of its own
    python benches/analysis_size.py 72 35      # 72 groups of 35

Reading the files is not part of it; see benches/read.rs.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import numpy as np

SIZES = ((3, 3000), (72, 35))


def columns(groups: int, blocks: int) -> tuple[dict, dict]:
    """Arrays and strings of an experiment of so many groups, as the host hands them over."""
    rng = np.random.default_rng(5)
    names = [f"group-{i:02d}" for i in range(groups)]
    order = np.argsort(rng.random((blocks, groups)), axis=1).ravel()
    block = np.repeat(np.arange(blocks), groups)
    level = rng.normal(0, 0.2, groups)[order] + rng.normal(0, 0.02, blocks)[block]
    energy = 1000.0 * np.exp(level + rng.normal(0, 0.01, len(order)))
    place = np.arange(len(order))
    arrays = {
        "block": block.astype(float), "position": place % groups + 1.0, "run_order": place + 1.0,
        "start_unix_s": 1.75e9 + 60.0 * place, "energy_j": energy,
        "time_s": 30.0 * np.exp(rng.normal(0, 0.002, len(order))),
        "energy_package_j": energy, "coverage": np.ones(len(order)),
    }  # fmt: skip
    group = [names[i] for i in order]
    strings = {
        "group": group,
        "trial": [f"{g}_{b}" for g, b in zip(group, block, strict=True)],
        "status": ["ok"] * len(order),
        "predecessor": [None, *group[:-1]],
    }
    return arrays, strings


def measure(groups: int, blocks: int) -> None:
    """Analyse one size and print its row."""
    import analysis

    arrays, strings = columns(groups, blocks)
    with tempfile.TemporaryDirectory() as output:
        start, used = time.monotonic(), time.process_time()
        analysis.run({"output": output, "strings": strings}, arrays, lambda event: None)
        wall, used = time.monotonic() - start, time.process_time() - used
        lines = len((Path(output) / "report.md").read_text("utf-8").splitlines())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {groups} × {blocks} | {wall:.1f} s | {used:.1f} s | {peak:.0f} MiB | {lines} |")


def main() -> None:
    """One size, or all of them."""
    if len(sys.argv) == 3:
        measure(int(sys.argv[1]), int(sys.argv[2]))
        return
    print("| groups × trials | time | processor time | memory | lines of report.md |")
    print("|---|---|---|---|---|", flush=True)
    for groups, blocks in SIZES:
        subprocess.run([sys.executable, __file__, str(groups), str(blocks)], check=True)


if __name__ == "__main__":
    main()
