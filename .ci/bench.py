"""What .ci/kills and .ci/soak share: an experiment of scripts that sleep, in a folder of its own."""

import gzip
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Bench:
    """A scratch folder with scripts, data, an empty environment and a lock of its own."""

    def __init__(self, folder: pathlib.Path, scripts: dict[str, str]):
        self.folder = folder
        self.results = folder / "results"
        self.program = os.environ.get("JOULERACE", str(ROOT / "target/release/joulerace"))
        workloads = folder / "workloads"
        workloads.mkdir()
        shutil.copy(ROOT / "tests/workloads/harness.py", workloads)
        for name, does in scripts.items():
            (workloads / f"{name}_cnn.py").write_text(does)
        self.data = folder / "data"
        self.data.mkdir()
        for name, count in (("train", 20), ("t10k", 10)):
            pixels = struct.pack(">IIII", 0x803, count, 28, 28) + bytes(count * 784)
            labels = struct.pack(">II", 0x801, count) + bytes(count)
            (self.data / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pixels))
            (self.data / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
        self.environment = folder / "environment"
        python = os.environ.get("JOULERACE_PYTHON") or sys.executable
        made = [python, "-m", "venv", "--without-pip", str(self.environment)]
        subprocess.run(made, check=True)
        self.named = [
            "--python-env", str(self.environment), "--data-dir", str(self.data),
            "--workloads", str(workloads),
        ]  # fmt: skip
        self.variables = os.environ | {"JOULERACE_LOCK_FILE": str(folder / "lock")}
        self.variables.pop("VIRTUAL_ENV", None)

    def begin(self, frameworks: str, *more: str) -> list[str]:
        """The command line of an experiment."""
        return [
            self.program, "--frameworks", frameworks, "--order-seed", "1", "--meter", "estimate",
            "--interval", "20ms", "--epochs", "1", "--batch-size", "8", "--allow-unlocked",
            "--dataset", "mnist", "--train-samples", "10", "--test-samples", "10",
            *self.named, "--output", str(self.results), *more,
        ]  # fmt: skip

    def resume(self, *more: str) -> list[str]:
        """The command line that goes on with it."""
        return [self.program, "resume", str(self.results), *self.named, *more]

    def start(self, command: list[str], **options) -> subprocess.Popen:
        """Starts it, with what it says in ``said``."""
        said = open(self.folder / "said", "ab")
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.variables, **options
        )

    def journal(self) -> list[dict]:
        """The journal's events."""
        path = self.results / "journal.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def said(self) -> str:
        """The end of what the programs said."""
        return (self.folder / "said").read_text(errors="replace")[-2000:]

    def left(self) -> list[str]:
        """Command lines of processes that this folder's programs started and left."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes()
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.folder).encode() in environment and line and process.name != str(os.getpid()):
                found.append(line)
        return found


def fail(why: str) -> None:
    """Ends with a word."""
    print(f"failed: {why}", file=sys.stderr)
    sys.exit(1)
