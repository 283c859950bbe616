"""Whether groups of trials without blocks ran at the same time.

Where one group ran before another, whatever changed meanwhile (the room, an update, another day's
load) is part of their difference, and no test of the energies can tell the two apart.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from analysis import text
from analysis.decision.student import holm

#: Of fewer trials one group's lie before another's by chance, too.
MIN_TRIALS = 3

#: One group mostly ran before another if chance would show that less often than this, after Holm's
#: correction over all pairs of groups, and if it is so in this share of pairs of their trials.
_UNLIKELY, _MOSTLY = 1e-3, 0.75

#: All of one group's trials lie before another's by chance, too, where they are few: one in so many
#: random orders at most may show what is called so.
_BY_CHANCE = 0.01

#: Of more groups, pairs are not looked at one by one; stretches of time that part them are.
_MOST_GROUPS = 60

#: More groups, pairs or stretches than these are counted, not named.
_MOST_NAMED, _MOST_PAIRS, _MOST_PERIODS = 6, 3, 4


@dataclass(frozen=True)
class Apart:
    """Two groups of which one ran before the other, wholly or mostly."""

    first: str
    later: str
    #: Of all pairs of a trial of each: in which the first group's ran first.
    share: float
    #: Of the Mann–Whitney test of when they ran, after Holm's correction.
    p_holm: float


@dataclass(frozen=True)
class Period:
    """A stretch of time and the groups that ran in it alone."""

    groups: list[str]
    trials: int
    #: Starts of its first and last trial, seconds since 1970; None where they are not known.
    begins_unix_s: float | None
    ends_unix_s: float | None


def apart(trials: pd.DataFrame) -> list[Apart]:
    """The pairs of groups that did not run at the same time, of trials in the order they ran."""
    places = _places(trials)
    if len(places) > _MOST_GROUPS:
        return []
    pairs, shares, ps = [], [], []
    for a, b in combinations(places, 2):
        own, other = places[a], places[b]
        if min(len(own), len(other)) < MIN_TRIALS:
            continue
        test = stats.mannwhitneyu(other, own, method="asymptotic")
        pairs.append((a, b))
        shares.append(float(test.statistic) / (len(own) * len(other)))
        ps.append(float(test.pvalue))
    if not pairs:
        return []
    found = []
    for (a, b), share, p in zip(pairs, shares, holm(np.array(ps)), strict=True):
        first, later, least = (a, b, share) if share >= 0.5 else (b, a, 1.0 - share)
        whole = (
            least == 1.0
            and _chance(len(places[a]), len(places[b]), math.log(len(pairs))) < _BY_CHANCE
        )
        if whole or (least >= _MOSTLY and p < _UNLIKELY):
            found.append(Apart(first, later, least, float(p)))
    return found


def periods(trials: pd.DataFrame) -> list[Period]:
    """The stretches of time that share no group, in order; a single one where all overlap, or where
    chance parts so few trials as well.
    """
    places = _places(trials)
    spans = sorted((own.min(), own.max(), group) for group, own in places.items())
    # A set of groups against the rest.
    ways = (len(spans) - 1) * math.log(2.0)
    merged: list[tuple[float, list[str]]] = []
    for begins, ends, group in spans:
        # Trials before this one's first are as many as its place among all.
        parted = merged and begins > merged[-1][0]
        if parted and _chance(int(begins), len(trials) - int(begins), ways) < _BY_CHANCE:
            merged.append((ends, [group]))
        elif merged:
            last = merged[-1]
            merged[-1] = (max(last[0], ends), [*last[1], group])
        else:
            merged.append((ends, [group]))
    found = []
    for _, groups in merged:
        own = trials[trials["group"].isin(groups)]
        starts = own["start_unix_s"]
        known = bool(starts.notna().all())
        found.append(
            Period(
                groups,
                len(own),
                float(starts.min()) if known else None,
                float(starts.max()) if known else None,
            )
        )
    return [period for period in found if period.trials >= MIN_TRIALS]


def _chance(before: int, after: int, log_ways: float) -> float:
    """At most this share of random orders parts so many trials from so many in one of some ways.

    In either order: 2 × ways ÷ (trials over those before); ``log_ways`` is the ways' logarithm.
    """
    log_orders = math.lgamma(before + after + 1) - math.lgamma(before + 1) - math.lgamma(after + 1)
    return math.exp(min(0.0, math.log(2.0) + log_ways - log_orders))


def _places(trials: pd.DataFrame) -> dict[str, np.ndarray]:
    """The places of each group's trials among all."""
    place = np.arange(len(trials), dtype=float)
    groups = trials["group"].to_numpy()
    return {str(group): place[groups == group] for group in dict.fromkeys(groups)}


def told(pairs: list[Apart], when: list[Period]) -> str:
    """Which groups ran before which, in a clause."""
    if len(when) > 1:
        parts = [_period(period, when) for period in when[:_MOST_PERIODS]]
        if len(when) > len(parts):
            parts.append(f"others in {len(when) - len(parts)} more stretches")
        return f"first {', then '.join(parts)}"
    shown = sorted(pairs, key=lambda pair: -pair.share)[:_MOST_PAIRS]
    words = [
        f"{p.later} ran after {p.first} in {text.share(p.share)} of their pairs of trials"
        for p in shown
    ]
    if len(pairs) > len(shown):
        words.append(f"so it is of {len(pairs) - len(shown)} more")
    return text.join(words)


def _period(period: Period, when: list[Period]) -> str:
    """The groups of a stretch of time, and when it was where that is known."""
    groups = period.groups
    names = text.join(groups) if len(groups) <= _MOST_NAMED else f"{len(groups)} groups"
    days = [_days(p) for p in when]
    if None in days:
        return names
    if len({day for both in days for day in both}) > 1:
        begins, ends = _days(period)
        return f"{names} ({begins}{'' if begins == ends else f' to {ends}'})"
    begins, ends = (f"{at:%H:%M}" for at in _times(period))
    return f"{names} ({begins} to {ends} UTC)"


def _times(period: Period) -> tuple[datetime, datetime]:
    ends = (period.begins_unix_s, period.ends_unix_s)
    first, last = (datetime.fromtimestamp(at, UTC) for at in ends if at is not None)
    return first, last


def _days(period: Period) -> tuple[str, str] | None:
    if period.begins_unix_s is None:
        return None
    first, last = _times(period)
    return f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"
