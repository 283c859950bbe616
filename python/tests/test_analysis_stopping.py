"""What is said of an experiment that may stop before its last block."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis import stopping
from analysis.experiment import Experiment


def experiment(blocks, stop, resolved):
    """The looks of an experiment of at most 20 blocks, the last after ``blocks``."""
    compared = {"a": "x", "b": "y", "resolved": resolved, "precise": False}
    looks = [{"blocks": n, "stop": False, "comparisons": [compared]} for n in range(3, blocks)]
    looks.append({"blocks": blocks, "stop": stop, "comparisons": [compared]})
    return {"protocol": {"sequential": {"most": 20, "precision_pct": 2.0}}, "looks": looks}


def test_an_early_stop_is_told_with_its_reason_and_its_looks():
    said = stopping.told(Experiment.parse(experiment(7, True, True)))
    assert "stopped after 7 of at most 20 blocks" in said
    assert "±2.0%" in said and "5 looks" in said


def test_what_was_still_open_at_the_end_is_named():
    assert stopping.told(Experiment.parse(experiment(20, False, False))).endswith(
        "not so for y against x."
    )


def test_nothing_is_said_where_nothing_was_planned():
    for other in (None, {}, {"looks": []}, {"protocol": {"sequential": None}, "looks": [{}]}):
        assert stopping.told(Experiment.parse(other)) == ""
