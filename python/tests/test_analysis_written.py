"""What the analysis writes of its rows, and how it reads what an experiment tells of itself."""

import dataclasses
import json

import numpy as np
import pytest

from analysis import written
from analysis.experiment import Experiment
from analysis.pair import PAIRED_T, WELCH, WILCOXON, Ends, Pair


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    value: float | None
    extra: float | None = dataclasses.field(default=None, metadata=written.WHERE_KNOWN)


def pair(**fields):
    head = {"metric": "energy_j", "a": "x", "b": "y", "test": WELCH, "paired": False, "n": 4}
    return Pair(**{**head, "n_a": 2, "n_b": 2, **fields})


def test_a_row_has_its_fields_and_none_for_what_is_missing_unless_it_does_not_apply():
    rows = [Row("a", np.float64(1.5)), Row("b", float("nan"), 2.0)]
    assert json.loads(written.json_text({"rows": rows})) == {
        "rows": [{"name": "a", "value": 1.5}, {"name": "b", "value": None, "extra": 2.0}]
    }
    assert written.table(rows, ("extra", "name")) == "extra,name\n,a\n2.0,b\n"


def test_a_field_that_there_is_not_fails():
    with pytest.raises(TypeError, match="pct_chnage"):
        pair(pct_chnage=1.0)
    with pytest.raises(AttributeError, match="pct_chnage"):
        written.table([pair()], ("pct_chnage",))


def test_each_kind_of_test_is_written_with_what_it_has():
    primary = written.fields(pair(test=PAIRED_T, primary=True, bootstrap=Ends(None, 3.0)))
    assert (primary["boot_low"], primary["boot_high"]) == (None, 3.0)
    assert "df" in primary and "exact" not in primary and "control" not in primary
    ranks = written.fields(pair(test=WILCOXON, exact=True, control=True))
    assert ranks["exact"] is True and ranks["control"] is True
    assert not {"df", "boot_low", "memory"} & set(ranks)
    assert "exact" not in written.fields(pair(test=WILCOXON))


@pytest.mark.parametrize("raw", [None, [], "text", {}, {"plan": 3, "settings": [], "work": "yes"}])
def test_what_is_of_another_kind_than_expected_is_not_on_record(raw):
    found = Experiment.parse(raw)
    assert (found.plan.trials, found.work, found.asked.twin) == ((), None, None)
    assert found.asked.repetitions == 1 and found.contestants == ()


def test_an_experiment_is_read_whole():
    found = Experiment.parse({
        "command": ["joulerace", "--epochs", 2],
        "settings": {"job": {"epochs": 2, "seed": True}, "control": {"name": "x-control"},
                     "commands": {"repetitions": 5}},
        "plan": {"order_seed": 9, "trials": [{"name": "x_1", "block": 1, "seed": 4}, "torn"]},
        "settling": {"warmups": [{"seconds": 0}, {"seconds": 60, "settled": "yes", "why": "so."}],
                     "baselines": [{"when": "after", "interference": {"other_cores": 0.5}}]},
        "looks": [{"blocks": 3, "stop": False, "comparisons": [{"a": "x", "b": "y"}]}],
        "machines": [{"name": "n1", "findings": [{"title": "hot"}, {}]}],
        "shards": [{"missing": "2 of 3"}, {}],
    })  # fmt: skip
    assert found.command == ("joulerace", "--epochs", "2")
    assert (found.asked.epochs, found.asked.seed, found.asked.repetitions) == (2, None, 5)
    [trial] = found.plan.trials
    assert (trial.name, trial.block, trial.run_order, trial.seed) == ("x_1", 1.0, None, 4.0)
    [warmup], [baseline] = found.settling.warmups, found.settling.baselines
    assert (warmup.seconds, warmup.settled, warmup.why) == (60.0, None, "so")
    assert (baseline.when, baseline.other_cores) == ("after", 0.5)
    assert written.fields(baseline) == {"when": "after", "interference": {"other_cores": 0.5}}
    assert found.looks[0].comparisons[0].decided is False
    assert (found.machines[0].findings, found.missing_shards) == (("hot",), ("2 of 3",))
