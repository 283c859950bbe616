"""Several experiments read together: the pooling, what is refused, and what is said."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis import across
from analysis.decision.pooled import pool
from analysis.settings import RequestError


def test_the_interval_over_experiments_is_students_on_their_means():
    # By hand: mean 0.10, SD 0.02, so 0.10 ± 4.302653 · 0.02 / √3.
    found = pool([0.08, 0.10, 0.12], [0.001, 0.001, 0.001], [9, 9, 9])
    assert found.mean == pytest.approx(0.10)
    assert found.high - found.mean == pytest.approx(4.302653 * 0.02 / np.sqrt(3), rel=1e-6)
    # Paule and Mandel's τ² makes Q equal to its expectation: here 0.02² less 0.001².
    assert found.tau == pytest.approx(np.sqrt(0.02**2 - 0.001**2), rel=1e-4)
    assert found.q == pytest.approx(2 * 0.02**2 / 0.001**2)
    assert found.i2 == pytest.approx(1 - 2 / 800)


def test_experiments_that_agree_by_chance_are_no_surer_than_their_blocks():
    found = pool([0.1, 0.1, 0.1], [0.03, 0.03, 0.03], [9, 9, 9])
    assert found.se == pytest.approx(0.03 / np.sqrt(3))
    assert found.tau == 0.0 and found.i2 == 0.0 and found.q_p == pytest.approx(1.0)


def test_two_experiments_have_one_degree_of_freedom():
    found = pool([0.10, 0.12], [0.01, 0.01], [9, 9])
    # √(0.0002) is the SD of the two, the quantile of one degree of freedom 12.7062.
    assert found.high - found.mean == pytest.approx(12.7062 * np.sqrt(0.0002 / 2), rel=1e-4)
    # By themselves: 0.01/√2 with Satterthwaite's 18 degrees of freedom, quantile 2.100922.
    assert found.within_high - found.mean == pytest.approx(2.100922 * 0.01 / np.sqrt(2), rel=1e-6)


@pytest.mark.parametrize(("k", "between"), [(2, 0.03), (3, 0.0), (4, 0.01), (8, 0.03)])
def test_the_intervals_cover_what_they_say(k, between):
    rng = np.random.default_rng(k)
    covered = within = ahead = 0
    times = 600
    for _ in range(times):
        own = between * rng.standard_normal(k)
        blocks = own[:, None] + 0.03 * rng.standard_normal((k, 8))
        errors = blocks.std(axis=1, ddof=1) / np.sqrt(8)
        found = pool(blocks.mean(axis=1), errors, [7] * k)
        covered += found.low <= 0 <= found.high
        within += found.within_low <= own.mean() <= found.within_high
        further = between * rng.standard_normal() + 0.03 / np.sqrt(8) * rng.standard_normal()
        ahead += found.next_low <= further <= found.next_high
    # Four standard errors of 95% over so many.
    least = 0.95 - 4 * np.sqrt(0.95 * 0.05 / times)
    assert min(covered, within, ahead) / times > least
    assert within / times < 0.985


def part(tmp_path, number, ratios, error=0.004, **changes):
    """One analysed experiment: log ratios of b and c to a."""
    folder = tmp_path / f"day{number}" / "analysis"
    folder.mkdir(parents=True)
    names = ["a", "b", "c"]
    rows = [
        {
            "base": names[i],
            "group": names[j],
            "log_ratio": ratios[j] - ratios[i],
            "log_se": error,
            "df": 9.0,
        }
        for i in range(3)
        for j in range(i + 1, 3)
    ]
    if number % 2:  # another group is the base there
        rows[0] |= {"base": "b", "group": "a", "log_ratio": ratios[0] - ratios[1]}
    content = {
        "all_comparisons": rows,
        "estimated": "none",
        "level": "firm",
        "sentence": "b used more.",
        "trials": {"usable": 30, "complete_blocks": 10},
        "work_gate": {"status": changes.get("gate", "passed")},
        "settings": {"domains": {"compared": changes.get("domains", ["package"])}},
    }
    (folder / "summary.json").write_text(json.dumps(content))
    experiment = {
        "created": f"2026-03-0{number}T10:00:00Z",
        "machine": {"cpu": {"model": f"Processor {number}"}},
        "plan": {"order_seed": number},
        "settings": {
            "treatments": names,
            "job": {"epochs": changes.get("epochs", 3), "threads": number},
        },
        "protocol": {"comparisons": [["a", "b"], ["a", "c"], ["b", "c"]]},
    }
    return {"name": f"day{number}", "analysis": str(folder), "experiment": experiment}


def pooled(tmp_path, parts):
    """The answer as it is written."""
    output = tmp_path / "together"
    output.mkdir()
    events = []
    across.run({"output": str(output), "parts": parts, "version": "1"}, events.append)
    return json.loads((output / "across.json").read_text()), output, events


def test_one_answer_over_days_whichever_group_was_the_base(tmp_path):
    true = [(0.0, 0.20, 0.01), (0.0, 0.22, -0.02), (0.0, 0.19, 0.00)]
    parts = [part(tmp_path, i, ratios) for i, ratios in enumerate(true, 1)]
    found, output, events = pooled(tmp_path, parts)
    first = found["comparisons"][0]
    assert (first["a"], first["b"]) == ("a", "b")
    assert first["pooled"]["mean"] == pytest.approx(np.mean([0.20, 0.22, 0.19]))
    assert first["resolved"] and first["pooled"]["p"] < first["p_holm"] < 0.05
    assert found["sentence"].startswith("Over 3 experiments, b used 23% more energy than a (")
    assert "Not resolved: c and a" in found["sentence"]
    assert any("differs between the experiments" in c for c in found["cautions"])
    names = {p.name for p in output.iterdir()}
    assert {"across.json", "across.csv", "report.html", "report.md", "plots"} <= names
    assert events[-1]["sentence"] == found["sentence"]
    rows = (output / "across.csv").read_text().splitlines()
    assert len(rows) == 1 + 3 * 4
    html = (output / "report.html").read_text()
    assert "Processor 2" in html and found["sentence"] in html


def test_two_experiments_say_what_they_can(tmp_path):
    parts = [part(tmp_path, i, (0.0, 0.2 + 0.01 * i, 0.1)) for i in (1, 2)]
    found, _, _ = pooled(tmp_path, parts)
    caution = next(c for c in found["cautions"] if c.startswith("Two experiments"))
    assert "these two alone" in caution and "b against a" in caution
    assert "1 degree of freedom" in found["sure"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"epochs": 5}, "training job"), ({"domains": ["package", "dram"]}, "--domains")],
)
def test_what_is_not_of_one_plan_or_one_energy_is_refused(tmp_path, changes, word):
    parts = [part(tmp_path, 1, (0, 0.2, 0.1)), part(tmp_path, 2, (0, 0.2, 0.1), **changes)]
    with pytest.raises(RequestError, match=word):
        pooled(tmp_path, parts)


def test_one_experiment_named_twice_is_refused(tmp_path):
    one = part(tmp_path, 1, (0, 0.2, 0.1))
    with pytest.raises(RequestError, match="one and the same"):
        pooled(tmp_path, [one, one | {"name": "copy"}])


def test_an_experiment_whose_work_differed_is_left_out_and_named(tmp_path):
    parts = [part(tmp_path, i, (0.0, 0.2, 0.1)) for i in (1, 2)]
    parts.append(part(tmp_path, 3, (0.0, 0.5, 0.1), gate="failed"))
    found, _, _ = pooled(tmp_path, parts)
    assert any("day3 is left out" in c for c in found["cautions"])
    assert found["comparisons"][0]["pooled"]["k"] == 2
