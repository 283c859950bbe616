"""The rules that decide keep what they promise: a short form of ``benches/calibration.py``."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.decision import Trials, decide
from analysis.decision.sequential import Looks

BENCH = Path(__file__).resolve().parents[2] / "benches/calibration.py"

#: Experiments of each scenario; the limits below are three standard errors of so many.
EXPERIMENTS = 600


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("calibration", BENCH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    return module


def limit(share):
    """The most of ``EXPERIMENTS`` that a true share of so much gives but once in a thousand."""
    return share + 3.0 * math.sqrt(share * (1.0 - share) / EXPERIMENTS)


def counted(bench, **scenario):
    return bench.work((bench.Scenario("a test", **scenario), EXPERIMENTS, 11))


@pytest.mark.parametrize(
    "scenario",
    [
        {"blocks": 5}, {"blocks": 7}, {"blocks": 10, "control": True},
        {"blocks": 10, "heavy": True},
        {"blocks": 7, "outliers": 0.03}, {"blocks": 10, "spreads": (1.0, 2.0, 4.0)},
        {"blocks": 10, "drift": 0.05}, {"blocks": 10, "alone": 0.05}, {"blocks": 7, "missing": 0.1},
    ],
)  # fmt: skip
def test_without_a_caution_of_its_own_an_experiment_errs_in_at_most_5_percent(bench, scenario):
    found = counted(bench, **scenario)
    assert found.error / found.experiments <= limit(0.05)
    assert found.covered / found.intervals >= 1.0 - limit(0.05)


@pytest.mark.parametrize(
    "scenario",
    [
        {"blocks": 7, "memory": 0.6}, {"blocks": 30, "memory": 0.3}, {"blocks": 10, "carry": 0.02},
        {"blocks": 30, "carry": 0.02, "noise": 0.01}, {"blocks": 10, "first": 0.01},
    ],
)  # fmt: skip
def test_what_spoils_p_values_is_cautioned_and_never_firm(bench, scenario):
    found = counted(bench, **scenario)
    assert found.silent / found.experiments <= limit(0.05)
    assert found.firm_error / found.experiments <= limit(0.05)


def test_a_memory_that_all_pairs_share_is_found_and_widens_their_intervals(bench):
    # Each pair by itself, 14% of these experiments erred and intervals covered 91%.
    found = counted(bench, blocks=30, memory=0.6)
    assert found.error / found.experiments <= limit(0.08)
    assert found.covered / found.intervals >= 1.0 - limit(0.07)


@pytest.mark.parametrize("blocks", [5, 7, 30])
def test_80_percent_power_are_80_percent(bench, blocks):
    found = counted(bench, blocks=blocks, power=True)
    share = found.resolved / found.true_pairs
    error = limit(0.80) - 0.80
    assert 0.78 - error <= share <= 0.84 + error


def test_position_and_carry_over_are_found_where_they_are(bench):
    for scenario in ({"first": 0.01, "noise": 0.01}, {"carry": 0.02, "noise": 0.01}):
        found = bench.work((bench.Scenario("a test", blocks=30, **scenario), 60, 5))
        assert found.cautioned >= 50, scenario


def test_only_a_drift_of_one_group_alone_costs_firmness(bench):
    clear = {"blocks": 30, "effects": (0.0, 0.0, 0.1)}
    shared, alone = (counted(bench, **clear, **{how: 0.1}) for how in ("drift", "alone"))
    assert shared.firm / shared.experiments > 0.8
    assert alone.firm / alone.experiments < 0.05


def test_a_noisy_thriftiest_group_hides_nothing(bench):
    found = counted(
        bench, blocks=10, effects=(-0.005, 0.0, 0.05), spreads=(6.0, 1.0, 1.0)
    )  # fmt: skip
    # The pair of the two quiet groups is a third of the pairs, and nearly always resolved.
    assert found.resolved / found.true_pairs > 0.30


def test_looks_widen_intervals_and_p_values_to_what_holds_over_all_of_them():
    looks = Looks(
        np.array([3.0, 6.0, 9.0]),
        np.array([0.1, 0.05, 0.01]),
        np.array([[0.01, 0.004, 0.0005], [0.04, 0.02, 0.003], [0.08, 0.04, 0.008]]),
    )
    rng = np.random.default_rng(2)
    logs = rng.normal(0, 0.01, (7, 2)) + np.array([0.0, 0.012])
    plain, over = (
        decide(Trials(logs, [(0, 1)], looks=used)).comparisons[0] for used in (None, looks)
    )
    # Seven blocks are between looks: the levels of the look at six hold.
    assert over.p_alone == pytest.approx(looks.overall_p(plain.p_alone, 7))
    assert over.p_alone > plain.p_alone
    assert over.high - over.low > plain.high - plain.low
    assert looks.overall_p(0.02, 6) == pytest.approx(0.05)
    assert looks.overall_p(math.sqrt(0.04 * 0.02), 6) == pytest.approx(math.sqrt(0.1 * 0.05))
    assert looks.overall_p(0.5, 6) == 1.0
    assert looks.overall_p(1e-9, 9) == 0.01
    assert looks.overall_p(1e-9, 2) == 1.0, "it was not looked at so few"
    # An interval excludes zero exactly where its p-value is below alpha.
    for level in np.linspace(0.001, 0.2, 50):
        resolved = looks.overall_p(level, 6) <= 0.05 + 1e-12
        assert resolved == (level <= looks.level(0.05, 6) + 1e-12)
