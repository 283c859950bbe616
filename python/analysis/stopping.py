"""Whether the experiment stopped before its last block, as its protocol allowed, in a sentence."""

from collections.abc import Mapping
from typing import Any

from analysis import text


def told(experiment: Mapping[str, Any] | None) -> str:
    """What the looks of an experiment came to; empty where none were planned or made.

    Reads ``looks`` and ``protocol.sequential``, which the host writes.
    """
    experiment = experiment or {}
    protocol = experiment.get("protocol")
    plan = protocol.get("sequential") if isinstance(protocol, Mapping) else None
    looks = experiment.get("looks")
    if not isinstance(plan, Mapping) or not isinstance(looks, list) or not looks:
        return ""
    last, most = looks[-1], plan.get("most")
    if not isinstance(last, Mapping) or not isinstance(last.get("comparisons"), list):
        return ""
    blocks, aim = last.get("blocks"), f"±{text.significant(plan.get('precision_pct'), 2)}%"
    what = f"each comparison was resolved or known to within {aim}"
    if last.get("stop"):
        return (
            f"It stopped after {blocks} of at most {most} blocks, as its protocol says: {what}. "
            f"Intervals and p-values count all looks ({text.count(len(looks), 'look')} were made)."
        )
    open_ones = [
        f"{c.get('b')} against {c.get('a')}"
        for c in last["comparisons"]
        if isinstance(c, Mapping) and not (c.get("resolved") or c.get("precise"))
    ]
    return (
        f"It was to stop once {what}; after {blocks} of at most {most} blocks that was not so for "
        f"{text.join(open_ones)}."
    )
