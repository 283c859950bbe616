"""The files of an analysis: what is in them, and that nothing a user named becomes markup."""

import csv
import json
import re
from html.parser import HTMLParser

import pytest
from test_analysis_made import pack, race, request

import analysis
from analysis import carbon, provenance, text
from analysis.plots import style

HOSTILE = '<script>alert("x")</script>'


def analyse(trials, output, **changes):
    """Run the whole analysis; return its events."""
    arrays, strings = pack(trials)
    events = []
    analysis.run(request(output, strings, **changes), arrays, events.append)
    return events


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """An experiment with phases, traces, a control, failures and hostile names."""
    output = tmp_path_factory.mktemp("rich")
    ratios = {"torch": 1.0, "torch-control": 1.0, HOSTILE: 1.1, "a|b $x$ & `c`": 1.4}
    trials = race(ratios, blocks=9, phases=True)
    trials[3] |= {"status": "failed", "reason": "exit status 101 <b>bold</b>"}
    events = analyse(
        trials,
        output,
        title="Race & <b>run</b>",
        control={"treatment": "torch", "twin": "torch-control"},
        baseline={"before_w": 12.0, "after_w": 12.4, "drift_w": 0.4},
        experiment={
            "command": ["joulerace", "--title", "two words"],
            "machine": {"cpu": "A <i>fast</i> one", "cores": 6},
            "environment": {"packages": {"torch": "2"}},
        },
        excluded=[{"file": "raw/x_1.csv", "row": 7, "reason": "text in a number: <img src=x>"}],
        command="joulerace analyze '</script>'",
    )
    return output, events


class Page(HTMLParser):
    """The page's tags, ids and headings."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.ids, self.headings, self.links = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if "id" in found:
            self.ids.append(found["id"])
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href", "srcset")]


def test_the_result_names_every_file_and_they_exist(rich):
    output, events = rich
    result = events[-1]
    assert result["event"] == "result"
    assert {"groups.csv", "pairs.csv", "summary.json", "report.html", "report.md"} <= set(
        result["files"]
    )
    assert all((output / name).stat().st_size > 0 for name in result["files"])
    assert not list(output.rglob("*.part"))
    drawn = {name.split("/")[1].split(".")[0] for name in result["files"] if "plots/" in name}
    wanted = {"violin_energy_j", "violin_time_s", "violin_power_w", "violin_edp_js", "effects",
              "paired_energy_j", "power_over_time", "energy_per_phase", "energy_run_order",
              "energy_position", "qq_groups", "qq_pairs"}  # fmt: skip
    assert drawn == wanted
    for name in wanted:
        assert (output / f"plots/{name}.svg").exists() and (output / f"plots/{name}.png").exists()
        page = (output / f"plots/{name}.pdf").read_bytes()
        width = float(re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", page)[1])
        assert width in (252, 504) and b"/Type3" not in page, "a column or two, and fonts in it"


def test_tables_have_exactly_the_documented_columns(rich):
    output, _ = rich
    with open(output / "groups.csv", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert ",".join(rows[0]) == "group,metric,n,mean,sd,median,min,max,shapiro_w,shapiro_p"
    with open(output / "pairs.csv", encoding="utf-8") as file:
        pairs = list(csv.DictReader(file))
    assert ",".join(pairs[0]) == (
        "metric,a,b,test,paired,n,statistic,p,p_holm,pct_change,ci_low,ci_high,hedges_g,"
        "cliffs_delta,primary,role"
    )
    assert {"energy_j", "time_s", "power_w", "edp_js", "phase_train_j"} <= {
        r["metric"] for r in pairs
    }
    assert {r["paired"] for r in pairs} == {"true", "false"}


def test_the_summary_is_strict_json_and_holds_answer_and_settings(rich):
    output, events = rich

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    summary = json.loads((output / "summary.json").read_text("utf-8"), parse_constant=refuse)
    assert summary["sentence"] == events[-1]["sentence"]
    assert summary["settings"]["seed"] == 7
    assert summary["trials"]["all"] == 36
    assert summary["trials"]["usable"] == 35
    assert summary["trials"]["complete_blocks"] in (8, 9)
    assert summary["noise_floor"]["twin"] == "torch-control"
    for part in ("omnibus", "drift", "order", "leave_one_out", "outliers", "decomposition",
                 "practical", "detectable"):  # fmt: skip
        assert summary[part], part


def test_what_a_user_named_is_shown_as_text(rich):
    output, _ = rich
    html = (output / "report.html").read_text("utf-8")
    page = Page(html)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(tag in ("b", "i", "img") for tag, _ in page.tags)
    assert "&lt;script&gt;alert(" in html
    assert "joulerace --title &#39;two words&#39;" in html
    assert "exit status 101 &lt;b&gt;bold" in html
    svg = (output / "plots/violin_energy_j.svg").read_text("utf-8")
    assert "<script" not in svg
    markdown = (output / "report.md").read_text("utf-8")
    assert "<script" not in markdown and "<b>" not in markdown
    assert "a\\|b $x$" in markdown


def test_the_page_needs_nothing_else_and_is_well_formed(rich):
    page = Page((rich[0] / "report.html").read_text("utf-8"))
    assert all(link.startswith(("#", "data:")) for link in page.links), page.links
    assert len(page.ids) == len(set(page.ids))
    targets = {link[1:] for link in page.links if link.startswith("#")}
    assert targets <= set(page.ids)
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps), "a heading level is skipped"
    pictures = [a for _, a in page.tags if a.get("role") == "img"]
    assert len(pictures) == 12 and all(a["aria-label"] for a in pictures)
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert tables == sum(tag == "caption" for tag, _ in page.tags) > 10


def test_both_reports_hold_the_same_tables(rich):
    output, _ = rich
    html = (output / "report.html").read_text("utf-8")
    markdown = (output / "report.md").read_text("utf-8")
    captions = set(re.findall(r"<caption>(.*?)</caption>", html))
    for caption in captions - {f"Carbon intensity, {carbon.YEAR} means"}:
        assert f"**{caption}**" in markdown, caption


def test_the_same_request_gives_the_same_files(tmp_path):
    trials = race({"a": 1.0, "b": 1.1}, blocks=7)
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        analyse(trials, tmp_path / name)
        contents.append(
            [(tmp_path / name / f).read_bytes() for f in ("groups.csv", "pairs.csv", "report.html")]
        )
    assert contents[0] == contents[1]


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_few_data_still_give_a_whole_report(tmp_path, blocks):
    analyse(race({"a": 1.0, "b": 1.1, "c": 1.2}, blocks=blocks), tmp_path, source="csv")
    with open(tmp_path / "pairs.csv", encoding="utf-8") as file:
        primary = [r for r in csv.DictReader(file) if r["primary"] == "true"]
    assert primary and all((r["p"] == "") == (blocks == 1) for r in primary)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert ("Too few data" in html) == (blocks == 1)


def test_many_groups_give_a_report_that_stays_readable(tmp_path):
    ratios = {f"group-{i}": 1.0 + 0.03 * i for i in range(18)}
    events = analyse(race(ratios, blocks=8), tmp_path)
    markdown = (tmp_path / "report.md").read_text("utf-8")
    assert markdown.count("\n") < 800
    assert "Ranking by energy" in markdown and "Every comparison" in markdown
    with open(tmp_path / "pairs.csv", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] == "energy_j"]
    assert len({(r["a"], r["b"]) for r in rows}) == 153, "the files hold every pair"
    assert "used the least energy of 18 groups" in events[-1]["sentence"]
    steps = [e["step"] for e in events if e["event"] == "progress"]
    assert steps == ["statistics", "pairs", "robustness", "plots", "report"]


def test_more_than_515_trials_a_group_are_analysed(tmp_path):
    trials = race({"a": 1.0, "b": 1.01}, blocks=600)
    for t in trials:
        t["block"] = None
    analyse(trials, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["all_comparisons"][0]["resolved"]


def test_a_single_group_and_no_group_still_give_a_report(tmp_path):
    trials = race({"a": 1.0}, blocks=6)
    analyse(trials, tmp_path)
    assert "nothing to compare" in (tmp_path / "report.html").read_text("utf-8")
    for t in trials:
        t |= {"status": "failed", "reason": "it crashed"}
    analyse(trials, tmp_path)
    assert "it crashed" in (tmp_path / "report.html").read_text("utf-8")


def test_a_table_without_times_is_compared_by_its_energies(tmp_path):
    trials = race({"a": 1.0, "b": 1.2}, blocks=10)
    for line, row in enumerate(trials, 2):
        row |= {"table_row": line} | dict.fromkeys(("time_s", "power_w", "start_unix_s"))
    analyse(trials, tmp_path, source="csv")
    told = (tmp_path / "report.md").read_text("utf-8")
    assert "the times of the trials are not on record" in told
    assert "A row says what a run cost" in told and "Analysed with" in told
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["all_comparisons"][0]["resolved"]


def test_the_published_method_fills_the_tables_with_its_recipe(tmp_path):
    trials = race({"a": 1.0, "b": 1.3}, blocks=10)
    for t in trials:
        t["published_energy_j"] = t["energy_j"] - (65536.0 if t["trial"] == "a_4" else 0.0)
    analyse(trials, tmp_path, method="published")
    with open(tmp_path / "groups.csv", encoding="utf-8") as file:
        counts = {(r["group"], r["metric"]): r["n"] for r in csv.DictReader(file)}
    assert counts["a", "energy_j"] == "9" and counts["a", "time_s"] == "10"
    with open(tmp_path / "pairs.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {r["test"] for r in rows} <= {"welch", "mann-whitney"}
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "Published recipe." in html and "Values that the recipe dropped" in html


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (2231.4, "J", "2.23 kJ"),
        (0.0123, "J", "12.3 mJ"),
        (65.12, "W", "65.1 W"),
        (184, "s", "184 s"),
    ],
)
def test_quantities_have_a_fitting_unit_and_three_digits(value, unit, shown):
    assert text.quantity(value, unit) == shown


def test_numbers_read_well():
    assert text.percent(-3.04) == "−3.0%"
    assert text.percent(-0.04) == "0.0%"
    assert text.p_value(1e-9) == "< 0.001"
    assert text.significant(0.00001234) == "1.23×10⁻⁵"
    assert text.with_interval(0.0995, 0.0972, 0.1019) == "0.100 (0.097 to 0.102)"
    assert text.join(["a", "b", "c"]) == "a, b and c"


def test_a_change_is_the_same_number_wherever_it_stands(tmp_path):
    analyse(race({"a": 1.0, "b": 1.42, "c": 4.66}, blocks=9), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    change = 1.0 + next(c for c in summary["comparisons"] if c["group"] == "c")["pct_change"] / 100
    report = (tmp_path / "report.md").read_text("utf-8")
    # The interval is narrower than a tenth, so that two decimals are its own.
    assert f"c {change:.2f} times as much" in summary["sentence"]
    rows = [line for line in report.splitlines() if line.startswith(("| c |", "| c against a |"))]
    ranked = next(row for row in rows if row.startswith("| c | 3 |"))
    glance = next(row for row in rows if row.startswith("| c against a | yes |"))
    assert f"{change:.2f}×" in ranked and f"{change:.2f}×" in glance
    assert "+36" not in report, "no percentage beside the multiple"


def test_the_command_to_reproduce_has_the_orders_seed(tmp_path):
    experiment = {"command": ["/home/x/joulerace", "--epochs", "1"], "plan": {"order_seed": 77}}
    analyse(race({"a": 1.0, "b": 1.1}, blocks=3), tmp_path, experiment=experiment)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "joulerace --epochs 1 --order-seed 77</code>" in page and "/home/x" not in page


def test_the_head_says_data_epochs_processor_meter_and_versions(tmp_path):
    experiment = {
        "dataset": {"name": "digits", "train_images": 1500},
        "settings": {"job": {"epochs": 2}},
        "machine": {"cpu": {"model": "A Fast One"}},
        "environment": {"packages": {"torch": "2.6.0"}},
    }
    analyse(race({"a": 1.0, "b": 1.1}, blocks=3), tmp_path, experiment=experiment)
    page = (tmp_path / "report.html").read_text("utf-8")
    head = page[page.index("<header>") : page.index("</header>")]
    for part in ("digits (not MNIST) · 2 epochs", "A Fast One · measured by RAPL", "torch 2.6.0"):
        assert part in head
    assert "In plain words" in page and "What it does not mean" in page


@pytest.mark.parametrize(
    ("meters", "told"),
    [
        (["estimate"], ([], True)),
        (["rapl", "energibridge"], (["RAPL", "EnergiBridge"], False)),
        (["rapl+nvml"], (["RAPL", "NVML"], False)),
        (["estimate+nvml"], (["NVML"], True)),
        (["unknown"], ([], False)),
    ],
)
def test_an_estimate_is_never_among_what_measured(meters, told):
    assert provenance.sources(meters) == told


def test_labels_tell_groups_apart_that_share_an_environment_or_differ_in_levels():
    style.configure(["keras-jax:tutorial@current", "torch@current"])
    assert style.label("keras-jax:tutorial@current") == "keras-jax:tutorial"
    style.configure(["torch@current", "torch@study"])
    assert style.label("torch@current") == "torch@current"
    levels = [f"a[batch-size={b},threads={t}]" for b in (32, 128) for t in (1, 2)]
    style.configure(levels)
    assert [style.label(name) for name in levels] == ["a[32,1]", "a[32,2]", "a[128,1]", "a[128,2]"]


def test_what_two_blocks_could_resolve_is_not_told_in_powers_of_ten():
    assert text.detectable(45.0) == "45%"
    assert text.detectable(1.2e40) == "over 10 times as much"
    assert text.within(3e30) == "a factor of over 10"
