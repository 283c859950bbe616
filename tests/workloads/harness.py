"""A stand-in for the real harness: it sleeps, and misbehaves where a test asks for it.

It speaks the real protocol. What it does is said by `<framework>_cnn.py`, a file of one line:
a dictionary with `seconds` per phase and, where wanted, `busy` and `trouble`.
"""

import ast
import ctypes
import importlib.metadata
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PHASES = ("import", "data", "build", "train", "evaluate")


def run(request, emit):
    framework, job = request["framework"], request["job"]
    # Before it a script may declare things of itself, as real ones do.
    script = (HERE / f"{framework}_cnn.py").read_text().strip()
    wanted = ast.literal_eval(script.splitlines()[-1])
    for phase in PHASES:
        mark = {"event": "phase", "phase": phase}
        emit({**mark, "edge": "begin", "unix_ns": time.time_ns()})
        if phase == "train":
            misbehave(wanted.get("trouble"), emit)
            if "costs" in wanted:
                order(wanted, job)
            emit({"event": "epoch", "epoch": 1, "epochs": job["epochs"], "loss": 0.5})
        spend(wanted)
        emit({**mark, "edge": "end", "unix_ns": time.time_ns()})
    train = job["train_samples"] or 60_000
    test = job["test_samples"] or 10_000
    batches = -(-train // job["batch_size"])
    expected = {
        "parameters": 10,
        "batches": batches * job["epochs"],
        "images_seen": train * job["epochs"],
        "test_images_seen": test,
        "dtype": "float32",
        "device": "cpu",
    }
    result = {
        "event": "result",
        "losses": [0.5] * job["epochs"],
        "accuracy": 0.98,
        **expected,
        "expected": expected,
        "seed": job["seed"],
        "threads": job["threads"],
        "frameworks_loaded": [framework],
        "versions": {"variant": request.get("variant", "none")},
        "data": {},
    }
    emit({**result, **wanted.get("result", {})})


def order(wanted, job):
    """Has simulated counters use what a trial is to cost: see `orders` in `common/powercap.rs`.

    `costs` has joules by the batch size, or by the release of the package that `of` names.
    """
    of = wanted.get("of")
    level = importlib.metadata.version(of) if of else str(job["batch_size"])
    folder = Path(wanted["orders"])
    time.sleep(0.05)  # a host on a busy machine reads late where the window begins
    with (folder / "asked").open("a") as asked:
        asked.write(f"{wanted['costs'][level] * random.lognormvariate(0, 0.01)}\n")
    while (folder / "spent").stat().st_size < (folder / "asked").stat().st_size:
        time.sleep(0.001)


def spend(wanted):
    """Lets the time of a phase go by, asleep or with one processor `busy`."""
    until = time.monotonic() + wanted["seconds"]
    while wanted.get("busy") and time.monotonic() < until:
        pass
    time.sleep(max(0, until - time.monotonic()))


DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(600)
"""
"""Forks twice, so that its parent is gone and its session its own, and ignores what it can."""


CHAIN = """
[ "$1" -gt 20000 ] && exit
env -i setsid sh "$0" $(($1 + 1)) &
"""
"""Each starts the next in a session and an environment of its own, and ends at once."""


def misbehave(trouble, emit):
    """The ways in which a script can go wrong."""
    if trouble == "raise":
        raise RuntimeError("the script gave up")
    if trouble == "exit":
        sys.exit(3)
    if trouble == "segfault":
        ctypes.string_at(0)
    if trouble == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if trouble == "hang":
        time.sleep(600)
    if trouble == "close":
        os.closerange(3, 256)
        time.sleep(600)
    if trouble == "flood":
        while True:
            os.write(1, b"x" * 65536)
    if trouble == "children":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    if trouble == "abort":
        os.abort()
    if trouble == "vanish":
        os._exit(0)
    if trouble == "babble":
        emit({"event": "note", "text": "x" * (20 << 20)})
    if trouble == "fork" and os.fork() == 0:  # the child holds all of its parent's files
        os.setsid()
        time.sleep(600)
        os._exit(0)
    if trouble == "daemon":
        subprocess.Popen([sys.executable, "-c", DAEMON]).wait()
    if trouble == "chain":
        chain = HERE / "chain.sh"
        chain.write_text(CHAIN)
        subprocess.run(["sh", chain, "0"])
    if trouble == "long words":
        raise RuntimeError("\x1b[2J\r" + "é" * (3 << 20))
    if trouble == "full disk":
        raise OSError(28, "No space left on device")
    if trouble == "large file":
        with open(HERE / "large", "wb") as file:
            file.write(b"x" * (64 << 20))
    if trouble == "family":
        child = "import subprocess; subprocess.run(['sleep', '600'], start_new_session=True)"
        subprocess.run([sys.executable, "-c", child])
    if trouble == "once":
        flag = HERE / "happened"
        if not flag.exists():
            flag.touch()
            raise RuntimeError("only the first time")
