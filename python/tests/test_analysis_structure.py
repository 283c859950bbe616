"""Histories of releases and factors: planted steps, interactions and flips, and how often they are
said where there are none.
"""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pingouin
import pytest
from made_folder import declared
from statsmodels.formula.api import ols
from test_analysis_made import pack, race, request

import analysis
from analysis import factors
from analysis.decision import Trials, decide, within

#: Experiments of each simulated scenario; limits are three standard errors of so many.
EXPERIMENTS = 400


def limit(share):
    return share + 3.0 * math.sqrt(share * (1.0 - share) / EXPERIMENTS)


def steps(rng, blocks, levels, noise=0.01):
    """The neighbours that are resolved in one simulated history; ``levels`` are log energies."""
    logs = levels + rng.normal(0, noise, (blocks, len(levels))) + rng.normal(0, 0.02, (blocks, 1))
    found = decide(Trials(logs, list(itertools.pairwise(range(len(levels))))))
    return [(c.group, np.sign(c.mean)) for c in found.comparisons if c.resolved]


def test_a_history_without_a_step_has_one_named_in_at_most_5_percent():
    rng = np.random.default_rng(1)
    named = sum(bool(steps(rng, 10, np.zeros(6))) for _ in range(EXPERIMENTS))
    assert named / EXPERIMENTS <= limit(0.05)


def test_a_planted_step_is_found_at_its_release_and_at_no_other():
    rng = np.random.default_rng(2)
    levels = np.where(np.arange(8) < 5, 0.0, -0.03)
    found = [steps(rng, 15, levels) for _ in range(EXPERIMENTS)]
    assert sum((5, -1.0) in f for f in found) / EXPERIMENTS > 0.98
    assert sum(any(s != (5, -1.0) for s in f) for f in found) / EXPERIMENTS <= limit(0.05)


def simulated(rng, table, blocks=10, noise=0.015):
    """Log energies of one experiment, blocks by treatments by levels."""
    shape = (blocks, *table.shape)
    return table + rng.normal(0, noise, shape) + rng.normal(0, 0.02, (blocks, 1, 1))


def ranking(cells):
    """What is said of two treatments' ranking over the levels."""
    _, levels = cells.shape[1:]
    logs = cells.reshape(len(cells), -1)
    found = decide(Trials(logs, [(i, levels + i) for i in range(levels)]))
    at = [
        factors.AtLevels(levels={}, pct_change=100 * np.expm1(c.mean), ci_low=None, ci_high=None,
                         p_holm=c.p, resolved=c.resolved)
        for c in found.comparisons
    ]  # fmt: skip
    return factors.flip(at, "a", "b")[0]


PARALLEL = np.array([[0.0, 0.3, 0.5], [0.02, 0.32, 0.52]])
CROSSING = np.array([[0.0, 0.3, 0.5], [0.04, 0.30, 0.46]])


def test_parallel_treatments_interact_or_flip_in_at_most_5_percent():
    rng = np.random.default_rng(3)
    interacts = flips = 0
    for _ in range(EXPERIMENTS):
        cells = simulated(rng, PARALLEL)
        interacts += within.anova(cells)[0, 1].p < 0.05
        flips += ranking(simulated(rng, np.zeros((2, 3)))) == "flips"
    assert interacts / EXPERIMENTS <= limit(0.05)
    assert flips / EXPERIMENTS <= limit(0.05)


def test_a_planted_interaction_and_flip_are_found():
    rng = np.random.default_rng(4)
    interacts = flips = 0
    for _ in range(EXPERIMENTS):
        cells = simulated(rng, CROSSING)
        interacts += within.anova(cells)[0, 1].p < 0.05
        flips += ranking(cells) == "flips"
    assert min(interacts, flips) / EXPERIMENTS > 0.95


def test_less_at_every_level_is_not_said_where_one_level_has_no_difference():
    rng = np.random.default_rng(5)
    table = np.array([[0.0, 0.3, 0.5], [0.05, 0.35, 0.5]])
    same = sum(ranking(simulated(rng, table)) == "same" for _ in range(EXPERIMENTS))
    assert same / EXPERIMENTS <= limit(0.05)


def test_interactions_of_more_levels_than_blocks_hold_their_level():
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(EXPERIMENTS):
        cells = rng.normal(0, 0.01, (6, 4, 4)) + rng.normal(0, 0.02, (6, 1, 1))
        wrong += within.anova(cells)[0, 1].p < 0.05
    assert wrong / EXPERIMENTS <= limit(0.05)


@pytest.mark.filterwarnings("ignore:Epsilon values")
def test_the_tests_are_those_of_a_repeated_measures_anova():
    rng = np.random.default_rng(7)
    cells = rng.normal(0, 1, (9, 3, 4)) + np.arange(3)[:, None] * 0.2
    rows = [
        {"block": b, "a": i, "b": j, "y": cells[b, i, j]} for b, i, j in np.ndindex(cells.shape)
    ]
    told = pingouin.rm_anova(
        pd.DataFrame(rows), dv="y", within=["a", "b"], subject="block", correction=True
    )
    mine = within.anova(cells)
    for which, (_, row) in zip([(0,), (1,), (0, 1)], told.iterrows(), strict=True):
        assert mine[which].f == pytest.approx(row["F"])
    # The interaction's ε by hand: of the covariance of its orthonormal contrasts.
    c = np.einsum("nij,ai,bj->nab", cells, within.helmert(3), within.helmert(4)).reshape(9, -1)
    values = np.linalg.eigvalsh(np.cov(c.T))
    assert mine[0, 1].epsilon == pytest.approx(values.sum() ** 2 / (6 * (values**2).sum()))


def test_levels_and_their_errors_are_those_of_least_squares_with_a_term_for_every_block():
    rng = np.random.default_rng(8)
    logs = rng.normal(0, 0.1, (7, 4)) + rng.normal(0, 1, (7, 1)) + np.array([0, 1, 2, 5])
    logs[2, 1] = logs[5, 3] = np.nan
    fit = within.levels(logs)
    rows = [
        {"y": logs[b, g], "b": str(b), "g": str(g)}
        for b, g in np.ndindex(logs.shape) if np.isfinite(logs[b, g])
    ]  # fmt: skip
    model = ols("y ~ C(g, Sum) + C(b, Sum)", pd.DataFrame(rows)).fit()
    assert fit.df == model.df_resid
    names = [f"C(g, Sum)[S.{g}]" for g in range(3)]
    assert fit.se[:3] == pytest.approx(model.bse[names].to_numpy())
    assert (fit.mean - fit.mean.mean())[:3] == pytest.approx(model.params[names].to_numpy())


def analysed(tmp_path, trials, protocol):
    """Summary and page of an experiment that declared this."""
    arrays, strings = pack(trials)
    record = {
        "work": {"identical": True, "reasons": []},
        "protocol": declared() | {"tests": [], "window": []} | protocol,
    }
    analysis.run(request(tmp_path, strings, experiment=record), arrays, lambda _: None)
    page = (tmp_path / "report.md").read_text("utf-8").replace("\\", "")
    return json.loads((tmp_path / "summary.json").read_text("utf-8")), page


RELEASES = ("1.0", "1.1", "1.10", "2.0")


def history(tmp_path, blocks):
    """A history of four releases, the third of which needs a tenth less, analysed."""
    names = [f"jax@{r}" for r in RELEASES]
    trials = race(dict(zip(names, (1.0, 1.0, 0.9, 0.9), strict=True)), blocks=blocks, seed=4)
    declared = {
        "comparisons": [list(pair) for pair in itertools.pairwise(names)],
        "history": {
            "package": "jax",
            "releases": [{"treatment": f"jax@{r}", "release": r} for r in RELEASES],
        },
    }
    return analysed(tmp_path, trials, declared)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_short_history_is_told_without_what_it_cannot_show(blocks, tmp_path):
    _, page = history(tmp_path, blocks)
    assert "Release by release" in page and "– to –" not in page
    assert (tmp_path / "plots/history.pdf").is_file() == (blocks > 1)


def test_a_history_tells_where_energy_changed(tmp_path):
    found, page = history(tmp_path, blocks=10)
    assert found["sentence"].startswith(
        "Over 4 releases of jax (1.0 to 2.0), energy changed once: from 1.1 to 1.10 by −"
    )
    assert [n["resolved"] for n in found["history"]["neighbours"]] == [False, True, False]
    assert tuple(r["release"] for r in found["history"]["releases"]) == RELEASES
    assert found["base"] == "jax@1.0"
    assert "## Release by release" in page and "1.1 → 1.10" in page
    assert "Ranking by energy" not in page
    assert (tmp_path / "plots/history.pdf").is_file()


def test_factors_tell_whether_the_ranking_flips(tmp_path):
    cells, ratios = [], {}
    size = {"32": 1.1, "64": 0.9}
    for of in ("torch", "jax"):
        for level, threads in itertools.product(size, ("1", "2")):
            name = f"{of}[batch-size={level},threads={threads}]"
            levels = {"batch-size": level, "threads": threads}
            cells.append({"treatment": name, "of": of, "levels": levels})
            ratios[name] = size[level] if of == "jax" else 1.0
    pairs = [
        [a["treatment"], b["treatment"]]
        for a, b in itertools.combinations(cells, 2)
        if a["levels"] == b["levels"]
    ]
    design = {
        "levels": [
            {"factor": "batch-size", "levels": ["32", "64"]},
            {"factor": "threads", "levels": ["1", "2"]},
        ],
        "cells": cells,
    }
    trials = race(ratios, blocks=10, seed=5)
    found, page = analysed(tmp_path, trials, {"comparisons": pairs, "factors": design})
    assert "jax against torch: +" in found["sentence"]
    assert "the ranking flips with the level" in found["sentence"]
    tests = {tuple(t["of"]): t for t in found["factors"]["tests"]}
    assert tests["treatment", "batch-size"]["p_holm"] < 0.001
    assert tests["treatment", "threads"]["p_holm"] > 0.05
    assert "treatment and batch-size interact" in page.lower()
    assert "no interaction of treatment and threads is resolved" in page
    for factor in ("batch-size", "threads"):
        assert (tmp_path / f"plots/factor_{factor}.svg").is_file()
    logs = {(t["group"], t["block"]): math.log(t["energy_j"]) for t in trials}
    change = found["factors"]["interactions"][0]
    assert (change["factor"], change["from"], change["to"]) == ("batch-size", "32", "64")
    by_hand = [
        np.mean([
            logs[f"{of}[batch-size={level},threads={t}]", block] * sign * side
            for t in "12" for of, side in (("jax", 1), ("torch", -1))
            for level, sign in (("64", 1), ("32", -1))
        ]) * 4
        for block in range(1, 11)
    ]  # fmt: skip
    assert change["pct_change"] == pytest.approx(100 * math.expm1(np.mean(by_hand)), rel=1e-9)


def test_a_cell_without_trials_leaves_the_comparisons_and_says_why_nothing_is_tested(tmp_path):
    cells = [
        {"treatment": f"{of}[n={n}]", "of": of, "levels": {"n": n}} for of in "ab" for n in "12"
    ]
    trials = race({c["treatment"]: 1.0 for c in cells}, blocks=8)
    trials = [t for t in trials if t["group"] != "b[n=2]"]
    pairs = [["a[n=1]", "b[n=1]"], ["a[n=2]", "b[n=2]"]]
    design = {"levels": [{"factor": "n", "levels": ["1", "2"]}], "cells": cells}
    found, page = analysed(tmp_path, trials, {"comparisons": pairs, "factors": design})
    assert found["factors"]["tests"] == []
    assert "No tests: not every treatment has usable trials at every level: b[n=2]" in page
    assert len(found["all_comparisons"]) == 1
