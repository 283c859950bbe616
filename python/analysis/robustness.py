"""Whether the conclusion hangs on few trials: any one block left out, outlying blocks left out."""

from typing import Any

import numpy as np
from scipy import stats

from analysis import effects, limits
from analysis.settings import Settings
from analysis.table import Table

#: Modified z score beyond which a trial is outlying (Iglewicz and Hoaglin 1993).
MODIFIED_Z = 3.5

#: The rule, fixed before any data: printed in every report.
OUTLIER_RULE = (
    "A block is set aside, whole, when the ln energy of any of its trials has a modified z score "
    f"beyond {MODIFIED_Z:g} (0.6745 × distance from the group's median ÷ median absolute "
    "deviation; Iglewicz and Hoaglin 1993). The headline always uses all data."
)


def leave_one_out(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """Each pair's change and paired tests with every block left out in turn.

    ``survives`` is whether every one of these leaves the sign of the change and, of both tests,
    the side of ``alpha`` (uncorrected) where all data put them.
    """
    rows = []
    for i, a in enumerate(table.groups):
        for b in table.groups[i + 1 :]:
            rows.append({"a": a, "b": b} | _leave_one_out(table, a, b, settings))
    return rows


def _leave_one_out(table: Table, a: str, b: str, settings: Settings) -> dict[str, Any]:
    blocks = np.log(table.blocks("energy_j", (a, b)))
    differences = (blocks[b] - blocks[a]).to_numpy()
    n = len(differences)
    found: dict[str, Any] = {"blocks": n, "survives": None}
    note = limits.too_few_pairs(n - 1, settings.alpha)
    if note or limits.no_spread(differences):
        return found | {"note": note or "identical differences"}
    kept = np.array([np.delete(differences, i) for i in range(n)])
    means = kept.mean(axis=1)
    t = stats.ttest_1samp(kept, 0.0, axis=1).pvalue
    ranks = stats.wilcoxon(kept, axis=1).pvalue
    all_t = stats.ttest_1samp(differences, 0.0).pvalue
    all_ranks = stats.wilcoxon(differences).pvalue
    same_sign = bool((np.sign(means) == np.sign(differences.mean())).all())
    same_side = bool(
        ((t < settings.alpha) == (all_t < settings.alpha)).all()
        and ((ranks < settings.alpha) == (all_ranks < settings.alpha)).all()
    )
    pull = int(np.argmax(np.abs(means - differences.mean())))
    return found | {
        "survives": same_sign and same_side,
        "pct_low": effects.percent(means.min()),
        "pct_high": effects.percent(means.max()),
        "worst_p_t": float(t.max()),
        "worst_p_wilcoxon": float(ranks.max()),
        "most_influential_block": float(blocks.index[pull]),
        "note": None,
    }


def outlying(table: Table) -> list[dict[str, Any]]:
    """The trials that the outlier rule names; their blocks are whole ones to be set aside."""
    rows = []
    for group in table.all_groups:
        trials = table.usable[table.usable["group"].eq(group)].dropna(subset=["energy_j", "block"])
        logs = np.log(trials["energy_j"].to_numpy())
        if len(logs) < 5:
            continue
        distance = stats.median_abs_deviation(logs)
        if distance == 0:
            continue
        scores = 0.6745 * (logs - np.median(logs)) / distance
        for index in np.flatnonzero(np.abs(scores) > MODIFIED_Z):
            trial = trials.iloc[index]
            rows.append(
                {
                    "trial": trial["trial"],
                    "group": group,
                    "block": float(trial["block"]),
                    "energy_j": float(trial["energy_j"]),
                    "modified_z": float(scores[index]),
                }
            )
    return rows


def without_outliers(table: Table, settings: Settings) -> dict[str, Any]:
    """Every pair's change and paired tests with all data and without the outlying blocks."""
    trials = outlying(table)
    blocks = sorted({row["block"] for row in trials})
    reduced = table.without_blocks(blocks)
    pairs = []
    for i, a in enumerate(table.groups):
        for b in table.groups[i + 1 :]:
            pairs.append(
                {
                    "a": a,
                    "b": b,
                    "all": _paired(table, a, b, settings),
                    "without": _paired(reduced, a, b, settings) if blocks else None,
                }
            )
    return {"rule": OUTLIER_RULE, "trials": trials, "blocks": blocks, "pairs": pairs}


def _paired(table: Table, a: str, b: str, settings: Settings) -> dict[str, Any]:
    blocks = np.log(table.blocks("energy_j", (a, b)))
    differences = (blocks[b] - blocks[a]).to_numpy()
    found: dict[str, Any] = {"blocks": len(differences), "pct_change": None, "p_t": None}
    found["p_wilcoxon"] = None
    if len(differences):
        found["pct_change"] = effects.percent(differences.mean())
    if limits.too_few_pairs(len(differences), settings.alpha) or limits.no_spread(differences):
        return found
    found["p_t"] = float(stats.ttest_1samp(differences, 0.0).pvalue)
    found["p_wilcoxon"] = float(stats.wilcoxon(differences).pvalue)
    return found
