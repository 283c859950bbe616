"""Every number of a real report, worked out again from the raw files with NumPy and SciPy alone.

Nothing of ``analysis`` is imported here: the program is run as a user runs it, and its files are
held against what the samples themselves say.
"""

import csv
import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_folder import program
from scipy import stats

GROUPS = {"slow": 30.0, "quick": 27.0, "odd": 29.8}
BLOCKS = range(1, 9)
RANGE_J = 65_536.0
ALPHA = 0.05


def write_samples(path, start_ms, watts, seconds, first_j):
    """A file as EnergiBridge writes it, five samples a second, its counter in 2⁻¹⁴ J."""
    with open(path, "w", encoding="utf-8") as file:
        file.write("Delta,Time,CPU_ENERGY (J),CPU_USAGE_0\n")
        for i in range(round(seconds * 5) + 1):
            joules = round((first_j + watts * 0.2 * i) * 16384) / 16384 % RANGE_J
            file.write(f"200,{start_ms + 200 * i},{joules},50\n")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three groups in eight blocks of random order; one counter wraps. And what was reported."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(20)
    clock = 1_740_000_000_000
    for group in GROUPS:
        (folder / group).mkdir()
    for block in BLOCKS:
        common = rng.normal(0, 0.01)
        for group in rng.permutation(list(GROUPS)):
            watts = GROUPS[group] * math.exp(common + rng.normal(0, 0.015))
            seconds = 12.0 + 0.2 * rng.integers(0, 6)
            first = 65_400.0 if (group, block) == ("odd", 3) else 500.0 * block
            write_samples(folder / group / f"{group}_{block}.csv", clock, watts, seconds, first)
            clock += 30_000
    output = folder / "report"
    prefix = Path(sys.prefix)
    done = subprocess.run(
        [program(), "analyze", folder, "--output", output],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "VIRTUAL_ENV": str(prefix)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder, output


@pytest.fixture(scope="module")
def raw(study):
    """Energy, time, power and EDP of every trial, from the first and last sample of its file."""
    folder, _ = study
    trials = {}
    for group, block in itertools.product(GROUPS, BLOCKS):
        with open(folder / group / f"{group}_{block}.csv", encoding="utf-8") as file:
            rows = [list(map(float, line.split(","))) for line in file.readlines()[1:]]
        energy = (rows[-1][2] - rows[0][2]) % RANGE_J
        time = (rows[-1][1] - rows[0][1]) / 1000.0
        trials[group, block] = {
            "energy_j": energy, "time_s": time, "power_w": energy / time, "edp_js": energy * time,
            "start": rows[0][1] / 1000.0,
        }  # fmt: skip
    return trials


@pytest.fixture(scope="module")
def summary(study):
    return json.loads((study[1] / "summary.json").read_text("utf-8"))


def table(study, name):
    with open(study[1] / name, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def near(value, rel=1e-6):
    return pytest.approx(value, rel=rel, abs=1e-9)


def column(raw, group, metric):
    return np.array([raw[group, block][metric] for block in BLOCKS])


def holm(p):
    order = np.argsort(p)
    out, worst = np.empty(len(p)), 0.0
    for place, i in enumerate(order):
        worst = max(worst, min(1.0, p[i] * (len(p) - place)))
        out[i] = worst
    return out


def test_every_trial(study, raw):
    rows = {r["trial"]: r for r in table(study, "trials.csv")}
    for (group, block), trial in raw.items():
        found = rows[f"{group}_{block}"]
        for metric in ("energy_j", "time_s", "power_w", "edp_js"):
            assert float(found[metric]) == near(trial[metric])


def test_every_group(study, raw):
    rows = {(r["group"], r["metric"]): r for r in table(study, "groups.csv")}
    for group in GROUPS:
        for metric in ("energy_j", "time_s", "power_w", "edp_js"):
            values, found = column(raw, group, metric), rows[group, metric]
            assert int(found["n"]) == len(values)
            w, p = stats.shapiro(values)
            for name, expected in (
                ("mean", values.sum() / 8),
                ("sd", math.sqrt(((values - values.mean()) ** 2).sum() / 7)),
                ("median", np.sort(values)[3:5].mean()), ("min", values.min()),
                ("max", values.max()), ("shapiro_w", w), ("shapiro_p", p),
            ):  # fmt: skip
                assert float(found[name]) == near(expected, 1e-5), (group, metric, name)


def pairs_of(study, metric, test):
    return [r for r in table(study, "pairs.csv") if (r["metric"], r["test"]) == (metric, test)]


METRICS = ("energy_j", "time_s", "power_w", "edp_js")


@pytest.mark.parametrize("metric", METRICS)
def test_the_tests_that_decide(study, raw, metric):
    rows = pairs_of(study, metric, "paired-t-log")
    assert len(rows) == 3
    p = []
    for r in rows:
        d = np.log(column(raw, r["b"], metric)) - np.log(column(raw, r["a"], metric))
        se = d.std(ddof=1) / math.sqrt(8)
        t = d.mean() / se
        p.append(2 * stats.t.sf(abs(t), 7))
        half = stats.t.ppf(0.975, 7) * se
        for name, expected in (
            ("statistic", t), ("p", p[-1]), ("pct_change", 100 * math.expm1(d.mean())),
            ("ci_low", 100 * math.expm1(d.mean() - half)),
            ("ci_high", 100 * math.expm1(d.mean() + half)),
        ):  # fmt: skip
            assert float(r[name]) == near(expected, 1e-5), (metric, r["a"], r["b"], name)
        a, b = column(raw, r["a"], metric), column(raw, r["b"], metric)
        spread = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        g = (b.mean() - a.mean()) / spread * (1 - 3 / (4 * 16 - 9))
        assert float(r["hedges_g"]) == near(g, 1e-5)
        delta = np.mean([np.sign(y - x) for x in a for y in b])
        assert float(r["cliffs_delta"]) == near(delta)
        assert r["role"] == ("confirmatory" if metric == "energy_j" else "exploratory")
    assert [float(r["p_holm"]) for r in rows] == [near(v, 1e-5) for v in holm(np.array(p))]


@pytest.mark.parametrize("metric", ["energy_j", "power_w"])
def test_the_ranks_by_counting_all_signs(study, raw, metric):
    for r in pairs_of(study, metric, "wilcoxon-log"):
        d = np.log(column(raw, r["b"], metric)) - np.log(column(raw, r["a"], metric))
        order = stats.rankdata(np.abs(d))
        plus = order[d > 0].sum()
        all_sums = [
            order[np.array(signs, bool)].sum() for signs in itertools.product((0, 1), repeat=8)
        ]
        least = min(plus, 36 - plus)
        assert float(r["statistic"]) == near(least)
        assert float(r["p"]) == near(min(1.0, 2 * np.mean(np.array(all_sums) <= least)))
        walsh = np.sort([(x + y) / 2 for i, x in enumerate(d) for y in d[i:]])
        assert float(r["pct_change"]) == near(100 * math.expm1(np.median(walsh)), 1e-5)
        # 95%: the third and the third to last of 36 are beyond P(W ≤ 3) = 5/256 = 2.0%.
        assert float(r["ci_low"]) == near(100 * math.expm1(walsh[3]), 1e-5)
        assert float(r["ci_high"]) == near(100 * math.expm1(walsh[-4]), 1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_the_unpaired_reading(study, raw, metric):
    for r in pairs_of(study, metric, "welch"):
        a, b = column(raw, r["a"], metric), column(raw, r["b"], metric)
        parts = np.array([a.var(ddof=1), b.var(ddof=1)]) / 8
        t = (b.mean() - a.mean()) / math.sqrt(parts.sum())
        df = parts.sum() ** 2 / (parts**2 / 7).sum()
        half = stats.t.ppf(0.975, df) * math.sqrt(parts.sum())
        assert float(r["statistic"]) == near(t, 1e-5)
        assert float(r["p"]) == near(2 * stats.t.sf(abs(t), df), 1e-4)
        assert float(r["pct_change"]) == near(100 * (b.mean() / a.mean() - 1), 1e-5)
        assert float(r["ci_low"]) == near(100 * (b.mean() - a.mean() - half) / a.mean(), 1e-4)
    for r in pairs_of(study, metric, "mann-whitney"):
        a, b = column(raw, r["a"], metric), column(raw, r["b"], metric)
        u = sum((y > x) + (y == x) / 2 for x in a for y in b)
        assert float(r["statistic"]) == near(u)


def test_leaving_out_each_block(summary, raw):
    pairs = [(r["a"], r["b"]) for r in summary["leave_one_out"]]
    logs = {g: np.log(column(raw, g, "energy_j")) for g in GROUPS}

    def decision(kept):
        p = []
        for a, b in pairs:
            d = (logs[b] - logs[a])[kept]
            t = d.mean() / d.std(ddof=1) * math.sqrt(len(d))
            p.append(2 * stats.t.sf(abs(t), len(d) - 1))
        return holm(np.array(p))

    every = np.arange(8)
    whole = decision(every)
    each = np.array([decision(np.delete(every, i)) for i in range(8)])
    for i, row in enumerate(summary["leave_one_out"]):
        assert row["resolved"] == (whole[i] < ALPHA)
        assert row["highest_p"] == near(each[:, i].max(), 1e-5)
        assert row["lowest_p"] == near(each[:, i].min(), 1e-5)
        changed = [int(BLOCKS[j]) for j in range(8) if (each[j, i] < ALPHA) != (whole[i] < ALPHA)]
        assert row["undone_by"] == changed
        assert row["survives"] == (not changed)


def test_equivalence_worth_and_shares(summary, raw):
    by_pair = {(r["a"], r["b"]): r for r in summary["equivalence"]}
    for a, b in by_pair:
        d = np.log(column(raw, b, "energy_j")) - np.log(column(raw, a, "energy_j"))
        se = d.std(ddof=1) / math.sqrt(8)
        within = abs(d.mean()) + stats.t.ppf(0.95, 7) * se
        assert by_pair[a, b]["within_pct"] == near(100 * math.expm1(within), 1e-5)
        assert by_pair[a, b]["p"] is None, "no margin was stated"
    settings = summary["settings"]["practical"]
    for row in summary["practical"]:
        d = column(raw, row["b"], "energy_j") - column(raw, row["a"], "energy_j")
        half = stats.t.ppf(0.975, 7) * d.std(ddof=1) / math.sqrt(8)
        assert row["joules"] == near(d.mean(), 1e-5)
        assert row["joules_low"] == near(d.mean() - half, 1e-5)
        kwh = d.mean() * settings["runs_per_year"] / 3.6e6
        assert row["kwh"] == near(kwh, 1e-5)
        assert row["money"] == near(kwh * settings["price_per_kwh"], 1e-5)
        assert row["kg_co2e"] == near(kwh * settings["carbon_intensity"] / 1000, 1e-5)
    for row in summary["decomposition"]:
        logs = {
            m: (np.log(column(raw, row["b"], m)) - np.log(column(raw, row["a"], m))).mean()
            for m in ("energy_j", "time_s", "power_w")
        }
        for metric, value in logs.items():
            assert row[metric]["log_ratio"] == near(value, 1e-5)
        if row["time_share"] is not None:
            assert row["time_share"] == near(logs["time_s"] / logs["energy_j"], 1e-5)


def test_drift_position_and_predecessor(summary, raw):
    order = sorted(raw, key=lambda key: raw[key]["start"])
    ran = {key: place for place, key in enumerate(order)}
    logs = {key: math.log(trial["energy_j"]) for key, trial in raw.items()}
    group_mean = {g: np.mean([logs[g, b] for b in BLOCKS]) for g in GROUPS}
    means = [np.mean([logs[g, b] - group_mean[g] for g in GROUPS]) for b in BLOCKS]
    hours = [np.mean([raw[g, b]["start"] for g in GROUPS]) / 3600 for b in BLOCKS]
    slope = stats.linregress(hours, means)
    assert summary["drift"]["time"]["p"] == near(slope.pvalue, 1e-4)
    assert summary["drift"]["time"]["pct"] == near(100 * math.expm1(slope.slope), 1e-4)

    keys = list(raw)
    position = {key: sum(ran[g, key[1]] <= ran[key] for g in GROUPS) for key in keys}
    before = {key: order[ran[key] - 1][0] if ran[key] else "none" for key in keys}

    def rss(*factors):
        columns = [np.ones(len(keys))]
        for factor in factors:
            columns += [
                np.array([float(factor(k) == level) for k in keys])
                for level in sorted({factor(k) for k in keys}, key=str)
            ]
        design = np.column_stack(columns)
        y = np.array([logs[k] for k in keys])
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        return ((y - fitted) ** 2).sum(), np.linalg.matrix_rank(design)

    group, block = (lambda k: k[0]), (lambda k: k[1])
    full, rank = rss(group, block, position.get, before.get)
    for name, rest in (("position", before.get), ("predecessor", position.get)):
        less, small = rss(group, block, rest)
        f = (less - full) / (rank - small) / (full / (len(keys) - rank))
        found = summary["drift"][name]
        assert found["f"] == near(f, 1e-5), name
        assert found["p"] == near(stats.f.sf(f, rank - small, len(keys) - rank), 1e-4)


def test_the_sentence_and_the_page_show_these_numbers(study, summary, raw):
    html = (study[1] / "report.html").read_text("utf-8")
    for c in summary["all_comparisons"]:
        d = np.log(column(raw, c["group"], "energy_j")) - np.log(column(raw, c["base"], "energy_j"))
        half = stats.t.ppf(0.975, 7) * d.std(ddof=1) / math.sqrt(8)
        change, low, high = (
            100 * math.expm1(v) for v in (d.mean(), d.mean() - half, d.mean() + half)
        )
        shown = f"{abs(change):.1f}"
        assert shown in summary["sentence"], (shown, summary["sentence"])
        for value in (change, low, high):
            assert f"{value:+.1f}%".replace("-", "−") in html
    means = sorted(GROUPS, key=lambda g: np.log(column(raw, g, "energy_j")).mean())
    assert [r["group"] for r in summary["ranking"]] == means
    assert (summary["trials"]["all"], summary["trials"]["usable"]) == (24, 24)
