"""``audit.json``, ``audit.md`` and ``audit.html``: the same findings three times."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis.audit.finding import SEVERITIES, Finding
from analysis.audit.left import Remains, Without
from analysis.audit.trials import Trials
from analysis.audit.words import join, plural
from analysis.files import visible
from analysis.files import write as write_text
from analysis.page import environment
from analysis.text import quantity
from analysis.written import json_text

#: Changes when a field is renamed, removed or changes its meaning.
SCHEMA = 1

_HERE = Path(__file__).parent


def write(
    trials: Trials,
    findings: list[Finding],
    remains: Remains,
    request: Mapping[str, Any],
    output: Path,
) -> tuple[str, list[str]]:
    """Write the three files, and give the answer and their names."""
    answer = sentence(trials, findings, remains)
    content = {
        "schema": SCHEMA,
        "title": request.get("title") or "Energy table",
        "version": request.get("version") or "",
        "command": request.get("command") or "",
        "columns": request.get("by") or "",
        "sentence": answer,
        "trials": {
            "all": len(trials.frame),
            "used": len(trials.used),
            "groups": {g: int(n) for g, n in trials.frame["group"].value_counts().items()},
        },
        "severities": {s: sum(f.severity == s for f in findings) for s in reversed(SEVERITIES)},
        "findings": [_finding(finding) for finding in findings],
        "left": _left(remains),
    }
    write_text(output / "audit.json", visible(json_text(content)))
    shown = content | {
        "means": _means(remains),
        "style": Markup((_HERE.parent / "templates/report.css").read_text("utf-8")),
    }
    for name, html in (("audit.html", True), ("audit.md", False)):
        write_text(output / name, environment(html, _HERE).get_template(f"{name}.j2").render(shown))
    return answer, ["audit.json", "audit.md", "audit.html"]


def sentence(trials: Trials, findings: list[Finding], remains: Remains) -> str:
    """The answer in a sentence or two."""
    runs = f"{plural(len(trials.frame), 'trial')} of {plural(len(trials.groups), 'group')}"
    if not findings:
        return f"Nothing was found in {runs} that speaks against the numbers."
    counts = [(s, sum(f.severity == s for f in findings)) for s in reversed(SEVERITIES)]
    words = {"serious": "serious finding", "warning": "warning", "note": "note"}
    told = join([plural(n, words[s]) for s, n in counts if n])
    begins = f"{told} in {runs}."
    if remains.published is None or len(remains.published.means) < 2:
        return begins
    changing = [w for w in remains.each if w.changes]
    if not changing:
        return f"{begins} The ranking does not change by what can be left out."
    names = join([f"“{w.title}”" for w in changing], most=3)
    return f"{begins} The ranking changes without {names}."


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "title": finding.title,
        "evidence": finding.evidence,
        "trials": len(finding.trials) + int(finding.numbers.get("files", 0)),
        "of": finding.of,
        "groups": list(finding.groups),
        "numbers": finding.numbers,
    }


def _left(remains: Remains) -> dict[str, Any]:
    published = remains.published
    together = remains.together
    rows = [*remains.each, *([together] if together else [])]
    return {
        "as_published": published.row() if published else None,
        "without": [_without(row) for row in rows],
        "sentences": _sentences(remains),
    }


def _without(row: Without) -> dict[str, Any]:
    return {
        "finding": row.kind,
        "title": row.title,
        "how": row.how,
        "changes": row.changes,
        "what": row.what,
        "comparison": row.comparison.row() if row.comparison else None,
    }


def _sentences(remains: Remains) -> list[str]:
    """What the terminal shows: the ranking, each change, and what stays."""
    published = remains.published
    if published is None or len(published.means) < 2:
        return []
    within = " (within blocks)" if published.paired else ""
    told = [f"As published{within}: {published}"]
    for row in [*remains.each, *([remains.together] if remains.together else [])]:
        if row.changes:
            ranking = f": {row.comparison}" if row.comparison else ""
            told.append(
                f"Without “{row.title}” ({row.how}) the ranking changes{ranking}; {row.what}"
            )
    stays = [row.title for row in remains.each if not row.changes and row.comparison]
    if stays:
        told.append("It stays without " + join([f"“{title}”" for title in stays], most=12))
    fixed = [row.title for row in remains.each if not row.comparison and not row.changes]
    if fixed:
        told.append("Cannot be left out: " + join([f"“{title}”" for title in fixed], most=12))
    return told


def _means(remains: Remains) -> list[tuple[str, str]]:
    published = remains.published
    if published is None:
        return []
    return [(group, quantity(published.means[group], "J")) for group in published.ranked]
