"""A page and the same as Markdown, from templates, in one file that needs nothing else."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis import files
from analysis.plots.style import COLOURS, GRID, INK, MUTED, PAPER, PHASE_COLOURS, Figure

_TEMPLATES = Path(__file__).with_name("templates")


def write(
    template: str,
    context: Mapping[str, Any],
    figures: Sequence[Figure],
    output: Path,
    squeeze: bool = False,
) -> list[str]:
    """Write ``report.html`` and ``report.md``; their names.

    With ``squeeze`` Markdown's empty lines, which parts that are left out leave, become one.
    """
    style, script = _asset("report.css") + _theme(), _asset("report.js")
    html = environment(html=True).get_template(f"{template}.html.j2")
    page = html.render(
        context,
        style=Markup(style),  # our own file, no user's text in it
        script=Markup(script),
        script_hash=_hash(script),
        pictures={f.name: Markup(f.svg) for f in figures},  # matplotlib escapes the text inside
    )
    files.write(output / "report.html", page)
    markdown = environment(html=False).get_template(f"{template}.md.j2").render(context)
    if squeeze:
        markdown = re.sub(r"\n{3,}", "\n\n", markdown)
    files.write(output / "report.md", markdown.strip() + "\n")
    return ["report.html", "report.md"]


def environment(html: bool, folder: Path = _TEMPLATES) -> jinja2.Environment:
    """The templates of ``folder``, with values escaped for HTML or, by ``md``, for Markdown."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["md"] = markdown_text
    return made


def markdown_text(value: Any) -> str:
    """Text for Markdown: nothing in it is taken for markup, HTML or a table's edge."""
    entities = (
        files.visible(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    return re.sub(r"\s+", " ", re.sub(r"([\\`*_\[\]|~])", r"\\\1", entities))


def _theme() -> str:
    """The pictures' colours as variables, for the light and for the dark page."""
    light = {c: c for c in (INK, MUTED, GRID, PAPER, *COLOURS)}
    light |= {c: c for c, _ in PHASE_COLOURS.values()}
    dark = {INK: "#e8eaed", MUTED: "#a3adb9", GRID: "#343b44", PAPER: "#1c2127", **COLOURS}
    dark |= dict(PHASE_COLOURS.values())

    def block(colours: Mapping[str, str]) -> str:
        return ";".join(f"--c{name[1:]}:{colour}" for name, colour in colours.items())

    return (
        f"\n:root{{{block(light)}}}\n@media screen and (prefers-color-scheme:dark)"
        f"{{:root{{{block(dark)}}}}}\n"
    )


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The script's hash for the page's policy: no other script can run."""
    digest = hashlib.sha256(script.encode()).digest()
    return "sha256-" + base64.b64encode(digest).decode()
