"""Whether the experiment stopped before its last block, as its protocol allowed, in a sentence."""

from analysis import text
from analysis.experiment import Experiment


def told(experiment: Experiment) -> str:
    """What the looks of an experiment came to; empty where none were planned or made."""
    plan, looks = experiment.declared, experiment.looks
    if not plan.stops or not looks or looks[-1].comparisons is None:
        return ""
    last, most = looks[-1], plan.most_blocks
    what = (
        "each comparison was resolved or known to within "
        f"±{text.significant(plan.precision_pct, 2)}%"
    )
    if last.stop:
        return (
            f"It stopped after {last.blocks} of at most {most} blocks, as its protocol says: "
            f"{what}. Intervals and p-values count all looks "
            f"({text.count(len(looks), 'look')} were made)."
        )
    open_ones = [f"{c.b} against {c.a}" for c in last.comparisons or () if not c.decided]
    return (
        f"It was to stop once {what}; after {last.blocks} of at most {most} blocks that was not so "
        f"for {text.join(open_ones)}."
    )
