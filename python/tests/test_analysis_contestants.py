"""The report names every contestant's version, variant, environment and lock."""

from test_analysis_made import build, race, request
from test_analysis_structure import pack

import analysis
from analysis import contestants, plain
from analysis.experiment import Experiment

LOCKS = ("a" * 64, "b" * 64)
RECORD = {
    "contestants": [
        {
            "treatment": "torch:compile@current", "framework": "torch", "variant": "compile",
            "sentence": "torch.compile over the whole step.", "environment": "current",
            "python": "3.12.4", "packages": {"torch": "2.9.0"}, "lock": LOCKS[0],
            "lock_file": None,
        },
        {
            "treatment": "jax@0.4.30", "framework": "jax", "variant": None, "sentence": None,
            "environment": "0.4.30", "python": "3.11.7",
            "packages": {"jax": "0.4.30", "jaxlib": "0.4.30"}, "lock": LOCKS[1],
            "lock_file": "locks/jax@0.4.30.txt",
        },
    ]
}  # fmt: skip


def test_variant_versions_environment_and_lock_of_each_are_on_the_page(tmp_path):
    trials = race({"torch:compile@current": 1.0, "jax@0.4.30": 1.1}, blocks=8)
    arrays, strings = pack(trials)
    analysis.run(request(tmp_path, strings, experiment=RECORD), arrays, lambda _: None)
    for name in ("report.md", "report.html"):
        page = (tmp_path / name).read_text("utf-8").replace("\\", "")
        for word in (
            "torch 2.9.0", "jax 0.4.30, jaxlib 0.4.30", "3.12.4", "aaaaaaaaaaaa…",
            "locks/jax@0.4.30.txt", "compile: torch.compile over the whole step",
            "in environment current",
        ):  # fmt: skip
            assert word in page, (name, word)


def test_the_head_names_versions_by_contestant_where_environments_differ(tmp_path):
    trials = race({"torch:compile@current": 1.0, "jax@0.4.30": 1.1}, blocks=8)
    table, settings = build(trials, tmp_path, experiment=RECORD)
    head = " ".join(plain.head(table, settings))
    assert "torch:compile@current: torch 2.9.0 · jax@0.4.30: jax 0.4.30" in head


def test_of_many_contestants_the_head_has_each_package_once_and_none_of_another_environment(
    tmp_path,
):
    own = {"packages": {"torch": "1.0", "jax": "0.1"}, "version": "3.11.7"}
    many = [
        {"treatment": f"jax@0.{n}", "environment": f"0.{n}", "packages": {"jax": f"0.{n}"}}
        for n in range(4, 10)
    ]
    many += [{"treatment": "torch@new", "environment": "new", "packages": {"torch": "2.9"}}]
    record = {"contestants": many, "environment": own}
    assert contestants.versions(Experiment.parse(record)) == ["jax in 6 versions", "torch 2.9"]
    one = {"contestants": [{**many[-1]}], "environment": own}
    assert contestants.versions(Experiment.parse(one)) == ["torch@new: torch 2.9"]


def test_an_earlier_record_says_what_its_one_environment_holds():
    earlier = {
        "settings": {"treatments": [{"name": "keras", "framework": "keras"}]},
        "environment": {"version": "3.11.7", "packages": {"keras": "3.8", "tensorflow": "2.19"}},
        "conditions": {"lock": LOCKS[0]},
    }
    (row,) = contestants.table(Experiment.parse(earlier)).rows
    assert [c.text for c in row] == [
        "keras", "the script as it is", "keras 3.8, tensorflow 2.19", "3.11.7",
        "the experiment’s own", "aaaaaaaaaaaa…",
    ]  # fmt: skip
    assert (
        contestants.table(Experiment.parse({})) is None
        and contestants.method(Experiment.parse({})) == ""
    )


def test_a_program_of_its_own_is_told_with_its_version_and_lock():
    burn = {"treatment": "burn", "packages": {"burn": "0.20.1"}, "lock": "c" * 64}
    record = {"contestants": [{**burn, "program_lock": "d" * 64}]}
    told = contestants.method(Experiment.parse(record))
    assert "burn (burn 0.20.1)" in told
    assert "lock cccccccccccc…, its program’s dddddddddddd…" in told


def test_of_many_the_method_points_to_the_table():
    many = {"contestants": [{"treatment": f"t{i}", "lock": LOCKS[i % 2]} for i in range(9)]}
    assert contestants.method(Experiment.parse(many)).startswith("9 treatments under 2 locks")
