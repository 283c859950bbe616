"""Trials that lasted far shorter or longer than the others of their group.

A run that broke off after two seconds where the others take seven minutes has a file like any
other, and its few joules enter the mean: nobody wrote down that it failed. Whether it did cannot be
known from the file, so such trials count, are named, and the result without them stands beside.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis import robustness, text
from analysis.decision import Decision
from analysis.robustness import Beside
from analysis.settings import Settings
from analysis.table import Table

#: The rule: this many times the group's median or a share of one in as many, and this far out by
#: the modified z score, so that a group whose trials differ that much anyway names none.
_TIMES, _SCORE = 2.0, 10.0

#: Fewer trials of a group show no usual length.
_MIN_TRIALS = 5

#: More trials or pairs than these are counted, not named.
_MOST_NAMED, _MOST_PAIRS = 3, 3

#: A pair's change is told where it moves by more than this, as a log ratio.
_MOVED = 0.05

RULE = (
    f"A trial is named when its time is beyond {_TIMES:g} times its group's median, or below one "
    f"part in {_TIMES:g} of it, and the modified z score of its ln time is beyond {_SCORE:g}; of "
    f"groups with {_MIN_TRIALS} trials or more."
)


@dataclass(frozen=True)
class Odd:
    """A trial of an odd length, and its group's median; seconds."""

    trial: str
    group: str
    time_s: float
    median_s: float
    #: Whether it is a file that can be left out: no row of a table, no part of a longer file,
    #: and no trial of an experiment of joulerace's own.
    own_file: bool


@dataclass(frozen=True)
class Durations:
    """What the rule names, and every pair without it; ``same`` is whether no outcome changes."""

    rule: str
    trials: list[Odd]
    pairs: list[Beside]
    same: bool


def analyse(table: Table, settings: Settings, found: Decision) -> Durations:
    """The trials of an odd length, and every pair's result with and without them."""
    rows, odd = [], []
    files = table.frame["file"].value_counts()
    for group in table.all_groups:
        trials = table.usable[table.usable["group"].eq(group)].dropna(subset=["time_s"])
        for index in odd_ones(trials["time_s"].to_numpy(float)):
            trial = trials.iloc[index]
            median = float(trials["time_s"].median())
            odd.append(trials.index[index])
            own = settings.source == "csv" and files.get(trial["file"]) == 1
            seconds = float(trial["time_s"])
            rows.append(Odd(str(trial["trial"]), group, seconds, median, bool(own)))
    other = None
    if odd:
        other = robustness.decided_again(
            table.without_trials(table.usable.loc[odd].index), settings
        )
    same = other is None or robustness.outcome(found) == robustness.outcome(other)
    return Durations(RULE, rows, robustness.beside(table, settings, found, other), same)


def odd_ones(seconds: np.ndarray) -> np.ndarray:
    """Where in a group's times the odd ones are."""
    if len(seconds) < _MIN_TRIALS:
        return np.array([], int)
    away = np.log(seconds) - np.median(np.log(seconds))
    spread = stats.median_abs_deviation(np.log(seconds))
    far = 0.6745 * np.abs(away) > _SCORE * spread
    return np.flatnonzero(far & (np.abs(away) > np.log(_TIMES)))


def told(found: Durations) -> list[str]:
    """The caution: which trials, and what the result is without them."""
    if not found.trials:
        return []
    trials = sorted(found.trials, key=lambda t: -abs(np.log(t.time_s / t.median_s)))
    named = [
        f"{t.trial}: {text.quantity(t.time_s, 's')} where the median is "
        f"{text.quantity(t.median_s, 's')}"
        for t in trials[:_MOST_NAMED]
    ]
    if len(trials) > _MOST_NAMED:
        named.append(f"{len(trials) - _MOST_NAMED} more")
    short = [t.time_s < t.median_s for t in trials]
    how, why = "shorter or longer", "broken off or hung"
    if all(short):
        how, why = "shorter", "broken off"
    elif not any(short):
        how, why = "longer", "hung"
    if len(trials) == 1:
        their, they, count, them = "its", "it", "counts", "it"
    else:
        their, they, count, them = "their", "they", "count", "them"
    hint = " (--exclude leaves files out)" if all(t.own_file for t in trials) else ""
    return [
        f"{text.count(len(trials), 'trial')} lasted far {how} than the others of {their} group "
        f"({'; '.join(named)}): {they} may have {why}, and {they} {count}{hint}. "
        f"Without {them} {_without(found)}."
    ]


def _without(found: Durations) -> str:
    """What becomes of the conclusion, and of the pairs that change most."""
    start, moved, turned = "the conclusion is the same", [], 0
    for pair in found.pairs:
        one = pair.without
        if one is None or one.pct_change is None or pair.all.pct_change is None:
            continue
        by = abs(np.log1p(one.pct_change / 100) - np.log1p(pair.all.pct_change / 100))
        turned += one.resolved != pair.all.resolved
        if by > _MOVED or one.resolved != pair.all.resolved:
            outcome = "resolved" if one.resolved else "not resolved"
            shown = text.change(one.pct_change, None, None)[0]
            moved.append((one.resolved != pair.all.resolved, by, pair, f"{shown}, {outcome}"))
    if not found.same:
        start = "the conclusion is another"
        if len(found.pairs) > _MOST_PAIRS and turned:
            start = f"{turned} of {len(found.pairs)} comparisons come out otherwise"
    moved.sort(key=lambda m: (not m[0], -m[1]))
    parts = [f"{pair.b} against {pair.a} is {shown}" for *_, pair, shown in moved[:_MOST_PAIRS]]
    if len(moved) > _MOST_PAIRS:
        parts.append(f"{text.count(len(moved) - _MOST_PAIRS, 'more pair')} moved")
    return f"{start}{': ' if parts else ''}{'; '.join(parts)}"
