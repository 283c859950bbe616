"""From trials to a decision: which differences are resolved, how sure, and why not surer."""

from dataclasses import dataclass

import numpy as np

from analysis.decision import confounders, memory, ranks, student
from analysis.decision.confounders import Confounders
from analysis.decision.trials import Trials

#: A pair is compared within blocks when these hold at least this share of its smaller group.
_PAIRED_SHARE = 0.5


@dataclass(frozen=True)
class Comparison:
    """One group against its base; ``mean`` and the ends are log ratios, positive for more.

    ``low`` and ``high`` are Student's interval, by itself; ``p`` is corrected by Holm over the
    comparisons of the decision. NaN is what cannot be said. ``memory`` is the lag-1 correlation
    that the interval was widened by, 0 for none.
    """

    base: int
    group: int
    paired: bool
    n: int
    n_base: int
    n_group: int
    mean: float
    se: float
    df: float
    low: float
    high: float
    p_alone: float
    p: float
    resolved: bool
    p_rank: float
    rank_agrees: bool | None
    r1: float
    r1_p: float
    memory: float
    memory_bound: float
    holds_with_memory: bool
    adjusted: float
    adjusted_low: float
    adjusted_high: float
    adjusted_p: float
    holds_adjusted: bool | None
    #: Change of the log ratio from the first block to the last, and Holm's p of its slope.
    trend: float
    trend_p: float
    survives: bool | None
    within: float
    equivalent_p: float

    @property
    def tested(self) -> bool:
        """Whether there is a p-value."""
        return bool(np.isfinite(self.p))

    @property
    def solid(self) -> bool:
        """Whether nothing in the numbers speaks against calling it firm."""
        return (
            self.resolved
            and self.paired
            and self.rank_agrees is True
            and self.survives is True
            and self.memory == 0
            and self.holds_with_memory
            and self.holds_adjusted is True
        )


@dataclass(frozen=True)
class Control:
    """The A/A pair: as every comparison, and whether its interval excludes zero."""

    n: int
    mean: float
    sd: float
    low: float
    high: float
    p: float

    @property
    def fails(self) -> bool:
        """Whether two names of one treatment differ."""
        return bool(np.isfinite(self.low) and self.low * self.high > 0)


@dataclass(frozen=True)
class Decision:
    """All comparisons, what may confound them, and the level.

    ``level`` is ``few``, ``not resolved``, ``tentative`` or ``firm``. ``cautions`` are those of the
    numbers: ``position``, ``predecessor``, ``trend``, ``memory``, ``memory-bound``, ``adjusted``,
    ``control``; each says that p-values may look surer than they are. ``drifts`` is whether the
    means of blocks drift, which pairing takes out and which is no caution.
    """

    comparisons: tuple[Comparison, ...]
    confounders: Confounders
    #: The memory of blocks that all comparisons show together.
    memory: memory.Shared
    control: Control | None
    cautions: tuple[str, ...]
    drifts: bool
    level: str
    #: Blocks by comparisons: whether the pair is resolved with that block left out; None unpaired.
    without: np.ndarray | None
    #: The same for the log ratio and Holm's p.
    without_mean: np.ndarray | None
    without_p: np.ndarray | None


def decide(trials: Trials) -> Decision:
    """Decide one experiment.

    Primary is the paired t on the logarithms, at any number of blocks from two on; without enough
    shared blocks Welch's t on the logarithms of all trials. Holm over the comparisons.
    """
    alpha = trials.alpha
    differences = trials.differences()
    blocks = student.of_columns(differences)
    paired, counts = _paired(trials, blocks.n)
    remembered = memory.lag_one(differences, trials.strata)
    together = memory.shared(differences[:, paired], trials.strata)
    widen = np.where(paired, memory.widening(remembered, together), 0.0)
    plain = _with_unpaired(trials, blocks, paired)
    found = memory.widened(plain, widen)
    alone = _over_looks(trials, found)
    p = student.holm(alone)
    resolved = np.nan_to_num(p, nan=1.0) < alpha
    bound = np.where(paired, remembered.bound, 0.0)
    with_memory = student.holm(_over_looks(trials, memory.widened(plain, np.maximum(bound, widen))))
    holds_with_memory = np.nan_to_num(with_memory, nan=1.0) < alpha
    beside = confounders.examine(
        trials.logs, trials.position, trials.predecessor, trials.times, trials.base, trials.group,
        trials.strata,
    )  # fmt: skip
    trends = confounders.trends(differences, paired, trials.strata)
    adjusted = beside.adjusted
    without = _leave_one_out(trials, differences, widen, paired, found)
    half = found.half(_levels(trials, found))
    one_sided = student.quantile(1.0 - alpha, found.df) * found.se
    equivalence = _equivalence(found, trials.margin)
    if adjusted is not None:
        adjusted_half = student.quantile(1 - alpha / 2, np.full(len(p), adjusted.df)) * adjusted.se
        adjusted_p = student.holm(adjusted.p())
    rows = []
    for i, (base, group) in enumerate(trials.comparisons):
        own = differences[:, i][np.isfinite(differences[:, i])]
        rank_p = ranks.signed_rank(own)[1] if paired[i] and np.isfinite(alone[i]) else np.nan
        can = paired[i] and ranks.smallest_p(len(own)) < alpha
        known = adjusted is not None and np.isfinite(adjusted.mean[i])
        rows.append(
            Comparison(
                base=base,
                group=group,
                paired=bool(paired[i]),
                n=int(blocks.n[i]) if paired[i] else int(counts[i].sum()),
                n_base=int(counts[i, 0]),
                n_group=int(counts[i, 1]),
                mean=float(found.mean[i]),
                se=float(found.se[i]),
                df=float(found.df[i]),
                low=float(found.mean[i] - half[i]),
                high=float(found.mean[i] + half[i]),
                p_alone=float(alone[i]),
                p=float(p[i]),
                resolved=bool(resolved[i]),
                p_rank=float(rank_p),
                rank_agrees=bool((rank_p < alpha) == resolved[i]) if can else None,
                r1=float(remembered.r1[i]) if paired[i] else np.nan,
                r1_p=float(remembered.p[i]) if paired[i] else np.nan,
                memory=float(widen[i]),
                memory_bound=float(bound[i]),
                holds_with_memory=bool(holds_with_memory[i]),
                adjusted=float(adjusted.mean[i]) if known else np.nan,
                adjusted_low=float(adjusted.mean[i] - adjusted_half[i]) if known else np.nan,
                adjusted_high=float(adjusted.mean[i] + adjusted_half[i]) if known else np.nan,
                adjusted_p=float(adjusted_p[i]) if known else np.nan,
                holds_adjusted=_holds(adjusted, adjusted_p, found, i, alpha) if known else None,
                trend=float(trends.slope[i] * trends.span[i]),
                trend_p=float(trends.p[i]),
                survives=_survives(without, i, resolved[i]),
                within=float(abs(found.mean[i]) + one_sided[i]),
                equivalent_p=float(equivalence[i]),
            )
        )
    control = _control(trials)
    cautions = _cautions(rows, beside, trends, control, alpha)
    return Decision(
        comparisons=tuple(rows),
        confounders=beside,
        memory=together,
        control=control,
        cautions=cautions,
        drifts=beside.drift is not None and beside.drift.p < alpha,
        level=_level(rows, cautions, trials.caps),
        without=without[0],
        without_mean=without[1],
        without_p=without[2],
    )


def _over_looks(trials: Trials, found: student.Mean) -> np.ndarray:
    """The p-values; over all looks where the experiment may have stopped at any of several."""
    p = found.p()
    if trials.looks is None:
        return p
    return np.vectorize(trials.looks.overall_p, otypes=[float])(p, found.n)


def _levels(trials: Trials, found: student.Mean) -> np.ndarray:
    """One minus the nominal confidence of every interval."""
    if trials.looks is None:
        return np.full(len(found.mean), trials.alpha)
    levels = np.vectorize(trials.looks.level, otypes=[float])(trials.alpha, found.n)
    return np.where(levels > 0, levels, np.nan)


def _holds(adjusted, p: np.ndarray, found: student.Mean, i: int, alpha: float) -> bool:
    """Whether the adjusted estimate is resolved as well, on the same side."""
    return bool(p[i] < alpha and np.sign(adjusted.mean[i]) == np.sign(found.mean[i]))


def _paired(trials: Trials, shared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which comparisons stay within blocks, and the trials of both groups of each."""
    if trials.free is None:
        sizes = np.isfinite(trials.logs).sum(axis=0)
    else:
        sizes = np.array([len(values) for values in trials.free])
    counts = np.stack([sizes[trials.base], sizes[trials.group]], axis=1)
    return (shared >= 2) & (shared >= _PAIRED_SHARE * counts.min(axis=1)), counts


def _with_unpaired(trials: Trials, blocks: student.Mean, paired: np.ndarray) -> student.Mean:
    """The paired means, and Welch's where a comparison is not paired."""
    if paired.all():
        return blocks
    logs = trials.free
    if logs is None:
        logs = [column[np.isfinite(column)] for column in trials.logs.T]
    mean, se, df = (v.astype(float).copy() for v in (blocks.mean, blocks.se, blocks.df))
    for i in np.flatnonzero(~paired):
        a, b = trials.comparisons[i]
        mean[i], se[i], df[i] = student.welch(logs[a], logs[b])
    return student.Mean(blocks.n, mean, se, df)


def _leave_one_out(
    trials: Trials,
    differences: np.ndarray,
    widen: np.ndarray,
    paired: np.ndarray,
    found: student.Mean,
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """The whole decision with each block left out: resolved or not, log ratio, Holm's p."""
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    if not paired.any() or n[paired].min() < 3:
        return None, None, None
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, differences, 0.0).sum(axis=0) / n
        away = np.where(known, differences - mean, 0.0)
        square = (away**2).sum(axis=0) - away**2 * n / np.maximum(n - 1, 1)
        left = n - known
        means = mean - away / np.maximum(n - 1, 1)
        se = np.sqrt(np.maximum(square, 0.0) / (left - 1) / left)
        se = np.where(np.isfinite(found.se), np.maximum(se, 1e-14), np.nan)
    each = memory.widened(student.Mean(left, means, se, left - 1.0), widen[None, :])
    each = student.Mean(
        left,
        np.where(paired, each.mean, found.mean),
        np.where(paired, each.se, found.se),
        np.where(paired, each.df, found.df),
    )
    p = student.holm(_over_looks(trials, each))
    resolved = (np.nan_to_num(p, nan=1.0) < trials.alpha) & (
        np.sign(each.mean) == np.sign(found.mean)
    )
    return resolved, each.mean, p


def _survives(without: tuple, i: int, resolved: bool) -> bool | None:
    """Whether leaving out any one block leaves the outcome as it is."""
    return None if without[0] is None else bool((without[0][:, i] == resolved).all())


def _equivalence(found: student.Mean, margin: float | None) -> np.ndarray:
    """Holm's p of two one-sided tests within ± ``margin`` (a log ratio), NaN without one."""
    if margin is None:
        return np.full(len(found.mean), np.nan)
    with np.errstate(invalid="ignore"):
        t = (margin - np.abs(found.mean)) / found.se
    two = student.two_sided(t, found.df)
    return student.holm(np.where(t > 0, two / 2.0, 1.0 - two / 2.0))


def _control(trials: Trials) -> Control | None:
    if trials.control is None:
        return None
    treatment, twin = trials.control
    values = (trials.logs[:, twin] - trials.logs[:, treatment])[:, None]
    found = student.of_columns(values)
    half = found.half(trials.alpha)
    mean, se = float(found.mean[0]), float(found.se[0])
    return Control(
        n=int(found.n[0]),
        mean=mean,
        sd=se * float(np.sqrt(found.n[0])),
        low=mean - float(half[0]),
        high=mean + float(half[0]),
        p=float(found.p()[0]),
    )


def _cautions(
    rows: list[Comparison],
    beside: Confounders,
    trends: confounders.Trends,
    control: Control | None,
    alpha: float,
) -> tuple[str, ...]:
    """What says that the p-values may look surer than they are."""
    names = ("position", "predecessor", "trend")
    parts = [np.nan if f is None else f.p for f in (beside.position, beside.predecessor)]
    p = student.holm(np.array([*parts, trends.smallest_p]))
    found = [name for name, value in zip(names, p, strict=True) if value < alpha]
    resolved = [r for r in rows if r.resolved]
    if any(r.memory > 0 for r in rows):
        found.append("memory")
    if any(r.paired and not r.holds_with_memory for r in resolved):
        found.append("memory-bound")
    if any(r.holds_adjusted is False for r in resolved):
        found.append("adjusted")
    if control is not None and control.fails:
        found.append("control")
    return tuple(found)


def _level(rows: list[Comparison], cautions: tuple[str, ...], caps: tuple[str, ...]) -> str:
    if not any(r.tested for r in rows):
        return "few"
    resolved = [r for r in rows if r.resolved]
    if not resolved:
        return "not resolved"
    return "firm" if not cautions and not caps and all(r.solid for r in resolved) else "tentative"
