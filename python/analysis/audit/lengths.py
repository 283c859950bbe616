"""Runs that lasted far shorter or longer than the others of their group."""

from collections.abc import Iterator

import pandas as pd

from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, trials_of
from analysis.durations import odd_ones
from analysis.text import quantity

#: More runs than these are counted, not named.
_MOST_NAMED = 3


def check(trials: Trials) -> Iterator[Finding]:
    """Runs that may have broken off or hung; nobody wrote down that they did."""
    frame, rows, told = trials.used, [], []
    for group in trials.groups:
        times = frame.loc[frame["group"].eq(group) & frame["time_s"].gt(0), "time_s"]
        for index in times.index[odd_ones(times.to_numpy(float))]:
            rows.append(index)
            told.append(
                f"{frame.loc[index, 'trial']} {quantity(float(times[index]), 's')} where the "
                f"median is {quantity(float(times.median()), 's')}"
            )
    if not rows:
        return
    groups = frame.loc[rows, "group"].value_counts()
    yield Finding(
        kind="odd-length",
        severity="warning",
        title="Runs lasted far shorter or longer than the others of their group",
        evidence=f"{trials_of(len(rows))} lasted less than half or more than twice the group's "
        f"median: {join(told, '; ', most=_MOST_NAMED)}. They may have broken off or hung.",
        trials=pd.Index(rows),
        of=len(trials.frame),
        groups=tuple(sorted(groups.index)),
        numbers={"by_group": {str(g): int(n) for g, n in groups.items()}},
        drop=pd.Index(rows),
    )
