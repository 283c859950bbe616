"""Whether the groups differ at all, before any pair: with blocks, and without."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
import pingouin
from scipy import stats

from analysis import limits, metrics
from analysis.settings import Settings
from analysis.table import Table
from analysis.written import WHERE_KNOWN


@dataclass(frozen=True, kw_only=True)
class Omnibus:
    """One test of one metric over all groups; ``note`` says why there is no p-value."""

    metric: str
    #: Whether it is of complete blocks, and of how many.
    blocked: bool
    blocks: int | None
    note: str | None = None
    test: str
    statistic: float | None
    #: Degrees of freedom.
    df1: float | None = field(default=None, metadata=WHERE_KNOWN)
    df2: float | None = field(default=None, metadata=WHERE_KNOWN)
    p: float | None
    #: Before Greenhouse and Geisser's correction, whose factor is ``epsilon``.
    p_uncorrected: float | None = field(default=None, metadata=WHERE_KNOWN)
    epsilon: float | None = field(default=None, metadata=WHERE_KNOWN)
    #: Generalised or partial eta squared, or Kendall's W.
    effect_size: float | None = field(default=None, metadata=WHERE_KNOWN)


#: Makes a row of what its head does not say.
_Make = Callable[..., Omnibus]


def test(table: Table, settings: Settings) -> list[Omnibus]:
    """Four tests of each headline metric; nothing where there are fewer than three groups.

    With two groups the paired test of the pair is the same question.
    """
    rows: list[Omnibus] = []
    if len(table.groups) < 3:
        return rows
    for metric in metrics.HEADLINE:
        if metric in table.metrics:
            rows += _blocked(table, metric.name, settings)
            rows += _free(table, metric.name)
    return rows


def _blocked(table: Table, metric: str, settings: Settings) -> list[Omnibus]:
    wide = table.blocks(metric, table.groups)
    blocks = len(wide)
    make = partial(Omnibus, metric=metric, blocked=True, blocks=blocks)
    needed = limits.blocks_needed(settings.alpha)
    note = f"{blocks} complete blocks of at least {needed}" if blocks < needed else None
    if note is None and any(limits.no_spread(wide[g].to_numpy()) for g in wide):
        note = "a group without any spread"
    if note:
        names = ("rm-anova-log", "friedman")
        return [make(test=name, statistic=None, p=None, note=note) for name in names]
    return [_rm_anova(make, np.log(wide)), _friedman(make, wide)]


def _rm_anova(make: _Make, logs: pd.DataFrame) -> Omnibus:
    """One-way repeated-measures ANOVA, the p-value corrected after Greenhouse and Geisser."""
    tidy = logs.reset_index(names="block").melt("block", var_name="group", value_name="value")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pingouin's own future-version notices
        found = pingouin.rm_anova(
            tidy, dv="value", within="group", subject="block", correction=True, detailed=False
        ).iloc[0]
    return make(
        test="rm-anova-log",
        statistic=float(found["F"]),
        df1=float(found["ddof1"] * found["eps"]),
        df2=float(found["ddof2"] * found["eps"]),
        p=float(found["p-GG-corr"]),
        p_uncorrected=float(found["p-unc"]),
        epsilon=float(found["eps"]),
        effect_size=float(found["ng2"]),
    )


def _friedman(make: _Make, wide: pd.DataFrame) -> Omnibus:
    """Friedman's rank test, with Kendall's W as its effect size."""
    groups = [wide[name].to_numpy() for name in wide]
    found = stats.friedmanchisquare(*groups)
    return make(
        test="friedman",
        statistic=float(found.statistic),
        df1=float(len(groups) - 1),
        p=float(found.pvalue),
        effect_size=float(found.statistic / (len(wide) * (len(groups) - 1))),
    )


def _free(table: Table, metric: str) -> list[Omnibus]:
    """Welch's ANOVA on the logarithms and Kruskal–Wallis, all usable trials."""
    groups = [table.values(metric, name) for name in table.groups]
    make = partial(Omnibus, metric=metric, blocked=False, blocks=None)
    if min(map(len, groups)) < 4 or any(limits.no_spread(values) for values in groups):
        note = "a group with fewer than four trials, or without any spread"
        names = ("welch-anova-log", "kruskal-wallis")
        return [make(test=name, statistic=None, p=None, note=note) for name in names]
    tidy = pd.DataFrame(
        {
            "group": np.repeat(np.arange(len(groups)), [len(values) for values in groups]),
            "value": np.log(np.concatenate(groups)),
        }
    )
    anova = pingouin.welch_anova(tidy, dv="value", between="group").iloc[0]
    ranks = stats.kruskal(*groups)
    return [
        make(
            test="welch-anova-log",
            statistic=float(anova["F"]),
            df1=float(anova["ddof1"]),
            df2=float(anova["ddof2"]),
            p=float(anova["p-unc"]),
            effect_size=float(anova["np2"]),
        ),
        make(
            test="kruskal-wallis",
            statistic=float(ranks.statistic),
            df1=float(len(groups) - 1),
            p=float(ranks.pvalue),
        ),
    ]
