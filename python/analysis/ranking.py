"""Which group used least, and every comparison at a glance where there are several."""

from collections.abc import Sequence
from dataclasses import replace

from analysis import text
from analysis.cells import Cell, Column, Tabulation, change, number, words
from analysis.findings import Findings
from analysis.outcome import Outcome, Place
from analysis.table import Table


def places(table: Table, found: Findings, comparisons: list[Outcome]) -> list[Place]:
    """The groups by geometric mean energy; ``first`` and ``last`` bound each one's place.

    A group's place is after all from which it is resolved as using more, and before all from which
    it is resolved as using less; those in between are tied with it.
    """
    means = {
        r.group: r.geometric_mean
        for r in found.groups
        if r.metric == "energy_j" and r.group in table.groups and r.geometric_mean is not None
    }
    below: dict[str, set[str]] = {g: set() for g in table.groups}
    above: dict[str, set[str]] = {g: set() for g in table.groups}
    for c in comparisons:
        if c.resolved:
            more, less = (c.group, c.base) if c.known.pct > 0 else (c.base, c.group)
            below[more].add(less)
            above[less].add(more)
    names = sorted(means, key=lambda g: means[g])
    return [
        Place(
            group=g,
            geometric_mean_j=means[g],
            first=1 + len(below[g]),
            last=len(names) - len(above[g]),
            tied_with=[o for o in names if o != g and o not in below[g] | above[g]],
        )
        for g in names
    ]


def table(rows: Sequence[Place], comparisons: Sequence[Outcome]) -> Tabulation | None:
    """The groups from the one that used least, with the places that each may have.

    How much more each used is its comparison's own estimate, as everywhere else.
    """
    if len(rows) < 3:
        return None
    scale = text.Scale.fit([r.geometric_mean_j for r in rows], "J")
    least = rows[0].geometric_mean_j
    known = {(c.base, c.group): c for c in _both_ways(comparisons)}
    columns = [
        Column("Group", False), Column("Place"), Column(f"Geometric mean ({scale.unit})"),
        Column("Against the least"), Column("Not resolved from", False),
    ]  # fmt: skip
    cells = []
    for r in rows:
        place = f"{r.first}" if r.first == r.last else f"{r.first}–{r.last}"
        ties = r.tied_with
        tied = text.join(ties) if len(ties) <= _MOST_TIES else f"{len(ties)} groups"
        c = known.get((rows[0].group, r.group))
        if c is None or c.pct_change is None:
            pct = 100.0 * (r.geometric_mean_j / least - 1.0)
            shown = text.change(pct, None, None)[0]
        else:
            pct, shown = c.pct_change, change(c).text
        cells.append(
            [
                words(r.group),
                number(r.first, place),
                number(r.geometric_mean_j, scale.format(r.geometric_mean_j)),
                number(pct, "least" if r is rows[0] else shown),
                words(tied or "–"),
            ]
        )
    notes = ["A place from–to is open between groups that are not resolved from each other."]
    if any(c.within_blocks for c in comparisons):
        notes.append(
            "Geometric means are of all usable trials; “against the least” is of the blocks that "
            "both have."
        )
    return Tabulation("Ranking by energy", columns, cells, notes)


def _both_ways(comparisons: Sequence[Outcome]) -> list[Outcome]:
    """Every comparison, and each turned around: the base against the group."""
    return [*comparisons, *(_turned(c) for c in comparisons)]


def _turned(c: Outcome) -> Outcome:
    def inverse(pct: float | None) -> float | None:
        return None if pct is None else 100.0 * (1.0 / (1.0 + pct / 100.0) - 1.0)

    return replace(
        c,
        base=c.group,
        group=c.base,
        pct_change=inverse(c.pct_change),
        ci_low=inverse(c.ci_high),
        ci_high=inverse(c.ci_low),
    )


#: More ties than this are counted.
_MOST_TIES = 5


def matrix(comparisons: Sequence[Outcome], rows: Sequence[Place]) -> Tabulation | None:
    """How the row's group differs from the column's; unresolved ones in brackets.

    None for few groups, whose pairs stand in a list, and for so many that a picture must do.
    """
    names = [r.group for r in rows]
    if not _FEWEST_IN_MATRIX <= len(names) <= MOST_IN_MATRIX:
        return None
    known = {(c.group, c.base): c for c in _both_ways(comparisons)}
    columns = [Column("Group", False), *(Column(name) for name in names)]
    cells = [[words(row), *(_matrix_cell(known, row, column) for column in names)] for row in names]
    note = "Change of energy of the row’s group against the column’s; not resolved in brackets."
    return Tabulation("Every comparison", columns, cells, [note])


#: Groups of which a matrix is a table.
_FEWEST_IN_MATRIX, MOST_IN_MATRIX = 4, 12


def _matrix_cell(known: dict[tuple[str, str], Outcome], row: str, column: str) -> Cell:
    if row == column:
        return number(None, "·")
    one = known.get((row, column))
    if one is None or one.pct_change is None:
        return number(None)
    shown = change(one).text
    return number(one.pct_change, shown if one.resolved else f"({shown})")
