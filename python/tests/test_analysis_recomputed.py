"""Every number of whole reports, recomputed from the raw files by code that shares none of the
analysis'; a number that nobody recomputes fails by name.

``recomputed_trials`` reads samples and records, ``recomputed`` has the statistics; here each number
of summary.json, of the CSV files and of the page's tables is held against them.
"""

import csv
import itertools
import json
import math
import re
import statistics

import numpy as np
import pytest
from made_folder import BLOCKS, GROUPS, IDLE, LIMITS, OVERHEAD, RANGE_J, TWIN, analyse, make
from recomputed import Experiment
from recomputed_trials import of_experiment
from textbook import holm

#: What the analysis was told or has for a constant; a number of another name is a result.
TOLD = {
    "schema", "settings.alpha", "settings.seed", "settings.practical.runs_per_year",
    "settings.practical.price_per_kwh", "settings.practical.carbon_intensity",
    "settings.baseline.before_w", "settings.baseline.after_w", "settings.baseline.drift_w",
    "settings.margin_pct", "settings.protocol.alpha", "settings.protocol.margin_pct",
    "settings.protocol.coverage_limit", "settings.resamples", "settings.power",
    "settings.equivalence_margin_pct",
    *(f"settings.protocol.interference.{name}" for name in LIMITS),
}  # fmt: skip


@pytest.fixture(scope="module", params=["plain", "remembering"])
def study(request, tmp_path_factory):
    """An experiment's folder, what the program made of it, and the same worked out here.

    In the second the blocks remember, so that intervals are widened.
    """
    folder = make(
        tmp_path_factory.mktemp("made") / "study",
        wave=0.07 if request.param == "remembering" else 0.0,
    )
    output = analyse(folder)
    summary = json.loads((output / "summary.json").read_text("utf-8"))
    trials = of_experiment(folder, RANGE_J)
    metrics = [m["name"] for m in summary["metrics"]]
    made = Experiment(trials, metrics, TWIN, "quick", margin=2.0, idle=IDLE)
    assert (max(made.memory().values()) > 0) == (request.param == "remembering")
    return output, summary, made


@pytest.fixture(scope="module")
def known(study):
    """Every number of the summary by its path, as the raw files give it."""
    return dict(leaves(expected(study[1], study[2])))


def rows(study, name):
    with open(study[0] / name, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def near(found, expected, rel=1e-5):
    return math.isclose(found, expected, rel_tol=rel, abs_tol=1e-9)


def leaves(value, path=""):
    """Every number below ``value`` with the way to it; booleans are no numbers."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{i}]")
    elif isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value):
        yield path, float(value)


def tolerance(path):
    """How near two ways of working out a number come; Monte-Carlo figures are judged elsewhere."""
    if path.startswith("mixed_model"):
        return 2e-3
    if path.startswith("detectable") or path.endswith("].statistic"):
        return 1e-3
    return 1e-5 if not re.search(r"\bp|_p$|p_holm", path) else 1e-4


def expected(summary, made):
    """A structure like summary.json with every number that the raw files give."""
    decision = made.decision()
    by_pair = {r["pair"]: r for r in decision}
    equivalence = dict(zip(made.pairs, made.equivalence(), strict=True))

    def comparison(c):
        row = by_pair[c["base"], c["group"]]
        d = made.pair("energy_j", c["base"], c["group"], "paired-t-log")
        ranks = made.pair("energy_j", c["base"], c["group"], "wilcoxon-log")
        return {
            "n": row["n"], "n_a": d["n_a"], "n_b": d["n_b"], "pct_change": d["pct_change"],
            "ci_low": d["ci_low"], "ci_high": d["ci_high"], "log_ratio": row["mean"],
            "log_se": row["se"], "df": row["df"], "p": row["p"], "p_parametric": row["holm"],
            "p_rank": ranks["p"], "memory": d["memory"], "margin_pct": 2.0,
            "equivalent_within_pct": equivalence[row["pair"]]["within_pct"],
        }  # fmt: skip

    whole = [k for k in made.blocks
             if all(math.isfinite(made.at("energy_j", g, k)) for g in made.groups)]  # fmt: skip
    inside = [t for t in made.usable if t["block"] in whole]
    usable = len(made.usable)
    outliers = {t["trial"] for t in made.usable
                if t["block"] in {o["block"] for o in made.outlying()}}  # fmt: skip
    disturbed = {t["trial"] for t in made.usable if t["disturbed"]}
    odd = odd_lengths(made)
    grams = summary["settings"]["practical"]["carbon_intensity"]
    return {
        "ranking": ranking(made, decision),
        "comparisons": [comparison(c) for c in summary["comparisons"]],
        "all_comparisons": [comparison(c) for c in summary["all_comparisons"]],
        "trials": {
            "all": len(made.trials), "usable": usable, "complete_blocks": len(whole),
            "in_complete_blocks": len(inside), "outside_complete_blocks": usable - len(inside),
            "incomplete_blocks": [{"block": k} for k in sorted(set(made.blocks) - set(whole))],
            "integrity": [integrity(made, r["group"]) for r in summary["trials"]["integrity"]],
        },
        "groups": [made.group(r["group"], r["metric"]) for r in summary["groups"]],
        "pairs": pairs(summary, made),
        "omnibus": [made.omnibus(r["metric"], r["test"]) for r in summary["omnibus"]],
        "noise_floor": made.floor(),
        "detectable": made.detectable(),
        "leave_one_out": made.left_out(),
        "outliers": beside(made, outliers) | {
            "trials": made.outlying(), "blocks": sorted({o["block"] for o in made.outlying()}),
        },
        "disturbed": beside(made, disturbed) | {"trials": len(disturbed)},
        "durations": beside(made, {o["trial"] for o in odd}) | {"trials": odd},
        "equivalence": list(equivalence.values()),
        "above_idle": made.above_idle(),
        "mixed_model": made.mixed(),
        "decomposition": [made.split(r["a"], r["b"]) for r in summary["decomposition"]],
        "practical": [made.worth(r["a"], r["b"], grams) for r in summary["practical"]],
        "drift": {
            "time": made.trend("start_unix_s", 3600.0), "run_order": made.trend("run_order", 1.0),
            "position": made.factor("position"), "predecessor": made.factor("predecessor"),
            "memory": dict(zip(("p", "widened_by"), made.shared("energy_j"), strict=True)),
            "trends": made.trends(), "autocorrelation": made.memories(),
            "adjusted": made.adjusted(),
        },
        "order": order(made, summary["order"]),
        "conditions": conditions(made),
        "baseline": {"before_w": IDLE[0], "after_w": IDLE[1], "drift_w": IDLE[1] - IDLE[0]},
        "settings": {"blocks_needed": 6},
    }  # fmt: skip


def odd_lengths(made):
    """Trials of less than half or more than twice their group's median time, and far out."""
    found = []
    for group in {t["group"]: None for t in made.usable}:
        own = [t for t in made.usable if t["group"] == group]
        middle = statistics.median(t["time_s"] for t in own)
        away = [abs(math.log(t["time_s"] / middle)) for t in own]
        spread = statistics.median(away)
        found += [
            {"trial": t["trial"], "time_s": t["time_s"], "median_s": middle}
            for t, by in zip(own, away, strict=True)
            if by > math.log(2) and 0.6745 * by > 10 * spread
        ]
    return found


def pairs(summary, made):
    """The tests of all pairs, Holm's correction within each metric and test."""
    found = [made.pair(r["metric"], r["a"], r["b"], r["test"]) for r in summary["pairs"]]
    families = {}
    for r, row in zip(summary["pairs"], found, strict=True):
        families.setdefault((r["metric"], r["test"], r["b"] == TWIN), []).append(row)
    for family in families.values():
        for row, p in zip(family, holm([row.get("p") for row in family]), strict=True):
            row["p_holm"] = p
    return found


def ranking(made, decision):
    rows = []
    for g in made.groups:
        less = sum(r["resolved"] and (r["pair"][1] if r["mean"] > 0 else r["pair"][0]) == g
                   for r in decision)  # fmt: skip
        more = sum(r["resolved"] and (r["pair"][0] if r["mean"] > 0 else r["pair"][1]) == g
                   for r in decision)  # fmt: skip
        mean = math.exp(np.log(made.values("energy_j", g)).mean())
        rows.append({"geometric_mean_j": mean, "first": 1 + less, "last": len(made.groups) - more})
    return rows


def integrity(made, group):
    own = [t for t in made.trials if t["group"] == group]
    zero = ("resets", "gaps", "missed_samples", "throttled", "swapped", "steal", "clock_stepped",
            "suspended", "supply_changed", "implausible", "core_unusable", "retried", "invalid",
            "excluded")  # fmt: skip
    return dict.fromkeys(zero, 0) | {
        "trials": len(own), "usable": sum(t["usable"] for t in own),
        "wrapped": sum(t["wraps"] > 0 for t in own),
        "interference": sum("interference" in t["flags"] for t in own),
        "failed": sum(t["status"] == "failed" for t in own),
    }  # fmt: skip


def beside(made, without):
    whole = made.again(set())
    if not without:
        return {"pairs": [{"all": one} for one in whole]}
    return {"pairs": [{"all": one, "without": other}
                      for one, other in zip(whole, made.again(without), strict=True)]}  # fmt: skip


def order(made, told):
    orders = [tuple(t["group"] for t in made.trials if t["block"] == k) for k in made.blocks]
    counts = [[sum(o[i] == g for o in orders) for i in range(4)] for g in told["groups"]]
    even = len(orders) / 4
    return {
        "blocks": len(orders), "position_counts": counts,
        "balance_chi_square": sum((c - even) ** 2 / even for row in counts for c in row),
        "distinct_orders": len(set(orders)), "possible_orders": math.factorial(4),
        "same_as_previous": sum(x == y for x, y in itertools.pairwise(orders)),
    }  # fmt: skip


def conditions(made):
    def column(name, trials):
        return np.array([t[name] for t in trials], float)

    every = made.trials
    spent = column("meter_cpu_s", every).sum()
    watts = column("cooldown_w", every)
    during = []
    for g in made.all_groups:
        own = [t for t in made.usable if t["group"] == g]
        during.append({
            "other_cores_mean": column("other_cores", own).mean(),
            "other_cores_max": column("other_cores", own).max(),
            "mhz_mean": column("mhz_mean", own).mean(),
            "celsius_begin_mean": column("celsius_begin", own).mean(),
            "celsius_max": column("celsius_max", own).max(),
            "throttle_events": column("throttle_events", own).sum(),
            "missed_samples": column("missed_samples", own).sum(),
        })  # fmt: skip
    return {
        "baselines": [{"watts": IDLE[0], "other_cores": 0.01},
                      {"watts": IDLE[1], "other_cores": 0.02}],
        "cooldowns": {
            "count": len(every), "mean_s": column("cooldown_s", every).mean(),
            "watts": watts.mean(), "idle_w": IDLE[0], "known": len(every),
            "above_idle_pct": 100 * (watts / IDLE[0] - 1).mean(),
            "not_back": int((column("cooldown_reached_idle", every) == 0).sum()),
        },
        "meter_overhead": {
            "per_second": spent / column("trial_time_s", every).sum(), "trials": len(every),
            "trial_share": spent / column("trial_cpu_s", every).sum(),
            "watts": OVERHEAD["watts"], "watts_se": OVERHEAD["watts_se"],
        },
        "during": during,
    }  # fmt: skip


#: Figures that chance decides, and how far they may be apart; see the test below.
CHANCE = re.compile(r"boot_(low|high)$|order\.balance_p$")


def test_every_number_of_the_summary(study, known):
    summary = study[1]
    unknown, wrong, seen = [], [], 0
    for path, value in leaves(summary):
        plain = re.sub(r"\[\d+\]", "", path)
        if plain in TOLD or CHANCE.search(path):
            continue
        seen += 1
        if path not in known:
            unknown.append(path)
        elif not near(value, known[path], tolerance(path)):
            wrong.append((path, value, known[path]))
    assert not unknown, f"nobody recomputes {sorted(set(unknown))[:20]}"
    assert not wrong, wrong[:20]
    lost = set(known) - {path for path, _ in leaves(summary)}
    assert not lost, f"the summary lacks {sorted(lost)[:20]}"
    assert seen > 2000


def test_the_figures_that_chance_decides(study):
    _, summary, made = study
    for r in summary["pairs"]:
        if r.get("boot_low") is not None:
            mine = made.pair(r["metric"], r["a"], r["b"], r["test"])
            width = mine["boot_high"] - mine["boot_low"]
            for end in ("boot_low", "boot_high"):
                assert abs(r[end] - mine[end]) < 0.08 * width, (r["a"], r["b"], end)
    rng, observed = np.random.default_rng(8), summary["order"]["balance_chi_square"]
    draws = rng.permuted(np.tile(np.arange(4), (20_000, BLOCKS, 1)), axis=2)
    counts = np.stack([(draws == g).sum(axis=1) for g in range(4)], axis=1)
    chance = ((counts - BLOCKS / 4) ** 2 / (BLOCKS / 4)).sum(axis=(1, 2))
    assert summary["order"]["balance_p"] == pytest.approx(
        np.mean(chance >= observed - 1e-9), abs=0.03
    )


def test_every_number_of_every_trial(study):
    by_name = {t["trial"]: t for t in study[2].trials}
    table = rows(study, "trials.csv")
    assert {r["trial"] for r in table} == set(by_name)
    for r in table:
        mine = by_name[r["trial"]]
        for column, text in r.items():
            if column in ("trial", "group", "file", "meter", "estimated", "status", "reason",
                          "flags", "predecessor", "domains"):  # fmt: skip
                continue
            value = mine.get(column)
            if text == "":
                assert value is None, (r["trial"], column, "is empty")
            else:
                assert value is not None, f"nobody recomputes {column}"
                assert near(float(text), float(value), 1e-6), (r["trial"], column)


@pytest.mark.parametrize("name", ["groups", "pairs"])
def test_every_number_of_a_csv_file_is_the_summarys(study, name):
    summary = study[1][name]
    table = rows(study, f"{name}.csv")
    assert len(table) == len(summary)
    for r, s in zip(table, summary, strict=True):
        for column, text in r.items():
            value = s.get(column)
            if value is None:
                assert text == "", (column, text)
            elif isinstance(value, bool):
                assert text == str(value).lower()
            elif isinstance(value, int | float):
                assert float(text) == value, (column, text)
            else:
                assert text == value


NUMBER = re.compile(r"(?<![\w.])[−-]?\d[\d\u202f]*(?:\.\d+)?(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def shown(text):
    """The numbers of a text, each with half a unit of its last digit."""
    for match in NUMBER.finditer(text):
        word = match[0].replace("−", "-").replace("\u202f", "")
        power = 0
        if "×10" in word:
            word, raised = word.split("×10")
            power = int(raised.translate(POWERS))
        digits = len(word.split(".")[1]) if "." in word else 0
        yield match[0], float(word) * 10.0**power, 0.5001 * 10.0 ** (power - digits)


#: Ways in which a number may be written: as it is, in kJ, in mJ, as a share, as a multiple.
WAYS = (
    lambda v: v, lambda v: abs(v), lambda v: v / 1e3, lambda v: 1e3 * v, lambda v: v / 1e6,
    lambda v: 100 * v, lambda v: 1 + v / 100, lambda v: 100 * (1 / (1 + v / 100) - 1) if v > -100
    else math.nan,
)  # fmt: skip


def test_every_number_that_the_tables_of_the_page_show_is_one_of_these(study):
    output, summary, made = study
    markdown = (output / "report.md").read_text("utf-8").replace("\\", "")
    body = markdown.split("## How to reproduce")[0]
    values = {v for _, v in leaves(summary)}
    # What only a trial's row has, and the means of these per group: accuracy and loss.
    for name in ("accuracy", "loss"):
        for g in made.all_groups:
            own = made.values(name, g)
            values |= {own.mean(), own.min(), own.max()}
    written = np.array([way(v) for v in values for way in WAYS])
    tables = [line for line in body.splitlines() if line.startswith("|")]
    assert len(tables) > 100
    strange = []
    for line in tables:
        cells = line.strip("|").split("|")[1:]  # the first names the row
        for text, value, half in itertools.chain.from_iterable(map(shown, cells)):
            if np.min(np.abs(written - value)) > half:
                strange.append((text, line[:100]))
    assert not strange, strange[:10]


def test_a_new_number_that_nobody_recomputes_is_named(study, known):
    summary = study[1]
    changed = json.loads(json.dumps(summary))
    changed["detectable"][0]["pct_tomorrow"] = 1.25
    unknown = [p for p, _ in leaves(changed)
               if p not in known and re.sub(r"\[\d+\]", "", p) not in TOLD
               and not CHANCE.search(p)]  # fmt: skip
    assert unknown == ["detectable[0].pct_tomorrow"]
    assert set(GROUPS) < {r["group"] for r in summary["groups"]}
