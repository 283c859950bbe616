"""Every item that the experiment declared before its first trial, held against what was done.

Each check reads the trials and the decision, not the settings that led to them, so that an
experiment whose record says one thing and whose trials another is found out.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import text
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table

#: Phases and window are held to agree within this share of the window: rounding of samples.
_WINDOW_SHARE = 0.01

#: A number of things, and not one: ``4 tests``.
_SEVERAL = re.compile(r"\d[\d,]* \w+s$")

#: Of more names than this the number is told.
_MOST_NAMED = 4


@dataclass(frozen=True)
class Item:
    """One declared item: what was declared, what was done, and whether that is the same.

    ``kept`` is None where the trials cannot tell. ``weakens`` is whether p-values may look surer
    than they are for it, so that nothing is firm.
    """

    name: str
    declared: str
    done: str
    kept: bool | None
    weakens: bool = False

    @property
    def sentence(self) -> str:
        """The departure in words, for a list of them."""
        verb = "were" if _SEVERAL.match(self.declared) else "was"
        return f"{self.name}: {self.declared} {verb} declared, {self.done}"


def items(table: Table, found: Findings, settings: Settings) -> list[Item]:
    """All declared items, in the order of a protocol; nothing where none was declared."""
    if not settings.protocol.declared:
        return []
    known = [check(table, found, settings) for check in _CHECKS]
    return [item for item in known if item is not None]


def told(known: list[Item]) -> list[str]:
    """The departures among the items, a sentence each."""
    return [item.sentence for item in known if item.kept is False]


def _raw(settings: Settings, name: str) -> Any:
    protocol = (settings.experiment or {}).get("protocol")
    return protocol.get(name) if isinstance(protocol, Mapping) else None


def _part(settings: Settings, name: str) -> Mapping[str, Any]:
    found = (settings.experiment or {}).get(name)
    return found if isinstance(found, Mapping) else {}


def _named(names: Any) -> str:
    listed = [str(name) for name in names]
    if len(listed) > _MOST_NAMED:
        return f"{text.join(listed[:_MOST_NAMED], 'and')} and {len(listed) - _MOST_NAMED} more"
    return text.join(listed)


def _metric(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = _raw(settings, "primary_metric")
    if not isinstance(declared, str):
        return None
    kept = declared.startswith("energy_j") and "log" in declared
    done = "energy_j of the window, on logarithms, is concluded on"
    return Item("Primary metric", declared, done, kept, True)


def _window(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether the reported time is that of the declared phases, trial by trial."""
    declared = _raw(settings, "window")
    if not isinstance(declared, list) or not declared:
        return None
    words = " + ".join(str(p) for p in declared)
    columns = [f"phase_{p}_s" for p in declared]
    if any(c not in table.usable for c in columns):
        return Item("Window", words, "the trials carry no marks of these phases", None)
    rows = table.usable.dropna(subset=[*columns, "time_s"])
    apart = (rows[columns].sum(axis=1) - rows["time_s"]).abs() / rows["time_s"]
    other = int((apart > _WINDOW_SHARE).sum())
    if not len(rows):
        return Item("Window", words, "the trials carry no marks of these phases", None)
    done = f"the numbers of {text.count(len(rows), 'trial')} are of it"
    if other:
        done = f"the numbers of {text.count(other, 'trial')} are of another part"
    return Item("Window", words, done, not other)


def _design(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = _raw(settings, "design")
    if not isinstance(declared, str) or not declared:
        return None
    verdict = found.order["verdict"]
    said = {
        "random": "the order that was run was random and balanced, as far as can be tested",
        "unbalanced": "positions within blocks were not balanced",
        "cyclic": "the order that was run repeats itself",
        "sequential": "the groups ran one after another",
    }.get(verdict, "the order that was run cannot be tested")
    kept = {"random": True, "unbalanced": False, "cyclic": False, "sequential": False}.get(verdict)
    if verdict == "cyclic" and "Williams" in declared:
        kept = None  # squares of few treatments repeat by design
    return Item("Design", declared, said, kept, True)


def _planned(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether the planned trials are those that were run, no more and no fewer."""
    plan = [t for t in _part(settings, "plan").get("trials") or [] if isinstance(t, Mapping)]
    names = {str(t.get("name")) for t in plan}
    if not names:
        return None
    ran = set(table.frame["trial"])
    lost = sorted(names - ran)
    if lost and settings.protocol.looks is not None:
        # Whole blocks that an early stop spared are no departure; where it stopped is another item.
        last = table.frame["block"].max()
        spared = {str(t.get("name")) for t in plan if _number(t.get("block")) > last}
        lost = [name for name in lost if name not in spared]
    more = sorted(ran - names)
    parts = []
    if lost:
        parts.append(f"{len(lost)} did not run ({_named(lost)})")
    if more:
        parts.append(f"{len(more)} ran that {_verb(more)} not planned ({_named(more)})")
    done = text.join(parts) or "all of them ran, and no other"
    return Item("Trials", text.count(len(names), "trial"), done, not parts, bool(more))


def _verb(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _order(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether the trials began in the planned order, on each machine by itself."""
    plan = [t for t in _part(settings, "plan").get("trials") or [] if isinstance(t, Mapping)]
    place = {str(t.get("name")): _number(t.get("run_order")) for t in plan}
    frame = table.frame[table.frame["trial"].isin(place)].dropna(subset=["start_unix_s"])
    if len(frame) < 2:
        return None
    late = []
    for _, rows in frame.groupby(frame["machine"].fillna(""), sort=False):
        ran = list(rows.sort_values("start_unix_s", kind="stable")["trial"])
        late += _out_of_order(ran, place)
    order_seed = _part(settings, "plan").get("order_seed")
    declared = f"the plan of seed {order_seed}" if order_seed is not None else "the plan"
    done = "the trials ran in that order"
    if late:
        done = f"{text.count(len(late), 'trial')} ran out of it ({_named(late)})"
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


def _comparisons(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.comparisons
    if not declared:
        return None
    made = {frozenset(pair) for pair in found.compared}
    asked = {frozenset(pair) for pair in declared}
    lost = [f"{b} against {a}" for a, b in declared if frozenset((a, b)) not in made]
    more = [f"{b} against {a}" for a, b in found.compared if frozenset((a, b)) not in asked]
    within = {name for pair in asked for name in pair}
    alone = sorted(set(table.groups) - within)
    parts = []
    if lost:
        parts.append(f"not possible: {_named(lost)}")
    if more:
        parts.append(f"made beside them: {_named(more)}")
    if alone:
        parts.append(f"no declared comparison has {_named(alone)}")
    done = "; ".join(parts) or "these were made"
    pairs = text.count(len(declared), "comparison")
    return Item("Comparisons", pairs, done, not parts, bool(more))


def _test(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.primary_test
    if declared is None:
        return None
    loose = [
        pair for pair, c in zip(found.compared, found.decision.comparisons, strict=True)
        if not c.paired
    ]  # fmt: skip
    if declared != "paired-t-log":
        return Item("Deciding test", declared, "the paired t on logs is used", False, True)
    if loose:
        pairs = _named(f"{b} against {a}" for a, b in loose)
        done = f"Welch’s t on all trials decides {pairs}, which share too few blocks"
        return Item("Deciding test", declared, done, False, True)
    return Item("Deciding test", declared, "it decides every comparison", True)


def _correction(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.correction
    if declared is None:
        return None
    return Item("Correction", declared, "Holm’s is used", declared == "holm", True)


def _alpha(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.alpha
    if declared is None:
        return None
    kept = abs(declared - settings.alpha) < 1e-12
    return Item(
        "α", f"{declared:g}", f"{settings.alpha:g} is used", kept, settings.alpha > declared
    )


def _margin(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared, used = settings.protocol.margin_pct, settings.margin
    if declared is None and used is None:
        return None
    was = "no margin" if declared is None else f"±{declared:g}%"
    return Item("Margin of equivalence", was, f"±{used:g}% is used", declared == used)


#: Declared tests by a word of theirs, and the tests of the report that they are.
_TESTS = {
    "paired t on logs": "paired-t-log",
    "Wilcoxon": "wilcoxon-log",
    "repeated-measures ANOVA": "rm-anova-log",
    "Friedman": "friedman",
    "equivalence within": "equivalence",
}


def _tests(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether every declared test was made; of two groups an omnibus test is the pair's own."""
    declared = _raw(settings, "tests")
    if not isinstance(declared, list) or not declared:
        return None
    made = {r["test"] for r in found.pairs if r["p"] is not None and not r.get("control")}
    made |= {r["test"] for r in found.omnibus if r["p"] is not None}
    made |= {"equivalence" for r in found.equivalence if r["p"] is not None}
    lost = []
    for name in map(str, declared):
        word, test = next(((w, t) for w, t in _TESTS.items() if w in name), (None, None))
        two_alone = test in ("rm-anova-log", "friedman") and len(table.groups) < 3
        if test not in made and not two_alone:
            lost.append(word or name)
    done = f"not made: {_named(lost)}" if lost else "all of them were made"
    return Item("Tests", text.count(len(declared), "test"), done, not lost)


def _exclusions(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether every trial that is not part of the numbers was left out by a declared rule."""
    rules = settings.protocol.exclusions
    if not rules:
        return None
    words = [rule.split(":")[0].strip().lower() for rule in rules]
    left = table.frame[~table.frame["usable"]]
    loose: dict[str, list[str]] = {}
    for _, trial in left.iterrows():
        status = str(trial["status"])
        if status not in words:
            why = str(trial["reason"] or "no reason is recorded").rstrip(".")
            loose.setdefault(f"{status}: {why}" if status != "ok" else why, []).append(
                trial["trial"]
            )
    parts = [f"{_named(names)} left out without a rule ({why})" for why, names in loose.items()]
    if len(parts) > 2:
        parts = [*parts[:2], f"and {len(parts) - 2} more reasons"]
    unread = [str(entry.get("file")) for entry in settings.excluded]
    if unread:
        parts.append(f"{text.count(len(unread), 'file')} could not be read ({_named(unread)})")
    parts += _for_their_size(found, rules)
    done = "; ".join(parts) or f"{text.count(len(left), 'trial')} left out, all by a declared rule"
    return Item("Exclusions", text.count(len(rules), "rule"), done, not parts, bool(parts))


def _for_their_size(found: Findings, rules: tuple[str, ...]) -> list[str]:
    """What the published recipe drops for the size of its values, where that was ruled out."""
    if not found.published or not any("for the size" in rule for rule in rules):
        return []
    dropped = sum(r["negative_energy"] + r["beyond_3_sd"] for r in found.published["dropped"])
    if not dropped:
        return []
    return [f"the published recipe drops {text.count(dropped, 'value')} for their size"]


def _coverage(table: Table, found: Findings, settings: Settings) -> Item | None:
    limit = settings.protocol.coverage_limit
    if limit is None:
        return None
    known = table.usable["coverage"].dropna()
    low = int((known < limit).sum())
    done = f"all of {text.count(len(known), 'trial')} have it"
    if low:
        done = (
            f"{text.count(low, 'trial')} of less {'is' if low == 1 else 'are'} part of the numbers"
        )
    kept = None if not len(known) else not low
    return Item(
        "Coverage", f"at least {limit:.0%}", done if len(known) else "unknown", kept, bool(low)
    )


def _interference(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether every trial beyond the declared limits carries its flag."""
    limits = settings.protocol.interference
    if not limits:
        return None
    frame = table.frame
    cores, time, own = frame["other_cores"], frame["trial_time_s"], frame["trial_cpu_s"]
    # A trial whose own processor time is not on record cannot be told to be beyond the first limit.
    beyond = {
        "interference": (cores > _limit(limits, "others_cores"))
        & (cores * time / own > _limit(limits, "others_per_trial")),
        "throttled": frame["throttle_events"] > _limit(limits, "throttle_events"),
    }
    if "swapped_pages" in frame:
        beyond["swapped"] = frame["swapped_pages"] > _limit(limits, "swapped_pages")
    flags = frame["flags"].str.split(";").map(lambda words: {w.strip() for w in words})
    silent = []
    for flag, over in beyond.items():
        silent += list(frame.loc[over & ~flags.map(lambda own, f=flag: f in own), "trial"])
    if not cores.notna().any() and not frame["throttle_events"].notna().any():
        return Item("Interference", "limits", "nothing of it is on record", None)
    silent = list(dict.fromkeys(silent))
    done = "every trial beyond them is flagged"
    if silent:
        be = "is" if len(silent) == 1 else "are"
        done = f"{_named(silent)} {be} beyond them without a flag"
    return Item("Interference", f"{len(limits)} limits", done, not silent, bool(silent))


def _limit(limits: Mapping[str, Any], name: str) -> float:
    value = limits.get(name)
    return float(value) if isinstance(value, int | float) else float("inf")


def _seeds(table: Table, found: Findings, settings: Settings) -> Item | None:
    declared = settings.protocol.seeds
    own = _part(settings, "settings")
    each = own.get("seed_per_block")
    if declared is None and not each:
        return None
    if declared is None:
        done = "each block trained from a seed of its own"
        return Item("Training seeds", "one seed", done, False)
    if each is None:
        return Item("Training seeds", "a seed for each block", "not on record", None)
    done = "each block had its own" if each else "all blocks trained from one seed"
    return Item("Training seeds", "a seed for each block", done, bool(each))


def _stopping(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether it ran to its last block, or stopped at a planned look that said so."""
    blocks = int(table.frame["block"].nunique())
    looks = [e for e in (settings.experiment or {}).get("looks") or [] if isinstance(e, Mapping)]
    planned = settings.protocol.looks
    if planned is None:
        if looks:
            done = f"it was looked at {len(looks)} times in its middle"
            return Item("Stopping", "no look before the last block", done, False, True)
        most = _part(settings, "settings").get("iterations")
        if not isinstance(most, int):
            return None
        done = f"{text.count(blocks, 'block')} ran"
        # Nobody can tell whether it was ended because of what was seen.
        return Item("Stopping", f"after {text.count(most, 'block')}", done, blocks == most, True)
    most = settings.protocol.most_blocks
    declared = f"at a planned look, or after {most} blocks"
    at = sorted({int(n) for n in planned.looks})
    unplanned = sorted(
        {int(e["blocks"]) for e in looks if isinstance(e.get("blocks"), int)} - set(at)
    )
    said = [e["blocks"] for e in looks if e.get("stop")]
    parts = []
    if unplanned:
        parts.append(
            f"it was looked at after {_named(unplanned)} blocks, where no look was planned"
        )
    if most is not None and blocks < most and blocks not in said:
        parts.append(f"it ended after {blocks} blocks, where no look said so")
    over = [n for n in said if blocks > n]
    if over:
        parts.append(f"it went on after the look at {over[0]} blocks said to stop")
    done = "; ".join(parts) or f"it ended after {text.count(blocks, 'block')}"
    return Item("Stopping", declared, done, not parts, bool(parts))


def _control(table: Table, found: Findings, settings: Settings) -> Item | None:
    twin = _part(settings, "settings").get("control")
    name = twin.get("name") if isinstance(twin, Mapping) else None
    if not isinstance(name, str):
        return None
    done = "it ran" if table.twin == name else "it has no usable trial"
    return Item("A/A control", name, done, table.twin == name, True)


_CHECKS: tuple[Callable[[Table, Findings, Settings], Item | None], ...] = (
    _metric, _window, _design, _planned, _order, _comparisons, _test, _correction, _alpha, _margin,
    _tests, _exclusions, _coverage, _interference, _seeds, _stopping, _control,
)  # fmt: skip
