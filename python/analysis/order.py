"""Whether the order that was run was random and balanced.

A study's training script once reseeded the generator that its orchestrator shuffled with, and all
42 blocks followed one cycle of four. So the order that was run is tested, not the one intended.
"""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis import periods, written
from analysis.periods import MIN_TRIALS, Apart, Period
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN

#: Fewer complete blocks show neither balance nor a cycle.
_MIN_BLOCKS = 6

#: Random orders drawn to see how unbalanced chance alone would be.
_DRAWS = 4999

#: Orders drawn to see how often chance keeps the trials of a group together.
_SHUFFLES = 1999

#: Fewer where blocks and groups are many, for so many places at most are drawn.
_FEWEST_DRAWS, _MOST_CELLS = 499, 4_000_000

#: Below this share of random orders, an order is called unbalanced. Not alpha: one random order in
#: twenty is that unbalanced by chance, and blame for it would be wrong that often.
_UNBALANCED = 0.01

#: A repetition that chance would show less often than this is called one.
_UNLIKELY = 1e-3


@dataclass(frozen=True)
class Balance:
    """How often groups ran at each position, against random orders."""

    #: By group, then by position.
    position_counts: list[list[int]]
    balance_chi_square: float
    #: The share of random orders that are at least as unbalanced.
    balance_p: float


@dataclass(frozen=True)
class Repetition:
    """How the blocks' orders repeat; ``period`` is a cycle's length in blocks, None for none."""

    distinct_orders: int
    possible_orders: int
    #: Blocks with the order of the one before.
    same_as_previous: int
    period: int | None = None
    #: How likely random orders would show that cycle, and its orders.
    period_chance: float | None = None
    cycle: list[tuple[str, ...]] | None = field(default=None, metadata=WHERE_KNOWN)


@dataclass(frozen=True)
class Changes:
    """How often the group changes from one trial to the next, and how often it would at random."""

    changes: int
    expected_changes: float
    #: The share of random orders that change no more often.
    changes_p: float


@dataclass(frozen=True)
class Ran:
    """The order in which the trials ran, judged; None is what it was not judged by.

    ``verdict`` is one of ``unknown``, ``sequential`` (groups ran one after another, not in blocks),
    ``cyclic`` (the order repeats), ``unbalanced`` (positions are), ``random`` and ``few``. Without
    blocks, but with the times of all trials, it is ``sequential``, ``apart`` (some groups ran
    before others), ``stretches`` (a group went on for long), ``mixed`` or ``few``.
    """

    groups: list[str]
    #: Complete blocks.
    blocks: int
    verdict: str
    balance: Balance | None = None
    repetition: Repetition | None = None
    changes: Changes | None = None
    #: Without blocks: the groups that did not run at the same time, and when they did.
    apart: list[Apart] = field(default_factory=list)
    periods: list[Period] = field(default_factory=list)

    def written(self) -> dict[str, Any]:
        """For summary.json, where the parts are not told apart."""
        row: dict[str, Any] = {"groups": self.groups, "blocks": self.blocks}
        for part in (self.balance, self.repetition, self.changes):
            row |= written.fields(part) if part is not None else {}
        if self.changes is not None:
            row |= {"apart": self.apart, "periods": self.periods}
        return row | {"verdict": self.verdict}


def check(table: Table, settings: Settings) -> Ran:
    """The order's balance, repetition and whether blocks were run one after another."""
    known = table.frame[table.frame["run_order"].notna()].sort_values("run_order")
    frame = known[known["block"].notna()]
    names = [g for g in table.all_groups if g in set(frame["group"])]
    if len(names) < 2:
        return _without_blocks(table, known, settings)
    frame = frame[frame["group"].isin(names)]
    whole = _whole_blocks(frame, names)
    if _sequential(frame):
        return Ran(names, len(whole), "sequential")
    if len(whole) < _MIN_BLOCKS:
        return Ran(names, len(whole), "few")
    positions = np.array([[names.index(g) for g in order] for order in whole])
    balance = _balance(positions, len(names), settings.seed)
    repetition = _repetition(whole, len(names))
    if repetition.period:
        verdict = "cyclic"
    elif balance.balance_p < _UNBALANCED:
        verdict = "unbalanced"
    else:
        verdict = "random"
    return Ran(names, len(whole), verdict, balance, repetition)


def _without_blocks(table: Table, known: pd.DataFrame, settings: Settings) -> Ran:
    """Whether trials without blocks were mixed in time, by how often the group changes."""
    frame = known[known["group"].isin(table.all_groups)]
    groups = [*dict.fromkeys(frame["group"])]
    if len(groups) < 2 or table.usable["run_order"].isna().any():
        return Ran(groups, 0, "unknown")
    found = Changes(*changes(frame["group"].to_numpy(), settings.seed))
    apart, when = periods.apart(frame), periods.periods(frame)
    if _sequential(frame):
        verdict = "sequential"
    elif len(frame) < MIN_TRIALS * len(groups):
        verdict = "few"
    elif len(when) > 1:
        verdict = "apart"
    elif found.changes_p < _UNLIKELY and found.changes <= found.expected_changes / 2:
        verdict = "stretches"
    else:
        verdict = "apart" if apart else "mixed"
    return Ran(groups, 0, verdict, changes=found, apart=apart, periods=when)


def changes(groups: np.ndarray, seed: int) -> tuple[int, float, float]:
    """How often the group changes from one trial to the next, and how often it would at random.

    For the groups of the trials in the order in which they ran: the number, its mean over random
    orders of the same trials, and the share of those that change no more often.
    """
    _, codes = np.unique(groups.astype(str), return_inverse=True)
    seen = int((codes[1:] != codes[:-1]).sum())
    rng = np.random.default_rng(seed)
    draws = np.array([np.count_nonzero(np.diff(rng.permutation(codes))) for _ in range(_SHUFFLES)])
    return seen, float(draws.mean()), float((1 + (draws <= seen).sum()) / (_SHUFFLES + 1))


def _whole_blocks(frame: pd.DataFrame, names: list[str]) -> list[tuple[str, ...]]:
    """Each complete block's groups in the order in which they ran, blocks in time order."""
    orders = frame.groupby("block", sort=False)["group"].agg(tuple)
    return [order for order in orders if len(order) == len(names) == len(set(order))]


def _sequential(frame: pd.DataFrame) -> bool:
    """Whether a group changes so seldom that the groups must have run one after another."""
    seen = int((frame["group"] != frame["group"].shift()).sum()) - 1
    groups = frame["group"].nunique()
    return len(frame) >= MIN_TRIALS * groups and seen == groups - 1


def _balance(positions: np.ndarray, groups: int, seed: int) -> Balance:
    """Chi-square of group by position against its distribution over random orders.

    Every block is a permutation, so the counts' margins are fixed and the usual chi-square table
    does not apply; the p-value is the share of random orders at least as unbalanced.
    """
    blocks = len(positions)
    rng = np.random.default_rng(seed)
    number = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_CELLS // (blocks * groups)))
    draws = np.tile(np.arange(groups, dtype=np.int16), (number, blocks, 1))
    draws = rng.permuted(draws, axis=2)
    observed = _chi_square(positions[None], groups)[0]
    chance = _chi_square(draws, groups)
    counts = [
        np.bincount(positions[:, place], minlength=groups).tolist() for place in range(groups)
    ]
    return Balance(
        position_counts=np.array(counts).T.tolist(),
        balance_chi_square=float(observed),
        balance_p=float((1 + np.sum(chance >= observed - 1e-9)) / (number + 1)),
    )


def _chi_square(orders: np.ndarray, groups: int) -> np.ndarray:
    """For (draws, blocks, places) of group numbers: the statistic of each draw."""
    expected = orders.shape[1] / groups
    total = np.zeros(len(orders))
    for group in range(groups):
        counts = (orders == group).sum(axis=1)
        total += ((counts - expected) ** 2 / expected).sum(axis=1)
    return total


def _repetition(orders: list[tuple[str, ...]], groups: int) -> Repetition:
    """The shortest cycle that the orders repeat, where chance would hardly make it.

    A cycle of length p leaves ``n - p`` blocks that each had to match by a chance of 1 in k!.
    """
    blocks, arrangements = len(orders), math.factorial(groups)
    found = Repetition(
        distinct_orders=len(set(orders)),
        possible_orders=arrangements,
        same_as_previous=sum(x == y for x, y in pairwise(orders)),
    )
    for period in range(1, blocks // 2 + 1):
        if all(orders[i] == orders[i - period] for i in range(period, blocks)):
            chance = float(arrangements ** -(blocks - period))
            if chance < _UNLIKELY:
                return replace(found, period=period, period_chance=chance, cycle=orders[:period])
            break
    return found
