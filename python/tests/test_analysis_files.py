"""Results are written into folders that may be a stranger's."""

import os
import stat

import pytest

from analysis import files
from analysis.settings import RequestError
from analysis.written import _cell


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "analysis"
    inside.mkdir()
    (tmp_path / "mine").write_text("mine")
    return inside


def test_a_result_is_never_written_through_a_link(folder):
    (folder / "report.md").symlink_to("../mine")
    with pytest.raises(RequestError, match=r"report\.md is a symbolic link"):
        files.write(folder / "report.md", "theirs")
    (folder / "report.md.part").symlink_to("../mine")
    files.write(folder / "pairs.csv", "a,b\n")
    assert (folder.parent / "mine").read_text() == "mine"
    assert sorted(os.listdir(folder)) == ["pairs.csv", "report.md", "report.md.part"]


def test_a_folder_of_results_that_is_a_link_is_refused(folder):
    (folder / "plots").symlink_to("..")
    for call in (
        lambda: files.make_folder(folder / "plots"),
        lambda: files.write(folder / "plots" / "violins.svg", "<svg/>"),
    ):
        with pytest.raises(RequestError, match="plots is a symbolic link"):
            call()
    assert sorted(os.listdir(folder.parent)) == ["analysis", "mine"]


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "summary.json")
    with pytest.raises(RequestError, match="named pipe"):
        files.write(folder / "summary.json", "{}")


def test_modes_follow_the_umask(folder):
    before = os.umask(0o027)
    try:
        files.write(folder / "groups.csv", "a\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "groups.csv").stat().st_mode) == 0o640


def test_text_that_acts_is_shown_instead(folder):
    files.write(folder / "report.md", "a\rb\x1b]0;x\x07\u202ec\nd")
    assert (folder / "report.md").read_text() == "a\\u{d}b\\u{1b}]0;x\\u{7}\\u{202e}c\nd"
    assert [files.cell(text) for text in ("=1+1", " @A1", "-x", "torch", "3-2")] == [
        "'=1+1",
        "' @A1",
        "'-x",
        "torch",
        "3-2",
    ]
    assert (_cell(-1.5), _cell("-1.5"), _cell(True)) == ("-1.5", "'-1.5", "true")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/ann/x", "~/x"),
        ("a=/home/ann:/home/ann/y", "a=~:~/y"),
        ("file:///home/ann/y", "file://~/y"),
        ("/x/home/ann/d", "/x/home/ann/d"),
        ("/home/anna", "/home/anna"),
        ("one\n/home/ann", "one\n~"),
    ],
)
def test_a_home_is_matched_by_whole_components(monkeypatch, text, wanted):
    monkeypatch.setenv("HOME", "/home/ann")
    assert files.private(text) == wanted
