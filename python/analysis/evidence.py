"""The table's trials as the arrays that the decision is made from."""

from itertools import combinations

import numpy as np
import pandas as pd

from analysis.decision import Decision, Trials, decide
from analysis.settings import Control, Settings
from analysis.table import Table


def comparisons(table: Table, settings: Settings) -> tuple[tuple[str, str], ...]:
    """The pairs of groups that are compared, each base first, in the order of presentation.

    All pairs, unless the experiment declared fewer before its first trial; those of a history or of
    levels as they were declared, the earlier one first.
    """
    declared = settings.protocol.comparisons
    pairs = list(combinations(table.groups, 2))
    if not declared:
        return tuple(pairs)
    if settings.protocol.structured:
        known = tuple(pair for pair in declared if set(pair) <= set(table.groups))
        if known:
            return known
    wanted = {frozenset(pair) for pair in declared}
    return tuple(pair for pair in pairs if frozenset(pair) in wanted) or tuple(pairs)


def trials(table: Table, metric: str, settings: Settings, order: bool = True) -> Trials:
    """One metric's arrays; without ``order`` nothing is known of positions and predecessors."""
    pairs = comparisons(table, settings)
    twin = _twin(table, settings)
    names = [*table.groups, *((twin.twin,) if twin else ())]
    wide = table.wide(metric).reindex(columns=names)
    logs = np.log(wide.to_numpy(float)) if len(wide) else np.empty((0, len(names)))
    place = {name: i for i, name in enumerate(names)}
    position = predecessor = times = None
    if order:
        position = _spread(table.usable, "position", wide)
        predecessor = _predecessors(table, wide, place, settings)
        if (fixed := _fixed_places(position)) is not None:
            position = np.tile(fixed.astype(float), (len(wide), 1))
            if predecessor is not None:
                before = np.append(-1, np.argsort(fixed)[:-1])[fixed]
                predecessor = np.tile(before.astype(float), (len(wide), 1))
        times = _times(table, wide)
    return Trials(
        logs=logs,
        comparisons=[(place[a], place[b]) for a, b in pairs],
        position=position,
        predecessor=predecessor,
        times=times,
        free=[np.log(table.values(metric, name)) for name in names],
        control=(place[twin.treatment], place[twin.twin]) if twin else None,
        alpha=settings.alpha,
        margin=_margin(settings) if metric == "energy_j" else None,
        strata=strata(table, wide),
        looks=settings.protocol.looks if metric == "energy_j" else None,
    )


def strata(table: Table, wide: pd.DataFrame) -> np.ndarray | None:
    """The machine of every block as a number; None where there is one, or it is not on record."""
    known = table.machines().reindex(wide.index)
    if known.isna().any() or known.nunique() < 2:
        return None
    return pd.factorize(known)[0]


def decided(table: Table, settings: Settings) -> Decision:
    """The decision about energy."""
    return decide(trials(table, "energy_j", settings))


def _twin(table: Table, settings: Settings) -> Control | None:
    """The A/A control, where both its treatment and its twin have usable trials."""
    control = settings.control
    both = table.twin and control and control.treatment in table.groups
    return control if both else None


def _margin(settings: Settings) -> float | None:
    margin = settings.margin
    return None if margin is None else float(np.log1p(margin / 100.0))


def _spread(usable: pd.DataFrame, column: str, wide: pd.DataFrame) -> np.ndarray | None:
    """A column of the usable trials, blocks by groups as ``wide``."""
    rows = usable[["block", "group", column]].dropna(subset=["block"])
    if not rows[column].notna().any():
        return None
    rows = rows[~rows.duplicated(["block", "group"], keep=False)]
    found = rows.pivot(index="block", columns="group", values=column)
    return found.reindex(index=wide.index, columns=wide.columns).to_numpy(float)


def _fixed_places(position: np.ndarray | None) -> np.ndarray | None:
    """Each group's place where all blocks have one order, None where orders differ.

    A trial that is missing moves those after it by one, which is no experiment in positions: by the
    order itself neither position nor predecessor can be told from the group.
    """
    if position is None or len(position) < 2 or position.shape[1] < 2:
        return None
    with np.errstate(invalid="ignore"):
        later = position[:, :, None] - position[:, None, :]
    known = np.isfinite(later).sum(axis=0)
    signs = np.nansum(np.sign(later), axis=0)
    apart = ~np.eye(len(known), dtype=bool)
    if (np.abs(signs) != known)[apart].any() or (known[apart] < 2).any():
        return None
    return (signs > 0).sum(axis=1)


def _predecessors(
    table: Table, wide: pd.DataFrame, place: dict[str, int], settings: Settings
) -> np.ndarray | None:
    """What ran before, as a column's number; the twin is the same treatment as its own."""
    codes = dict(place)
    if table.twin and settings.control:
        codes[table.twin] = codes.get(settings.control.treatment, -1)
    coded = table.usable["predecessor"].map(codes).astype(float)
    if not coded.notna().any():
        return None
    return _spread(table.usable.assign(predecessor=coded), "predecessor", wide)


def _times(table: Table, wide: pd.DataFrame) -> np.ndarray | None:
    """Each block's mean start in hours, or its mean place in the order; None where unknown."""
    for column, scale in (("start_unix_s", 3600.0), ("run_order", 1.0)):
        means = table.usable.groupby("block")[column].mean().reindex(wide.index)
        if len(means) and means.notna().all():
            return ((means - means.min()) / scale).to_numpy(float)
    return None
