"""Other columns of energy, and columns that hold none."""

from collections.abc import Iterator

import pandas as pd

from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, plural
from analysis.text import significant

#: Groups are ranked otherwise where the two disagree on the order of so clear a difference.
_CLEAR = 0.05

_OTHER = "other_"


def check(trials: Trials) -> Iterator[Finding]:
    """Profilers that rank the groups otherwise, and columns that never moved."""
    for column in trials.used:
        if str(column).startswith(_OTHER):
            yield from _disagrees(trials, str(column))
    yield from _absent(trials)


def _disagrees(trials: Trials, column: str) -> Iterator[Finding]:
    frame = trials.used[(trials.used[column] > 0) & (trials.used["energy"] > 0)]
    ours = frame.groupby("group")["energy"].mean()
    theirs = frame.groupby("group")[column].mean()
    if len(ours) < 2:
        return
    turned = [
        (a, b)
        for a in ours.index
        for b in ours.index
        if ours[a] * (1 + _CLEAR) < ours[b] and theirs[b] * (1 + _CLEAR) < theirs[a]
    ]
    if not turned:
        return
    ratio = (theirs / ours).sort_values()
    name = column.removeprefix(_OTHER)
    listed = [f"{a} < {b}" for a, b in turned]
    yield Finding(
        kind="meters-disagree",
        severity="warning",
        title=f"Another column of energy, {name}, ranks groups otherwise",
        evidence=f"It holds {significant(ratio.iloc[0], 3)} ({ratio.index[0]}) to "
        f"{significant(ratio.iloc[-1], 3)} times ({ratio.index[-1]}) as much. It turns round "
        f"{plural(len(turned), 'pair')} that the means order by more than 5% either way: "
        f"{join(listed, most=4)}.",
        trials=frame.index,
        of=len(trials.used),
        numbers={"column": name, "ratio": {str(g): float(r) for g, r in ratio.items()}},
        cannot="which of the two is right cannot be told from them",
    )


def _absent(trials: Trials) -> Iterator[Finding]:
    for column in trials.absent:
        groups, count = list(column.groups), column.trials or 0
        rows = trials.frame.index[trials.frame["group"].isin(groups)]
        yield Finding(
            kind="absent",
            severity="note",
            title=f"{column.column} is there and measures nothing",
            evidence=f"It is the same from the first row to the last in "
            f"{plural(count, 'trial')} of {join(groups)}: the machine "
            "lacks that counter, and a study that names this part has not measured it.",
            trials=pd.Index(rows[:count]),
            of=len(trials.frame),
            groups=tuple(groups),
            cannot="it is no part of the total",
        )
