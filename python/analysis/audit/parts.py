"""Parts of a total: estimated, missing, larger than the whole, or not its sum."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, percent, plural, trials_of
from analysis.text import significant

#: Powers that are worked out from energy and time are constant below this relative scatter, if the
#: times scatter by at least twice as much: measured power scatters by more than a five-hundredth.
CONSTANT = 0.002

#: A stated power that so many runs of one group share to the last digit is no reading.
SHARED = 3

#: A part is constant, or there, in a group where it is in this share of its trials.
MOST = 0.9

#: From this share of the joules on an estimate decides what is compared.
DECIDES = 0.1


def check(trials: Trials) -> Iterator[Finding]:
    """Constant power, parts of some groups only, parts above the whole, sums that do not add up."""
    constant = {part: _constant(trials, part) for part in trials.parts}
    for part, name in trials.parts.items():
        rows = constant[part]
        if len(rows):
            yield _estimate(trials, part, name, constant[part])
    for part, name in trials.parts.items():
        yield from _missing(trials, part, name)
        yield from _some_only(trials, part, name, constant[part].index)
    yield from _estimated(trials)
    yield from _cores(trials)
    yield from _exceeds(trials)
    yield from _sum(trials)


def power(frame: pd.DataFrame, part: str) -> pd.Series:
    """The part's mean power in each trial, W."""
    return frame[part] / frame["time_s"].where(frame["time_s"] > 0)


def _constant(trials: Trials, part: str) -> pd.Series:
    """The trials in which power is one of a few numbers instead of a reading, with it in watts."""
    frame = trials.used[trials.used[part] > 0]
    domain = part.removeprefix("energy_").removesuffix("_j")
    column = f"stated_{'gpu0' if domain == 'gpu' else domain}_w"
    stated = frame[column] if column in frame else pd.Series(np.nan, frame.index)
    found = []
    cells = frame.groupby(["group", frame["tool_version"].fillna(""), frame["tracking"].fillna("")])
    for _, cell in cells:
        said = stated[cell.index].dropna()
        said = said[said > 0]
        if len(said) >= SHARED and len(said) == len(cell):
            exact = said.map(lambda watts: f"{watts:.9g}")
            shared = said[exact.map(exact.value_counts()) >= SHARED]
            if len(shared) >= MOST * len(said):
                found.append(shared)
                continue
        watts = power(cell, part).dropna()
        if len(watts) < SHARED:
            continue
        spread = np.log(watts[watts > 0]).std()
        times = np.log(cell.loc[watts.index, "time_s"]).std()
        if spread < CONSTANT and times > 2 * spread:
            found.append(watts)
    return _together(found)


def _together(found: list[pd.Series]) -> pd.Series:
    return pd.concat(found).sort_index() if found else pd.Series(dtype=float)


def _told(watts: pd.Series) -> str:
    """One power, a few, or the range of many."""
    values = list(dict.fromkeys(significant(v, 3) for v in np.sort(watts.to_numpy())))
    if len(values) > 3:
        return f"{values[0]} to {values[-1]}"
    return join(values, " or ")


def _judged(frame: pd.DataFrame, part: str) -> set[str]:
    """The groups with enough trials to tell whether a part's power varies in them."""
    counts = power(frame, part).dropna().gt(0).groupby(frame["group"]).sum()
    return set(counts[counts >= SHARED].index)


def _estimate(trials: Trials, part: str, name: str, watts: pd.Series) -> Finding:
    frame = trials.used
    rows = watts.index
    own = frame.loc[rows]
    share = own[part].groupby(own["group"]).sum() / own["energy"].groupby(own["group"]).sum()
    levels: dict[str, list[str]] = {}
    for group, of in watts.groupby(own["group"]):
        levels.setdefault(_told(of), []).append(group)
    told = [f"{w} W in {join(g)}" for w, g in levels.items()]
    seen = _judged(frame, part)
    rest = [g for g in trials.groups if g in seen and g not in set(own["group"])]
    varies = f"; it varies in {join(rest)}" if rest and frame[part].gt(0).any() else ""
    least, most = share.min(), share.max()
    parts = (
        f"{percent(least)}"
        if percent(least) == percent(most)
        else (f"{percent(least)} to {percent(most)}")
    )
    whole = part == "energy_system_j" or len(trials.parts) == 1
    return Finding(
        kind="estimate",
        severity="serious" if most >= DECIDES else "warning",
        title=f"The {name} is a constant power times time: an estimate, no measurement",
        evidence=f"{join(told, '; ')}{varies}. It makes {parts} of a group's joules.",
        trials=rows,
        of=len(frame),
        groups=tuple(sorted(set(own["group"]))),
        numbers={
            "part": name,
            "watts": {g: float(w) for g, w in watts.groupby(own["group"]).median().items()},
            "share": {g: float(s) for g, s in share.items()},
        },
        parts=() if whole else (part,),
        cannot="all of the energy is this estimate" if whole else None,
    )


def _missing(trials: Trials, part: str, name: str) -> Iterator[Finding]:
    frame = trials.used
    there = frame[part].gt(0).groupby(frame["group"]).mean()
    without = sorted(there[there <= 1 - MOST].index)
    having = sorted(there[there >= MOST].index)
    if not without or not having:
        return
    rows = frame.index[frame["group"].isin(without)]
    with_it = frame[frame["group"].isin(having)]
    share = with_it[part].sum() / with_it["energy"].sum()
    yield Finding(
        kind="missing-part",
        severity="serious",
        title=f"The {name} is counted in some groups only",
        evidence=f"It is missing or 0 in {join(without)}, and makes {percent(share)} of the joules "
        f"of {join(having)}.",
        trials=rows,
        of=len(frame),
        groups=tuple(without),
        numbers={"part": name, "share_elsewhere": float(share)},
        parts=(part,),
    )


def _some_only(trials: Trials, part: str, name: str, rows: pd.Index) -> Iterator[Finding]:
    frame = trials.used[trials.used[part] > 0]
    share = frame.index.isin(rows)
    share = pd.Series(share, frame.index).groupby(frame["group"]).mean()
    constant = sorted(share[share >= MOST].index)
    seen = _judged(frame, part)
    read = sorted(g for g in share[share <= 1 - MOST].index if g in seen)
    if not constant or not read:
        return
    scatter = power(frame, part).groupby(frame["group"]).agg(lambda w: np.log(w[w > 0]).std())
    least = float(scatter[read].min())
    touched = frame.index[frame["group"].isin(constant)]
    yield Finding(
        kind="constant-in-some",
        severity="serious",
        title=f"The {name} is estimated in some groups and measured in others",
        evidence=f"Its power is constant in {join(constant)} and scatters by at least "
        f"{percent(least)} in {join(read)}: two instruments are compared, not the groups.",
        trials=touched,
        of=len(trials.used),
        groups=tuple(constant),
        numbers={"part": name, "constant": constant, "measured": read},
        parts=(part,) if len(trials.parts) > 1 else (),
        cannot=None if len(trials.parts) > 1 else "there is no other part to compare",
    )


def _estimated(trials: Trials) -> Iterator[Finding]:
    frame = trials.used
    rows = frame.index[frame["estimated"].astype(str).str.lower().eq("true")]
    if not len(rows):
        return
    yield Finding(
        kind="estimate",
        severity="serious",
        title="The energy is estimated from processor time, not measured",
        evidence=f"The meter of {trials_of(len(rows))} says so itself.",
        trials=rows,
        of=len(frame),
        numbers={"part": "estimate"},
        drop=rows if len(rows) < len(frame) else None,
        cannot="no trial was measured" if len(rows) == len(frame) else None,
    )


def _cores(trials: Trials) -> Iterator[Finding]:
    """Counters of cores that the reading of samples found out."""
    frame = trials.frame
    has = {
        flag: frame["flags"].fillna("").str.split(";").map(lambda f, x=flag: x in f)
        for flag in ("core-unusable", "core-above-package")
    }
    rows = frame.index[has["core-unusable"] | has["core-above-package"]]
    if not len(rows):
        return
    falls, above = int(has["core-unusable"].sum()), int(has["core-above-package"].sum())
    told = [f"in {trials_of(falls)} they fall by more than a counter can"] if falls else []
    told += [f"in {trials_of(above)} they are more than the package"] if above else []
    yield Finding(
        kind="core-counters",
        severity="warning",
        title="The core counters cannot be",
        evidence=f"{join(told)[0].upper()}{join(told)[1:]}: whatever was concluded from cores does "
        "not hold. They are no part of the total.",
        trials=rows,
        of=len(frame),
        numbers={"unusable": falls, "above_package": above},
        cannot="cores are no part of the total that is compared",
    )


def _exceeds(trials: Trials) -> Iterator[Finding]:
    frame = trials.used
    # Those of samples are judged where they are read.
    pairs = [("energy_core_j", "energy_package_j", "core counters", "processor's package")]
    pairs = pairs if trials.of_table else []
    pairs += [(p, "energy", f"the {n}", "total") for p, n in trials.parts.items()]
    for part, whole, name, of in pairs:
        if part not in frame or whole not in frame or part == "energy_system_j":
            continue
        above = frame[part] > 1.01 * frame[whole]
        ratio = frame[part] / frame[whole].where(frame[whole] > 0)
        rows = frame.index[above & frame[whole].gt(0)]
        if not len(rows):
            continue
        core = part == "energy_core_j"
        yield Finding(
            kind="part-above-whole",
            severity="warning" if core else "serious",
            title=f"{name[0].upper()}{name[1:]} cannot be: a part above the whole",
            evidence=f"In {trials_of(len(rows))} it is more than the {of}, up to "
            f"{significant(ratio[rows].max(), 3)} times as much.",
            trials=rows,
            of=len(frame),
            numbers={"part": part, "whole": whole, "largest_ratio": float(ratio[rows].max())},
            drop=None if core else rows,
            cannot="cores are no part of the total that is compared" if core else None,
        )


def _sum(trials: Trials) -> Iterator[Finding]:
    frame = trials.used
    parts = [p for p in trials.parts if p not in ("energy_system_j", "energy_estimated_j")]
    if not trials.of_table or "table_energy_j" not in frame or "energy_package_j" not in parts:
        return
    if len(parts) < 2:
        return
    total = frame["table_energy_j"].where(frame["table_energy_j"] > 0)
    off = frame[parts].sum(axis=1) / total - 1
    rows = frame.index[off.abs() > 0.01]
    above = frame[parts].gt(1.01 * frame["energy"], axis=0).any(axis=1)
    rows = rows[~above[rows]]
    if len(rows):
        yield Finding(
            kind="sum",
            severity="warning",
            title="The parts do not add up to the total",
            evidence=f"In {trials_of(len(rows))} they differ by more than 1%, by up to "
            f"{percent(off[rows].abs().max())}; {plural(len(parts), 'part')} are known.",
            trials=rows,
            of=len(frame),
            numbers={"largest": float(off[rows].abs().max())},
            drop=rows,
        )
