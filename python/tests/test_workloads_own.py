"""A workload of one's own, as docs/workloads.md has it: its scripts are taken from that page."""

import re
from pathlib import Path

import pytest
from conftest import in_process

PAGE = Path(__file__).parents[2] / "docs" / "workloads.md"

RUN = """
import harness
framework, variant, folder = arguments
request = {"framework": framework, "variant": variant, "workload": folder, "job": {"seed": 3}}
try:
    harness.run(request, emit)
except ValueError as error:
    emit({"event": "error", "text": str(error)})
"""


@pytest.fixture
def sums(tmp_path):
    """The page's folder."""
    folder = tmp_path / "sums"
    folder.mkdir()
    page = PAGE.read_text(encoding="utf-8")
    names = re.findall(r"`sums/(\w+\.py)`:", page)
    scripts = re.findall(r"```python\n(.*?)```", page, re.S)
    for name, script in zip(names, scripts, strict=True):
        assert len([line for line in script.splitlines() if line.strip()]) <= 20
        (folder / name).write_text(script, encoding="utf-8")
    return folder


def test_the_pages_scripts_find_the_same(sums):
    found = []
    for framework, variant in (("python", None), ("python", "fsum"), ("numpy", None)):
        *events, result = in_process(RUN, framework, variant, "sums", workload=sums)
        assert [(e["phase"], e["edge"]) for e in events[-2:]] == [("sum", "begin"), ("sum", "end")]
        assert result["frameworks_loaded"] == [framework]
        assert result["expected"] == {}
        found.append(result["outcome"])
    # A million draws from 0 to 999: mean 499.5, standard error 1e6 · 289 / 1000.
    assert abs(found[0]["sum"] - 499.5e6) < 5 * 289e3
    assert found[0] == found[1] == found[2]


def test_a_script_that_tells_nothing_is_refused(sums):
    (sums / "idle_sums.py").write_text("def run(job, phase): pass")
    *_, error = in_process(RUN, "idle", None, "sums", workload=sums)
    assert "run() of idle returned None" in error["text"]
