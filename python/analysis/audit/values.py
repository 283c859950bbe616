"""Values that cannot be, that come twice, that were rounded, cut or wrapped, or are too few."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from analysis import repeats
from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, percent, plural, trials_of
from analysis.text import significant

#: Ranges of 32-bit energy counters, J: units of 2^-16 J (AMD Zen) and 2^-14 J (many Intel).
RANGES = (65536.0, 262144.0)

#: Fewer runs than this in a group say little about its scatter.
FEW = 5

#: So few runs leave no scatter to judge a difference by.
NONE = 2

#: Groups with fewer runs do not show whether outliers were cut.
_SHAPE = 20


def check(trials: Trials) -> Iterator[Finding]:
    """Everything that single values show."""
    yield from _signs(trials)
    yield from _impossible(trials)
    yield from _unusable(trials)
    yield from _duplicates(trials)
    yield from _rounded(trials)
    yield from _cut(trials)
    yield from _wraps(trials)
    yield from _few(trials)


def _signs(trials: Trials) -> Iterator[Finding]:
    frame = trials.frame
    tabled = trials.frame[frame["energy"].notna() & frame["table_row"].notna()]
    for kind, word, rows in (
        ("zero", "zero", tabled.index[tabled["energy"] == 0]),
        ("negative", "negative", tabled.index[tabled["energy"] < 0]),
    ):
        if not len(rows):
            continue
        groups = frame.loc[rows, "group"].value_counts()
        told = [f"{n} in {g}" for g, n in groups.items()]
        many = len(rows) > 0.05 * len(frame)
        yield Finding(
            kind=kind,
            severity="serious" if many else "warning",
            title=f"Energies are {word}",
            evidence=f"{trials_of(len(rows))} ({percent(len(rows) / len(frame))}): {join(told)}. "
            + (
                "No run costs nothing: the meter had no reading."
                if kind == "zero"
                else "A counter that wrapped, or a baseline larger than the run."
            ),
            trials=rows,
            of=len(frame),
            groups=tuple(sorted(groups.index)),
            numbers={"by_group": {str(g): int(n) for g, n in groups.items()}},
            drop=rows,
        )
    unknown = frame.index[frame["energy"].isna() & frame["table_row"].notna()]
    if len(unknown):
        yield Finding(
            kind="unknown",
            severity="warning" if len(unknown) > 0.05 * len(frame) else "note",
            title="Energies are missing",
            evidence=f"{trials_of(len(unknown))} have no energy; they are left out everywhere.",
            trials=unknown,
            of=len(frame),
            cannot="they are left out already",
        )


def _impossible(trials: Trials) -> Iterator[Finding]:
    """Numbers in the column of energy that are none; the host says of each why."""
    frame = trials.frame
    if "table_impossible" not in frame:
        return
    rows = frame.index[frame["table_impossible"].eq(1)]
    if not len(rows):
        return
    reasons = frame.loc[rows, "reason"].value_counts()
    told = [f"{n} times {reason}" for reason, n in reasons.items()]
    groups = frame.loc[rows, "group"].value_counts()
    yield Finding(
        kind="impossible",
        severity="serious",
        title="Energies that no machine uses",
        evidence=f"{trials_of(len(rows))} ({join([f'{n} in {g}' for g, n in groups.items()])}): "
        f"{join(told)}.",
        trials=rows,
        of=len(frame),
        groups=tuple(sorted(groups.index)),
        numbers={"by_group": {str(g): int(n) for g, n in groups.items()}},
        drop=rows,
    )


def _unusable(trials: Trials) -> Iterator[Finding]:
    frame = trials.frame
    bad = frame["status"].ne("ok") & (frame["table_row"].isna() | frame["status"].eq("failed"))
    rows = frame.index[bad & ~frame["used"]]
    if not len(rows):
        return
    reasons = frame.loc[rows, "reason"].fillna("no reason is known").value_counts()
    groups = frame.loc[rows, "group"].value_counts()
    told = [f"{n} in {g}" for g, n in groups.items()]
    yield Finding(
        kind="unusable",
        severity="warning",
        title="Runs have no energy that can be used",
        evidence=f"{trials_of(len(rows))} ({join(told)}). Most often: {reasons.index[0]}.",
        trials=rows,
        of=len(frame),
        groups=tuple(sorted(groups.index)),
        numbers={"by_group": {str(g): int(n) for g, n in groups.items()}},
        cannot="they are left out already",
    )


def _duplicates(trials: Trials) -> Iterator[Finding]:
    frame = trials.frame
    same = pd.Series(False, frame.index)
    if "table_content" in frame:
        content = frame["table_content"]
        same |= content.notna() & frame.duplicated(["file", "table_content"])
        same |= content.notna() & content.duplicated()
    same |= repeats.found(frame["energy"], frame["time_s"])
    rows = frame.index[same & frame["energy"].notna()]
    number = len(rows) + trials.copies
    if not number:
        return
    groups = frame.loc[rows, "group"].value_counts()
    told = f": {join([f'{n} in {g}' for g, n in groups.items()])}" if len(rows) else ""
    repeated = (
        f"{trials_of(len(rows))} repeat the energy and time of another to the last digit{told}"
    )
    are = "is a copy of another" if trials.copies == 1 else "are copies of others"
    copied = f"{plural(trials.copies, 'file')} {are}"
    said = [repeated] * bool(len(rows)) + [copied] * bool(trials.copies)
    yield Finding(
        kind="duplicate",
        severity="serious" if number > 0.1 * len(frame) else "warning",
        title="Runs are there more than once",
        evidence=f"{'; '.join(said)}. Each copy makes the scatter look smaller than it is.",
        trials=rows,
        of=len(frame) + trials.copies,
        groups=tuple(sorted(groups.index)),
        numbers={"rows": len(rows), "files": trials.copies},
        drop=rows,
    )


def _rounded(trials: Trials) -> Iterator[Finding]:
    frame = trials.used[trials.used["energy"] > 0]
    values = np.unique(frame["energy"].to_numpy())
    if len(frame) < 6 or len(values) < 2:
        return
    step = float(np.diff(values).min())
    steps = values / step
    if steps.max() > 1e5 or np.abs(steps - np.round(steps)).max() > 0.02:
        return
    groups = frame.groupby("group")["energy"]
    spread = float(groups.std().median())
    means = np.sort(groups.mean().to_numpy())
    gap = float(np.diff(means).min()) if len(means) > 1 else np.inf
    hides = not np.isfinite(spread) or step >= 0.5 * spread or step >= gap > 0
    if not hides:
        return
    # Whether a step is nature's (few values) or a rounding cannot be told; its size can.
    nearest = f", and the two closest groups by {significant(gap, 3)} J" if np.isfinite(gap) else ""
    yield Finding(
        kind="rounded",
        severity="warning",
        title="Energies are rounded so much that differences are hidden",
        evidence=f"All are multiples of {significant(step, 3)} J ({len(values)} different values); "
        f"runs of one group differ by {significant(spread, 3)} J (SD){nearest}.",
        trials=frame.index,
        of=len(frame),
        numbers={"step_j": step, "sd_j": spread, "closest_j": gap if np.isfinite(gap) else None},
        cannot="digits that were rounded away do not come back",
    )


def _cut(trials: Trials) -> Iterator[Finding]:
    """Scatter that ends at the same distance on both sides, where a normal one would not.

    The largest of n values, standardised by their own mean and deviation, follows from Thompson's
    distribution; cutting at k deviations leaves a largest one just above k. The groups'
    probabilities are combined after Fisher.
    """
    frame = trials.used[trials.used["energy"] > 0]
    scaled, rows, below = [], [], []
    for _, cell in frame.groupby(["group", frame["table_block"].fillna("")]):
        if len(cell) >= _SHAPE and cell["energy"].nunique() > len(cell) // 2:
            z = (cell["energy"] - cell["energy"].mean()) / cell["energy"].std()
            scaled.append(z.to_numpy())
            rows.append(cell.index)
            below.append(_chance_below(float(z.abs().max()), len(z)))
    if not scaled:
        return
    z = np.concatenate(scaled)
    high, low = float(z.max()), float(-z.min())
    bound = max(high, low)
    chance = float(stats.chi2.sf(-2 * np.sum(np.log(below)), 2 * len(below)))
    peaked = np.mean(np.abs(z) < 1) > 0.55
    if chance >= 1e-3 or abs(high - low) > 0.15 * bound or not peaked:
        return
    index = rows[0].append(rows[1:]) if len(rows) > 1 else rows[0]
    yield Finding(
        kind="outliers-cut",
        severity="warning",
        title="Outliers seem to have been cut on both sides",
        evidence=f"None of {len(z)} runs lies further than {bound:.2f} standard deviations from "
        f"its group's mean ({low:.2f} below, {high:.2f} above); of runs that scatter normally that "
        f"happens in {chance:.1g} of cases. Intervals from what is left are too narrow.",
        trials=index,
        of=len(trials.used),
        numbers={"below_sd": low, "above_sd": high, "chance": chance},
        cannot="runs that were left out do not come back",
    )


def _chance_below(largest: float, runs: int) -> float:
    """How often the largest of so many normal values is smaller, standardised by themselves."""
    tau = min(largest * np.sqrt(runs / (runs - 1)), np.sqrt(runs - 1) * (1 - 1e-9))
    t = tau * np.sqrt(runs - 2) / np.sqrt(runs - 1 - tau**2)
    return max(float(stats.t.cdf(t, runs - 2) - stats.t.sf(t, runs - 2)) ** runs, 1e-300)


def _wraps(trials: Trials) -> Iterator[Finding]:
    frame = trials.frame
    if "wraps" in frame and frame["wraps"].fillna(0).gt(0).any():
        rows = frame.index[frame["wraps"].fillna(0) > 0]
        groups = frame.loc[rows, "group"].value_counts()
        yield Finding(
            kind="wrap",
            severity="note",
            title="Counters wrapped, and were put right here",
            evidence=f"{trials_of(len(rows))}: {join([f'{n} in {g}' for g, n in groups.items()])}. "
            "A study that subtracts the first reading from the last gets negative energies there.",
            trials=rows,
            of=len(frame),
            cannot="the wraps are undone already",
        )
    found: dict[float, list[int]] = {}
    for _, cell in trials.used[trials.used["table_row"].notna()].groupby(
        ["group", trials.used["table_block"].fillna("")]
    ):
        values = cell["energy"]
        median = values.median()
        scatter = 1.4826 * (values - median).abs().median()
        if len(cell) < FEW or not scatter > 0:
            continue
        for size in RANGES:
            near = (values + size - median).abs() < 4 * scatter
            rows = values.index[near & ((values - median).abs() > 6 * scatter)]
            if len(rows) and scatter < size / 10:
                found.setdefault(size, []).extend(rows)
    for size, rows in found.items():
        index = pd.Index(sorted(rows))
        groups = frame.loc[index, "group"].value_counts()
        yield Finding(
            kind="wrap",
            severity="serious",
            title="Counters wrapped, and nobody put it right",
            evidence=f"{trials_of(len(index))} lie {size:,.0f} J, the range of a 32-bit counter, "
            f"below their group's median: {join([f'{n} in {g}' for g, n in groups.items()])}.",
            trials=index,
            of=len(frame),
            groups=tuple(sorted(groups.index)),
            numbers={"range_j": size},
            drop=index,
        )


def _few(trials: Trials) -> Iterator[Finding]:
    frame = trials.used[trials.used["energy"] > 0]
    counts = frame["group"].value_counts().reindex(trials.groups).fillna(0).astype(int)
    short = counts[counts < FEW]
    if not len(short):
        return
    rows = frame.index[frame["group"].isin(short.index)]
    least = int(counts.min())
    listed = [f"{n} of {g}" for g, n in short.items()]
    yield Finding(
        kind="few",
        severity="serious" if least < NONE else "warning",
        title="Too few runs for a ranking",
        evidence=f"{join(listed)}. "
        + (
            "One run has no scatter: nothing tells a difference from chance."
            if least < NONE
            else f"With {least} runs only differences far larger than the scatter can be told from "
            "chance."
        ),
        trials=rows,
        of=len(frame),
        groups=tuple(sorted(short.index)),
        numbers={"runs": {str(g): int(n) for g, n in counts.items()}},
        cannot="runs that were not made cannot be added",
    )
