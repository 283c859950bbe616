"""The plan: what was to run, in which order and from which seeds, and when it was to end."""

import math
from collections.abc import Mapping

import numpy as np

from analysis import text
from analysis.departures.item import Item, named
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table


def design(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.experiment.declared.design
    if declared is None:
        return None
    verdict = found.order.verdict
    said = {
        "random": "the order that was run was random and balanced, as far as can be tested",
        "unbalanced": "positions within blocks were not balanced",
        "cyclic": "the order that was run repeats itself",
        "sequential": "the groups ran one after another",
        "stretches": "the trials ran in long stretches of one group",
        "mixed": "the trials were mixed in time, not in blocks",
    }.get(verdict, "the order that was run cannot be tested")
    kept = True if verdict == "random" else None if verdict in ("few", "unknown") else False
    if verdict == "cyclic" and "Williams" in declared:
        kept = None  # squares of few treatments repeat by design
    return Item("Design", declared, said, kept, True)


def planned(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether the planned trials are those that were run, no more and no fewer."""
    plan = settings.experiment.plan.trials
    names = {t.name for t in plan}
    if not names:
        return None
    ran = set(table.frame["trial"])
    lost = sorted(names - ran)
    if lost and settings.protocol.looks is not None:
        # Whole blocks that an early stop spared are no departure; where it stopped is another item.
        last = table.frame["block"].max()
        spared = {t.name for t in plan if t.block is not None and t.block > last}
        lost = [name for name in lost if name not in spared]
    more = sorted(ran - names)
    parts = []
    if lost:
        parts.append(f"{len(lost)} did not run ({named(lost)})")
    if more:
        parts.append(f"{len(more)} ran that {_verb(more)} not planned ({named(more)})")
    done = text.join(parts) or "all of them ran, and no other"
    return Item("Trials", text.count(len(names), "trial"), done, not parts, bool(more))


def _verb(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def order(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether the trials began in the planned order, on each machine by itself."""
    plan = settings.experiment.plan
    place = {t.name: math.nan if t.run_order is None else t.run_order for t in plan.trials}
    frame = table.frame[table.frame["trial"].isin(place)].dropna(subset=["start_unix_s"])
    if len(frame) < 2:
        return None
    late = []
    for _, rows in frame.groupby(frame["machine"].fillna(""), sort=False):
        ran = list(rows.sort_values("start_unix_s", kind="stable")["trial"])
        late += _out_of_order(ran, place)
    seed = plan.order_seed
    declared = f"the plan of seed {seed}" if seed is not None else "the plan"
    done = "the trials ran in that order"
    if late:
        done = f"{text.count(len(late), 'trial')} ran out of it ({named(late)})"
    return Item("Order", declared, done, not late)


def _out_of_order(ran: list[str], place: Mapping[str, float]) -> list[str]:
    """The fewest trials without which the others ran in the planned order."""
    best: list[tuple[float, int]] = []
    before = [-1] * len(ran)
    for i, name in enumerate(ran):  # the longest rising sequence, by patience sorting
        low = int(np.searchsorted([p for p, _ in best], place[name]))
        before[i] = best[low - 1][1] if low else -1
        best[low : low + 1] = [(place[name], i)]
    kept, at = set(), best[-1][1] if best else -1
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [name for i, name in enumerate(ran) if i not in kept]


def seeds(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether every trial that counts trained from its declared seed, by its script's own word.

    That is its block's, which the plan lists, or the job's.
    """
    rule, asked = settings.protocol.seeds, settings.experiment.asked
    if asked.commands:
        return None
    one = math.nan if asked.seed is None else float(asked.seed)
    planned = {t.name: t.seed for t in settings.experiment.plan.trials if t.seed is not None}
    used = table.usable.set_index("trial")["seed"].dropna()
    wanted = used.index.to_series().map(lambda name: planned.get(name, math.nan))
    if rule is None:
        wanted = wanted.fillna(one)
    declared = "a seed for each block" if rule else f"{one:.0f} for all blocks"
    if rule is None and math.isnan(one):
        return None
    if wanted.isna().any():
        lost = list(wanted.index[wanted.isna()])
        done = f"the plan has none for {named(lost)}"
        return Item("Training seeds", declared, done, False)
    if not len(used):
        return Item("Training seeds", declared, "no trial tells what it trained from", None)
    other = list(used.index[used != wanted])
    blocks = table.usable.set_index("trial")["block"].reindex(used.index)
    if rule and not other and used.groupby(blocks).first().duplicated().any():
        return Item("Training seeds", declared, "several blocks trained from one seed", False)
    done = f"{text.count(len(used), 'trial')} trained from what was declared"
    if other:
        done = f"{text.count(len(other), 'trial')} trained from another ({named(other)})"
    return Item("Training seeds", declared, done, not other)


def stopping(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether it ran to its last block, or stopped at a planned look that said so."""
    blocks = int(table.frame["block"].nunique())
    looks = settings.experiment.looks
    planned = settings.protocol.looks
    if planned is None:
        if looks:
            done = f"it was looked at {len(looks)} times in its middle"
            return Item("Stopping", "no look before the last block", done, False, True)
        most = settings.experiment.asked.iterations
        if most is None:
            return None
        done = f"{text.count(blocks, 'block')} ran"
        # Nobody can tell whether it was ended because of what was seen.
        return Item("Stopping", f"after {text.count(most, 'block')}", done, blocks == most, True)
    most = settings.protocol.most_blocks
    declared = f"at a planned look, or after {most} blocks"
    at = sorted({int(n) for n in planned.looks})
    unplanned = sorted({e.blocks for e in looks if e.blocks is not None} - set(at))
    said = [e.blocks for e in looks if e.stop and e.blocks is not None]
    parts = []
    if unplanned:
        parts.append(f"it was looked at after {named(unplanned)} blocks, where no look was planned")
    if most is not None and blocks < most and blocks not in said:
        parts.append(f"it ended after {blocks} blocks, where no look said so")
    over = [n for n in said if blocks > n]
    if over:
        parts.append(f"it went on after the look at {over[0]} blocks said to stop")
    done = "; ".join(parts) or f"it ended after {text.count(blocks, 'block')}"
    return Item("Stopping", declared, done, not parts, bool(parts))


def control(table: Table, found: Findings, settings: Settings) -> Item | None:
    name = settings.experiment.asked.twin
    if name is None:
        return None
    done = "it ran" if table.twin == name else "it has no usable trial"
    return Item("A/A control", name, done, table.twin == name, True)
