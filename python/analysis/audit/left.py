"""The comparison with and without each finding: does the ranking change, and by which finding."""

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join

ALPHA = 0.05

#: A pair is compared within blocks where it shares so many.
_SHARED = 3


@dataclass(frozen=True)
class Comparison:
    """Groups by mean energy, and the pairs whose difference is resolved (Holm, 5%)."""

    means: dict[str, float]
    resolved: frozenset[tuple[str, str]]
    trials: int
    paired: bool

    @property
    def ranked(self) -> list[str]:
        """The groups, the thriftiest first."""
        return sorted(self.means, key=lambda g: self.means[g])

    def __str__(self) -> str:
        """``a < b ≈ c``: ≈ where the neighbours' difference is not resolved."""
        ranked = self.ranked
        words = ranked[:1]
        for a, b in pairwise(ranked):
            words += ["<" if (a, b) in self.resolved else "≈", b]
        if len(ranked) > 10:
            return f"{' '.join(words[:11])} … {' '.join(words[-3:])}"
        return " ".join(words)

    def row(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ranking": str(self),
            "order": self.ranked,
            "mean_j": self.means,
            "resolved": sorted([list(pair) for pair in self.resolved]),
            "trials": self.trials,
            "paired": self.paired,
        }


@dataclass(frozen=True)
class Without:
    """What becomes of the comparison without a finding, or without all."""

    kind: str
    title: str
    how: str
    comparison: Comparison | None
    changes: bool
    what: str


@dataclass(frozen=True)
class Remains:
    """As published, without each finding, and without all that can be left out."""

    published: Comparison | None
    each: list[Without]
    together: Without | None


def without(trials: Trials, findings: list[Finding]) -> Remains:
    """Compare again for every finding that names what to leave out."""
    published = compare(trials.used, trials.used["energy"])
    if published is None:
        return Remains(None, [], None)
    each = [_without(trials, published, [finding]) for finding in findings]
    usable = [f for f in findings if f.cannot is None]
    together = _without(trials, published, usable) if len(usable) > 1 else None
    return Remains(published, each, together)


def _without(trials: Trials, published: Comparison, findings: list[Finding]) -> Without:
    first = findings[0]
    title = first.title if len(findings) == 1 else "all that can be left out"
    kind = first.kind if len(findings) == 1 else "all"
    if len(findings) == 1 and first.cannot:
        return Without(kind, title, "", None, False, f"cannot be left out: {first.cannot}")
    frame = trials.used
    energy = frame["energy"].copy()
    parts = sorted({part for finding in findings for part in finding.parts})
    for part in parts:
        energy = energy - frame[part].fillna(0.0)
    # What is left of a rounding is no energy.
    energy = energy.where(~(energy.abs() < 1e-9 * frame["energy"].abs()), 0.0)
    drop = pd.Index([])
    for finding in findings:
        if finding.drop is not None:
            drop = drop.union(finding.drop)
    kept = ~frame.index.isin(drop)
    how = []
    if parts:
        how.append(f"without the {join([trials.parts.get(p, p) for p in parts])}")
    if (~kept).any():
        how.append(f"without {(~kept).sum()} of {len(frame)} trials")
    told = " and ".join(how) or "as it is"
    nothing = parts and not energy[kept].gt(0).any()
    again = None if nothing else compare(frame[kept], energy[kept])
    if again is None:
        return Without(kind, title, told, None, True, "nothing is left to compare")
    changes, what = _difference(published, again)
    return Without(kind, title, told, again, changes, what)


def _difference(before: Comparison, after: Comparison) -> tuple[bool, str]:
    """Whether the ranking changes, and how."""
    lost = [g for g in before.ranked if g not in after.means]
    turned = [(a, b) for a, b in before.resolved if (b, a) in after.resolved]
    both = set(after.means)
    gone = [p for p in before.resolved if set(p) <= both and p not in after.resolved]
    gone = [p for p in gone if p not in turned]
    came = [
        p for p in after.resolved if p not in before.resolved and p[::-1] not in before.resolved
    ]
    words = []
    if lost:
        words.append(f"{join(lost, most=4)} cannot be compared any more")
    if turned:
        words.append(f"turned round: {join([f'{b} < {a}' for a, b in sorted(turned)], most=4)}")
    if gone:
        words.append(f"no longer resolved: {join([f'{a} < {b}' for a, b in sorted(gone)], most=4)}")
    if came:
        words.append(f"now resolved: {join([f'{a} < {b}' for a, b in sorted(came)], most=4)}")
    if words:
        return True, "; ".join(words)
    if before.ranked != after.ranked:
        return False, "the same, but for groups whose difference was not resolved"
    return False, "the ranking stays"


def compare(frame: pd.DataFrame, energy: pd.Series) -> Comparison | None:
    """Rank the groups by mean energy and test every pair.

    Within blocks (paired t on the logarithms of each block's mean) where all pairs share enough of
    them, otherwise Welch's t on the values as they are, as published studies do.
    """
    known = energy.notna()
    frame, energy = frame[known], energy[known]
    values = {g: v.to_numpy() for g, v in energy.groupby(frame["group"])}
    values = {g: v for g, v in values.items() if len(v)}
    if not values:
        return None
    means = {g: float(v.mean()) for g, v in values.items()}
    cells = _cells(frame, energy)
    names = sorted(values)
    pairs = list(combinations(names, 2))
    shared = {}
    if cells is not None:
        shared = {(a, b): cells[[a, b]].dropna() for a, b in pairs if a in cells and b in cells}
    paired = bool(pairs) and all(len(shared.get(p, ())) >= _SHARED for p in pairs)
    if paired:
        logs = np.log(cells)
        means = {g: float(np.exp(logs[g].dropna().mean())) for g in names}
    tested, ps = [], []
    for a, b in pairs:
        p = _p(shared[a, b], a, b) if paired else _welch(values[a], values[b])
        if np.isfinite(p):
            tested.append((a, b) if means[a] < means[b] else (b, a))
            ps.append(p)
    rejected = multipletests(ps, ALPHA, "holm")[0] if ps else []
    resolved = frozenset(p for p, yes in zip(tested, rejected, strict=True) if yes)
    return Comparison(means, resolved, len(frame), paired)


def _cells(frame: pd.DataFrame, energy: pd.Series) -> pd.DataFrame | None:
    block = frame["table_block"].where(frame["table_block"].notna(), frame["block"])
    if block.isna().all():
        return None
    block = block[block.notna()].astype(str)
    known = energy[block.index].where(energy > 0)
    return known.groupby([block, frame.loc[block.index, "group"]]).mean().unstack()


def _p(cells: pd.DataFrame, a: str, b: str) -> float:
    difference = np.log(cells[a]) - np.log(cells[b])
    if not difference.std() > 0:
        return float("nan")
    return float(stats.ttest_1samp(difference, 0.0).pvalue)


def _welch(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 2 or len(b) < 2 or not (a.std() > 0 or b.std() > 0):
        return float("nan")
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)
