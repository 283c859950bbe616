"""One look for all pictures: colours, markers, sizes, and how a figure becomes SVG and PNG."""

import io
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text

from analysis import files
from analysis.settings import Settings
from analysis.table import Table

#: Text and axes, lesser text, grid lines. The report maps them to its light and dark theme.
INK, MUTED, GRID, PAPER = "#1b1f24", "#5b6470", "#dfe3e8", "#fffffe"

#: Colours that stay apart for colour-blind readers (Okabe and Ito 2008; two more by Tol), each
#: with the lighter shade that the report uses on a dark page.
COLOURS = {
    "#d55e00": "#f28b4b",
    "#009e73": "#3ecfa3",
    "#0072b2": "#5fb0e8",
    "#cc79a7": "#e3a1c5",
    "#e69f00": "#f2bd4a",
    "#56b4e9": "#8fd0f5",
    "#882255": "#cf7aa4",
    "#997700": "#cbb04a",
}

#: The frameworks' own colours, the same in every report.
_KNOWN = {"torch": "#d55e00", "keras": "#009e73", "jax": "#0072b2"}

_MARKERS = "osD^vPX*"

#: Phases from light to dark, each with its shade for a dark page; hatches tell them apart in print.
PHASE_COLOURS = {
    "import": ("#d4d8de", "#4a525c"),
    "data": ("#a9c9e3", "#3d6280"),
    "build": ("#6fa3cf", "#5489b5"),
    "train": ("#2b6ca3", "#7db8e8"),
    "evaluate": ("#e0b354", "#e0b354"),
}

#: Pictures of few colours are small at any level; a low one is several times as fast.
_PNG = {"compress_level": 3}

#: Width of a figure in inches: it is shown near its own size, so that its text stays readable.
WIDTH = 4.3

#: Width of a paper's column in inches.
COLUMN = 3.5

_LONGEST_LABEL = 22

#: What every group's name has and no label needs: set by :func:`configure`.
_shared = ""

#: Characters of a legend's row, four of them for each handle.
_LEGEND_ROOM = 54

#: Of more trials than this a part is drawn: nobody tells more points apart, and a page of 100,000
#: takes a browser minutes.
MOST_POINTS = 1500

#: The page shows a figure at up to this many times its own size.
_ENLARGED = 1.25


@dataclass(frozen=True)
class Figure:
    """A finished picture. ``svg`` is for the page, ``files`` lie below the output folder."""

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    files: list[str]
    wide: bool = False


@dataclass(frozen=True)
class Palette:
    """The colour and marker of every group; the A/A twin is grey."""

    colours: dict[str, str]
    markers: dict[str, str]

    @classmethod
    def of(cls, table: Table) -> "Palette":
        """Known frameworks keep their colour; the others take what is left, by name."""
        colours: dict[str, str] = {}
        names = sorted(table.groups + table.sparse)
        for name in names:
            framework = name.split("@")[0]
            if framework in _KNOWN and _KNOWN[framework] not in colours.values():
                colours[name] = _KNOWN[framework]
        for name in names:
            free = [c for c in COLOURS if c not in colours.values()] or list(COLOURS)
            colours.setdefault(name, free[0])
        markers = {name: _MARKERS[i % len(_MARKERS)] for i, name in enumerate(names)}
        if table.twin:
            colours[table.twin], markers[table.twin] = MUTED, "x"
        return cls(colours, markers)


def _environment(name: str) -> str:
    """``@current`` of ``torch:compile@current[threads=1]``; nothing where there is none."""
    found = re.match(r"[^@\[]+(@[^\[ ]+)", name)
    return found.group(1) if found else ""


def configure(names: Sequence[str] = ()) -> None:
    """Set matplotlib's defaults for all figures of this process, and what labels leave out.

    An environment that all of ``names`` share tells none of them apart: their labels do without.
    """
    global _shared
    environments = {_environment(name) for name in names}
    _shared = environments.pop() if len(environments) == 1 and len(names) > 1 else ""
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",  # text stays text: searchable, editable, readable aloud
            "svg.hashsalt": "joulerace",
            "pdf.fonttype": 42,
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.linewidth": 0.8,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.formatter.use_mathtext": False,
            "axes.formatter.useoffset": False,
            "axes.unicode_minus": True,
            "grid.color": GRID,
            "grid.linewidth": 0.7,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "xtick.major.size": 3,
            "ytick.major.size": 3,
            "text.color": INK,
            "text.parse_math": False,  # a group called "$x$" is a name, no formula
            "legend.frameon": False,
            "legend.fontsize": 8.5,
            "hatch.linewidth": 0.6,
            "hatch.color": INK,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
        }
    )


def canvas(height: float, width: float = WIDTH, columns: int = 1) -> tuple[Canvas, list[Axes]]:
    """An empty figure of one row; sizes in inches."""
    figure = Canvas(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def label(name: str) -> str:
    """A group's name as a label: short enough not to run into its neighbours.

    What all groups have in common goes first: see :func:`configure`. Of levels the factors' names
    go next. Then the middle goes, for names tend to differ at their beginning or at their end.
    """
    name = name.replace(_shared, "", 1) if _shared else name
    if len(name) > _LONGEST_LABEL:
        name = re.sub(r"\[.*=.*\]", _levels, name)
    if len(name) <= _LONGEST_LABEL:
        return name
    tail = _LONGEST_LABEL // 3
    return f"{name[: _LONGEST_LABEL - tail - 1]}…{name[-tail:]}"


def _levels(match: re.Match[str]) -> str:
    """``[32,1]`` of ``[batch-size=32,threads=1]``."""
    return f"[{','.join(part.split('=')[-1] for part in match.group(0)[1:-1].split(','))}]"


def slug(name: str) -> str:
    """A name as part of a file's."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())


#: Letters of all labels below one picture's axes.
_LETTERS = 52


def folded(name: str, beside: int) -> str:
    """A label for an axis of its own among so many: in two lines where one has no room."""
    short = label(name)
    if len(short) <= _LETTERS // beside:
        return short
    middle = len(short) / 2
    ends = [m.end() for m in re.finditer(r"[-_ …]", short[:-1])] or [round(middle)]
    at = min(ends, key=lambda end: abs(end - middle))
    return f"{short[:at].rstrip()}\n{short[at:]}"


def group_axis(axes: Axes, names: list[str]) -> None:
    """Write the groups below the axis, slanted where they would touch."""
    axes.set_xticks(range(len(names)))
    room = _LETTERS // max(len(names), 1)
    slanted = max(len(label(n)) for n in names) > room
    axes.set_xticklabels(
        [label(n) for n in names],
        rotation=30 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", length=0)


def ratio_axis(axes: Axes) -> None:
    """Make the upright axis logarithmic, with plain round numbers."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [m * 10.0**p for p in powers for m in (1, 2, 3, 5)]
    ticks = [t for t in ticks if low <= t <= high]
    axes.set_yticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_yticks([], minor=True)


def legend(figure: Canvas, axes: Axes) -> None:
    """A legend above the axes, in as many columns as its longest name leaves room for.

    The figure grows by the rows after the first, so that the axes keep their size.
    """
    handles, names = axes.get_legend_handles_labels()
    one_row = sum(len(name) + 4 for name in names) <= _LEGEND_ROOM
    columns = len(names) if one_row else max(1, _LEGEND_ROOM // (max(map(len, names)) + 4))
    rows = -(-len(names) // columns)
    figure.set_figheight(figure.get_figheight() + 0.18 * (rows - 1))
    figure.legend(
        handles, names, loc="outside upper left", ncols=columns, handletextpad=0.3,
        columnspacing=1.0, handlelength=1.3, borderaxespad=0.2,
    )  # fmt: skip


def finish(
    figure: Canvas,
    settings: Settings,
    name: str,
    title: str,
    caption: str,
    alt: str,
    wide: bool = False,
) -> Figure:
    """Save a figure as ``plots/<name>.svg``, ``.png`` and ``.pdf``; keep its SVG for the page."""
    folder = settings.output / "plots"
    with warnings.catch_warnings():
        # A group's name in a script that the font lacks: the SVG still holds the text itself.
        warnings.simplefilter("ignore")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "joulerace"})
        figure.set_layout_engine("none")  # laid out already; doing it again only costs time
        _save(figure, folder / f"{name}.png")
        files.write(folder / f"{name}.pdf", _for_a_paper(figure, COLUMN * (2 if wide else 1)))
    svg = buffer.getvalue()
    paper = '<rect width="100%" height="100%" style="fill: #ffffff"/>'
    standalone = re.sub(r"(<svg\b[^>]*>)", lambda m: m.group(1) + paper, svg, count=1)
    files.write(folder / f"{name}.svg", standalone)
    written = [f"plots/{name}.{kind}" for kind in ("svg", "png", "pdf")]
    return Figure(name, title, caption, alt, inline(svg, name), written, wide)


def _save(figure: Canvas, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=300, facecolor="white", pil_kwargs=_PNG)
    files.write(path, buffer.getvalue())


def _for_a_paper(figure: Canvas, width: float) -> bytes:
    """The figure as PDF, ``width`` inches wide, all of it smaller by the same factor.

    It is drawn anew at that size, with its fonts embedded as TrueType, which journals ask for.
    """
    factor = width / figure.get_figwidth()
    ticks = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = axis.get_ticklabels()
        ticks |= {id(piece) for piece in labels}
        if labels:
            axis.set_tick_params(labelsize=labels[0].get_fontsize() * factor)
    for piece in figure.findobj(Text):
        if id(piece) not in ticks:
            piece.set_fontsize(piece.get_fontsize() * factor)
    figure.set_size_inches(width, figure.get_figheight() * factor)
    figure.set_layout_engine("constrained")
    buffer = io.BytesIO()
    metadata = {"CreationDate": None, "Creator": "joulerace", "Producer": None}
    figure.savefig(buffer, format="pdf", facecolor="white", metadata=metadata)
    return buffer.getvalue()


def inline(svg: str, name: str) -> str:
    """An SVG for the middle of a page: ids of its own, the page's font, colours by theme.

    The caller wraps it with a role and a text alternative.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'\b(xlink:href|href)="#', rf'\1="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-")
    body = re.sub(r"font(-family)?: ([^;\"]*?)'DejaVu Sans'[^;\"]*", _font, body)
    for colour in (INK, MUTED, GRID, PAPER, *COLOURS, *(c for c, _ in PHASE_COLOURS.values())):
        body = body.replace(colour, f"var(--c{colour[1:]})")
    head = re.match(r"<svg\b[^>]*>", body).group(0)
    view = re.search(r'viewBox="([^"]*)"', head).group(1)
    width = float(view.split()[2])
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" aria-hidden="true" '
        f'focusable="false" style="max-width: {width * 4 / 3 * _ENLARGED:.0f}px">'
    )
    return start + body[len(head) :].replace("xlink:href", "href")


def _font(match: re.Match[str]) -> str:
    return (
        f"font{match.group(1) or ''}: {match.group(2)}inherit"
        if match.group(1)
        else (f"font: {match.group(2)}var(--font)")
    )
