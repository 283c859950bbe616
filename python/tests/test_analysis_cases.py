"""Made experiments in which headline, table, plot and pairs.csv must say the same."""

import csv
import json
import math
import re

import numpy as np
import pytest
from scipy import stats
from test_analysis_made import pack, race, request, trial

import analysis

GATE = {"work": {"identical": True, "reasons": []}}


def whole(trials, output, **changes):
    """Run the whole analysis; its summary, energy's deciding rows, page and the plot's words."""
    arrays, strings = pack(trials)
    events = []
    analysis.run(request(output, strings, experiment=GATE, **changes), arrays, events.append)
    summary = json.loads((output / "summary.json").read_text("utf-8"))
    assert summary["sentence"] == events[-1]["sentence"]
    with open(output / "pairs.csv", encoding="utf-8") as file:
        rows = {
            (r["a"], r["b"]): r
            for r in csv.DictReader(file)
            if r["metric"] == "energy_j" and r["primary"] == "true"
        }
    html = (output / "report.html").read_text("utf-8")
    agree(summary, rows, html)
    return summary, rows, html


def agree(summary, rows, html):
    """Headline, table, plot and pairs.csv have one interval, one p and one outcome for a pair."""
    assert len(rows) == len(summary["all_comparisons"])
    plot = re.search(r'id="fig-effects".*?aria-label="([^"]*)"', html, re.DOTALL).group(1)
    table = re.search(r"Every pair at a glance.*?</table>", html, re.DOTALL).group(0)
    for c in summary["all_comparisons"]:
        row = rows[c["base"], c["group"]]
        for key in ("pct_change", "ci_low", "ci_high"):
            assert float(row[key]) == c[key]
        assert float(row["p_holm"]) == c["p_parametric"]
        assert c["resolved"] == (c["p_parametric"] < 0.05)
        assert np.sign(float(row["statistic"])) == np.sign(c["pct_change"])
        shown = cells(table, f"{c['group']} against {c['base']}")
        resolved, change, interval = shown[1:4]
        low, high = interval.split(" to ")
        assert f"{c['group']} against {c['base']}: {change} ({low} to {high})" in plot
        assert resolved.startswith("yes") == c["resolved"]
        size = change.lstrip("+−")
        assert (size if c["resolved"] else change) in summary["sentence"], (change, summary)
        unresolved = summary["sentence"].partition("ot resolved")[2]
        named = f"{c['group']} against {c['base']}"
        if len(rows) > 1:
            assert (named in unresolved) == (not c["resolved"])


def cells(table, first):
    """The texts of a table's row that begins so."""
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
        found = [
            re.sub(r"<[^>]*>", "", cell)
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        if found and found[0] == first:
            return found
    raise AssertionError(f"no row {first!r}")


def made(columns, order_seed=1):
    """Trials of given log energies, groups by blocks, run in random order a minute apart."""
    rng, clock, last, trials = np.random.default_rng(order_seed), 1.75e9, None, []
    for block in range(len(next(iter(columns.values())))):
        for position, name in enumerate(rng.permutation(list(columns)), 1):
            row = trial(str(name), block + 1, 1000.0 * math.exp(columns[name][block]))
            row |= {"position": position, "run_order": len(trials) + 1, "start_unix_s": clock}
            trials.append(row | {"predecessor": last})
            clock, last = clock + 60.0, str(name)
    return trials


def test_a_noisy_thriftiest_group_does_not_hide_what_the_others_show(tmp_path):
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 0.01, (2, 12))
    columns = {
        "wild": rng.normal(0, 0.3, 12),
        "b": noise[0], "c": 0.08 + noise[1],
    }  # fmt: skip
    columns["wild"] += -0.04 - columns["wild"].mean()
    summary, rows, _ = whole(made(columns), tmp_path)
    assert summary["base"] == "wild", "it used least on the average"
    assert summary["level"] in ("tentative", "firm")
    assert "c used 9.1%" in summary["sentence"] and "more energy than b" in summary["sentence"]
    assert [r["tied_with"] for r in summary["ranking"] if r["group"] == "wild"] == [["b", "c"]]
    d = columns["c"] - columns["b"]
    low, high = stats.ttest_1samp(d, 0.0).confidence_interval(0.95)
    assert float(rows["b", "c"]["ci_low"]) == pytest.approx(100 * math.expm1(low), rel=1e-9)
    assert float(rows["b", "c"]["ci_high"]) == pytest.approx(100 * math.expm1(high), rel=1e-9)


def test_a_third_group_with_one_trial_is_named_and_takes_nothing_from_the_others(tmp_path):
    trials = race({"a": 1.0, "b": 1.099}, blocks=12)
    alone, _, _ = whole(trials, tmp_path)
    trials.append(trial("single", 3, 700.0, position=3, run_order=99, start_unix_s=1.76e9))
    summary, rows, html = whole(trials, tmp_path)
    assert summary["base"] == "a", "the single trial used least, and is no base"
    assert set(rows) == {("a", "b")}
    assert summary["all_comparisons"] == alone["all_comparisons"]
    assert summary["sentence"].startswith(alone["sentence"])
    assert "single has a single usable trial" in summary["sentence"]
    assert summary["trials"]["sparse_groups"] == ["single"]
    assert "single" in html


def test_a_conclusion_that_one_block_undoes_after_correction_is_not_firm(tmp_path):
    # Alone, the smallest pair stays below 0.05 with any block left out; corrected it does not.
    rng = np.random.default_rng(4)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        base = rng.normal(0, 0.01, (3, 9))
        columns = {"a": base[0], "b": base[1] + 0.012, "c": base[2] + 0.006}
        d = columns["b"] - columns["a"]
        p = [
            stats.ttest_1samp(columns[y] - columns[x], 0.0).pvalue
            for x, y in (("a", "b"), ("a", "c"), ("b", "c"))
        ]
        left = [stats.ttest_1samp(np.delete(d, i), 0.0).pvalue for i in range(9)]
        if p[0] < 0.05 / 3 < max(left) < 0.04 and min(p[1:]) > 0.2:
            break
    summary, _, html = whole(made(columns), tmp_path)
    [ab] = [c for c in summary["all_comparisons"] if {c["base"], c["group"]} == {"a", "b"}]
    assert ab["resolved"] and ab["survives"] is False
    assert summary["level"] == "tentative"
    assert "does not survive leaving out every single block" in summary["sure"]
    assert "resolved, but not without" in html


def test_five_blocks_that_differ_by_8_percent_are_resolved_by_the_paired_t(tmp_path):
    common = np.array([0.05, -0.04, 0.02, -0.06, 0.03])  # blocks differ by about as much
    columns = {
        "a": common + np.array([0.004, -0.003, 0.001, 0.002, -0.004]),
        "b": common + 0.077 + np.array([-0.002, 0.005, 0.003, -0.004, -0.002]),
    }
    summary, rows, html = whole(made(columns), tmp_path)
    [c] = summary["all_comparisons"]
    d = columns["b"] - columns["a"]
    assert c["p_parametric"] == pytest.approx(stats.ttest_1samp(d, 0.0).pvalue, rel=1e-9)
    assert c["resolved"] and c["paired"] and c["n"] == 5
    assert summary["level"] == "tentative", "ranks cannot confirm it"
    assert "ranks cannot reach 0.05 with 5 blocks" in summary["sure"]
    assert "anks cannot reach 0.05 with 5 blocks" in html
    assert rows["a", "b"]["test"] == "paired-t-log"


def test_an_interval_that_includes_zero_is_not_called_no_difference(tmp_path):
    _, _, html = whole(race({"a": 1.0, "b": 1.0}, seed=2), tmp_path)
    assert "no difference" not in html.replace("shows no difference that it can tell", "")
    assert "does not show that there is none" in html
