"""Which of the trials' numbers were to count: window, exclusions, coverage and interference."""

from collections.abc import Mapping
from typing import Any

from analysis import text
from analysis.departures.item import Item, named
from analysis.findings import Findings
from analysis.settings import Settings
from analysis.table import Table

#: Phases and window are held to agree within this share of the window: rounding of samples.
_WINDOW_SHARE = 0.01


def window(table: Table, found: Findings, settings: Settings) -> Item | None:
    """Whether the reported time is that of the declared phases, trial by trial."""
    declared = settings.protocol.window
    if not declared:
        return None
    words = " + ".join(declared)
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


def exclusions(table: Table, found: Findings, settings: Settings) -> Item | None:
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
    parts = [f"{named(names)} left out without a rule ({why})" for why, names in loose.items()]
    if len(parts) > 2:
        parts = [*parts[:2], f"and {len(parts) - 2} more reasons"]
    unread = [entry.file for entry in settings.excluded]
    if unread:
        parts.append(f"{text.count(len(unread), 'file')} could not be read ({named(unread)})")
    parts += _for_their_size(found, rules)
    done = "; ".join(parts) or f"{text.count(len(left), 'trial')} left out, all by a declared rule"
    return Item("Exclusions", text.count(len(rules), "rule"), done, not parts, bool(parts))


def _for_their_size(found: Findings, rules: tuple[str, ...]) -> list[str]:
    """What the published recipe drops for the size of its values, where that was ruled out."""
    if not found.published or not any("for the size" in rule for rule in rules):
        return []
    dropped = sum(r.negative_energy + r.beyond_3_sd for r in found.published.dropped)
    if not dropped:
        return []
    return [f"the published recipe drops {text.count(dropped, 'value')} for their size"]


def coverage(table: Table, found: Findings, settings: Settings) -> Item | None:
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


def interference(table: Table, found: Findings, settings: Settings) -> Item | None:
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
        done = f"{named(silent)} {be} beyond them without a flag"
    return Item("Interference", f"{len(limits)} limits", done, not silent, bool(silent))


def _limit(limits: Mapping[str, Any], name: str) -> float:
    value = limits.get(name)
    return float(value) if isinstance(value, int | float) else float("inf")
