"""Meters, versions, machines and ways of tracking that are mixed."""

from collections.abc import Iterator

import pandas as pd

from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, trials_of

_COLUMNS = (
    ("meter", "meters", "meter"),
    ("tool_version", "versions", "version of the tool"),
    ("machine", "machines", "machine"),
    ("tracking", "ways of tracking", "way of tracking"),
)

#: A group belongs to one of several from this share of its trials on.
_MOST = 0.9


def check(trials: Trials) -> Iterator[Finding]:
    """One finding for each thing of which there are several."""
    frame = trials.used
    for column, many, one in _COLUMNS:
        known = frame[column].dropna().astype(str)
        known = known[~known.isin(["", "unknown"])]
        counts = known.value_counts()
        if len(counts) < 2:
            continue
        main = str(counts.index[0])
        others = known.index[known != main]
        table = pd.crosstab(frame.loc[known.index, "group"], known)
        share = table.div(table.sum(axis=1), axis=0)
        homes = share.idxmax(axis=1)[share.max(axis=1) >= _MOST]
        confounded = homes.nunique() > 1
        uneven = (share.max() - share.min()).max() > 0.5
        spread = (
            f"{len(homes)} of {len(share)} groups have one of their own"
            if confounded
            else ("their shares differ between groups" if uneven else "every group has them alike")
        )
        listed = [f"{name} ({number})" for name, number in counts.items()]
        yield Finding(
            kind=f"mixed-{column.replace('_', '-')}",
            severity="serious" if confounded else "warning",
            title=f"Several {many} are mixed",
            evidence=f"{join(listed)}: {trials_of(len(others))} are not of the commonest; {spread}"
            + (f", so that a group cannot be told from its {one}." if confounded else "."),
            trials=others,
            of=len(frame),
            groups=tuple(sorted(set(frame.loc[others, "group"]))),
            numbers={"counts": {str(k): int(v) for k, v in counts.items()}},
            drop=others,
        )
