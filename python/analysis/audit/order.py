"""The order of the runs, and whether their numbers make blocks."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis import periods
from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, percent, plural
from analysis.order import changes

#: What chance would show less often than this is a finding.
_UNLIKELY = 1e-3

#: A few runs of each group stand one group after another by chance, too.
_ONE_BY_ONE = 0.01

#: Fewer blocks show no cycle.
_FEWEST_BLOCKS = 4

#: Blocks are meant to be complete where this share of them is.
_MEANT = 0.5

_CANNOT = "what time did to the runs cannot be taken out afterwards"


def check(trials: Trials) -> Iterator[Finding]:
    """Order by group or in other periods, one that repeats, numbers in time, incomplete blocks."""
    by_group = list(_by_group(trials))
    yield from by_group
    if not by_group:
        yield from _apart(trials)
    numbered = list(_numbered(trials))
    yield from numbered
    if not numbered:
        yield from _repeats(trials)
        yield from _incomplete(trials)


def _by_group(trials: Trials) -> Iterator[Finding]:
    frame = trials.frame[trials.frame["run_order"].notna()].sort_values("run_order")
    groups = frame["group"].to_numpy()
    names = np.unique(groups)
    if len(names) < 2 or len(frame) < 3 * len(names):
        return
    seen, expected, chance = changes(groups, seed=42)
    one_by_one = seen == len(names) - 1 and chance < _ONE_BY_ONE
    if not one_by_one and (chance >= _UNLIKELY or seen > expected / 2):
        return
    how = "one group after another" if one_by_one else "in long stretches of one group"
    yield Finding(
        kind="order-by-group",
        severity="serious" if one_by_one else "warning",
        title=f"The runs went {how}, not in random order",
        evidence=f"The group changes {plural(seen, 'time')} over {len(frame)} runs; in random "
        f"order it would some {expected:.0f} times. Whatever drifted (heat, load, updates) "
        "is part of the difference.",
        trials=frame.index,
        of=len(trials.frame),
        groups=tuple(names),
        numbers={"changes": seen, "expected": expected, "chance": chance},
        cannot=_CANNOT,
    )


def _apart(trials: Trials) -> Iterator[Finding]:
    """Groups of which one ran before another, as those of two days do."""
    frame = trials.frame[trials.frame["run_order"].notna()].sort_values("run_order")
    pairs, when = periods.apart(frame), periods.periods(frame)
    if not pairs:
        return
    told = periods.told(pairs, when)
    yield Finding(
        kind="order-apart",
        severity="serious" if len(when) > 1 else "warning",
        title="Not all groups ran at the same time",
        evidence=f"{told[0].upper()}{told[1:]}. Whatever changed meanwhile is part of the "
        "difference.",
        trials=frame.index,
        of=len(trials.frame),
        groups=tuple(sorted({group for p in pairs for group in (p.first, p.later)})),
        numbers={"periods": len(when), "pairs": len(pairs)},
        cannot=_CANNOT,
    )


def _numbered(trials: Trials) -> Iterator[Finding]:
    """Numbers that no two groups share count runs; they pair nothing."""
    frame = trials.frame[trials.frame["number"].notna()]
    names = frame["group"].unique()
    if len(names) < 2 or len(frame) < 3 * len(names):
        return
    shared = frame.groupby("number")["group"].nunique()
    unique = frame["number"].nunique()
    if (shared > 1).any() or unique < MOST_DISTINCT * len(frame):
        return
    ranges = frame.groupby("group")["number"].agg(["min", "max"]).sort_values("min")
    apart = (ranges["min"].iloc[1:].to_numpy() > ranges["max"].iloc[:-1].to_numpy()).all()
    told = [f"{group} {r['min']:.0f} to {r['max']:.0f}" for group, r in ranges.iterrows()]
    yield Finding(
        kind="numbered-in-time",
        severity="warning" if apart else "note",
        title="The runs are numbered through all groups: the numbers are no blocks",
        evidence=f"No number belongs to two groups ({join(told, '; ')}).",
        trials=frame.index,
        of=len(trials.frame),
        groups=tuple(sorted(names)),
        numbers={"ranges": {g: [float(r["min"]), float(r["max"])] for g, r in ranges.iterrows()}},
        cannot="runs that were not made in blocks cannot be paired",
    )


#: Numbers count runs where so many of them are different.
MOST_DISTINCT = 0.95


def _blocks(trials: Trials) -> pd.Series | None:
    """Each trial's block, where numbers come back in several groups."""
    frame = trials.frame
    if frame["number"].notna().any():
        return frame["number"]
    stated = frame["table_block"]
    return stated if stated.notna().any() else None


def _repeats(trials: Trials) -> Iterator[Finding]:
    blocks = _blocks(trials)
    if blocks is None:
        return
    frame = trials.frame.assign(of=blocks)
    frame = frame[frame["of"].notna() & frame["run_order"].notna()].sort_values("run_order")
    names = frame["group"].nunique()
    by_block = frame.groupby("of", sort=False)["group"].agg(tuple)
    orders = [o for o in by_block if len(o) == names == len(set(o))]
    if len(orders) < _FEWEST_BLOCKS or names < 2:
        return
    for period in range(1, len(orders) // 2 + 1):
        if any(orders[i] != orders[i - period] for i in range(period, len(orders))):
            continue
        chance = float(math.factorial(names)) ** -(len(orders) - period)
        if chance < _UNLIKELY:
            cycle = "; ".join(" ".join(order) for order in orders[:period][:3])
            every = "in every block" if period == 1 else f"every {period} blocks"
            yield Finding(
                kind="order-repeats",
                severity="warning",
                title="The order within blocks repeats",
                evidence=f"{len(orders)} blocks have the same order {every} ({cycle}); random "
                f"order would do so once in {1 / chance:.2g} times. A group always has the same "
                "place and predecessor.",
                trials=frame.index,
                of=len(trials.frame),
                numbers={"blocks": len(orders), "period": period, "chance": chance},
                cannot=_CANNOT,
            )
        return


def _incomplete(trials: Trials) -> Iterator[Finding]:
    blocks = _blocks(trials)
    frame = trials.frame
    if blocks is None or frame["group"].nunique() < 2:
        return
    frame = frame.assign(of=blocks)
    frame = frame[frame["of"].notna()]
    used = frame[frame["used"]].groupby("of")["group"].nunique()
    groups = frame["group"].nunique()
    each = used.reindex(frame["of"].unique()).fillna(0)
    lacking = each[each < groups]
    if not len(lacking) or len(each) < 2 or 1 - len(lacking) / len(each) < _MEANT:
        return
    rows = frame.index[frame["of"].isin(lacking.index)]
    there = frame[frame["used"]].groupby("group")["of"].nunique()
    absent = {g: int(len(each) - there.get(g, 0)) for g in sorted(frame["group"].unique())}
    told = [f"{g} in {n}" for g, n in absent.items() if n]
    named = join([f"{b:g}" if isinstance(b, float) else str(b) for b in lacking.index], most=6)
    yield Finding(
        kind="blocks-incomplete",
        severity="warning",
        title="Blocks are incomplete",
        evidence=f"{len(lacking)} of {len(each)} blocks ({percent(len(lacking) / len(each))}) lack "
        f"a usable run of a group: {named}. Missing are {join(told)}.",
        trials=rows,
        of=len(trials.frame),
        numbers={"blocks": len(each), "incomplete": len(lacking), "missing": absent},
        drop=rows,
    )
