"""What the experiment could have seen: the noise floor and the smallest detectable effect."""

from typing import Any

import numpy as np
import pingouin
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from analysis import effects, limits
from analysis.settings import EQUIVALENCE_MARGIN_PCT, POWER, Settings
from analysis.table import Table


def noise_floor(table: Table, settings: Settings) -> dict[str, Any] | None:
    """What an A/A control, one treatment twice per block, says the experiment cannot resolve.

    ``floor_pct`` is the end further from zero of the 95% band of the mean paired difference
    between the two: as large a difference came about here with nothing different. ``block_low``
    and ``block_high`` bound what a single block may show. The equivalence test (two one-sided
    t-tests) asks whether the two agree within ``margin_pct``.
    """
    control = settings.control
    if not control or not table.twin or control.treatment not in table.groups:
        return None
    blocks = table.blocks("energy_j", (control.treatment, table.twin))
    logs = np.log(blocks)
    differences = (logs[table.twin] - logs[control.treatment]).to_numpy()
    n = len(differences)
    found: dict[str, Any] = {"treatment": control.treatment, "twin": table.twin, "blocks": n}
    note = limits.too_few_pairs(n, settings.alpha)
    if note or limits.no_spread(differences):
        return found | {"floor_pct": None, "note": note or "the two are identical in every block"}
    mean, sd = differences.mean(), differences.std(ddof=1)
    t = stats.t.ppf(1.0 - settings.alpha / 2.0, n - 1)
    half, spread = t * sd / np.sqrt(n), t * sd * np.sqrt(1.0 + 1.0 / n)
    margin = float(np.log1p(EQUIVALENCE_MARGIN_PCT / 100.0))
    tost = pingouin.tost(
        logs[table.twin].to_numpy(), logs[control.treatment].to_numpy(), bound=margin, paired=True
    )
    half_90 = stats.t.ppf(1.0 - settings.alpha, n - 1) * sd / np.sqrt(n)
    return found | {
        "pct_change": effects.percent(mean),
        "ci_low": effects.percent(mean - half),
        "ci_high": effects.percent(mean + half),
        "block_low": effects.percent(mean - spread),
        "block_high": effects.percent(mean + spread),
        "floor_pct": effects.percent(abs(mean) + half),
        "margin_pct": EQUIVALENCE_MARGIN_PCT,
        "tost_p": float(tost["pval"].iloc[0]),
        "equivalent_within_pct": effects.percent(abs(mean) + half_90),
        "note": None,
    }


def inside(pct_change: float, floor: dict[str, Any] | None) -> bool:
    """Whether a percentage change is no larger than the noise floor, compared as log ratios."""
    if not floor or floor.get("floor_pct") is None:
        return False
    return abs(np.log1p(pct_change / 100.0)) <= np.log1p(floor["floor_pct"] / 100.0)


def detectable(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """For each pair: the smallest change of energy seen with 80% power, at alpha and after Holm.

    From the spread of the paired log ratios where there are blocks enough (statsmodels
    ``TTestPower``), else from the pooled spread of the logs (``TTestIndPower``).
    ``blocks_for_1_pct`` is the number of blocks that would show a change of 1%.
    """
    pairs = [(a, b) for i, a in enumerate(table.groups) for b in table.groups[i + 1 :]]
    return [_detectable(table, a, b, len(pairs), settings) for a, b in pairs]


def _detectable(table: Table, a: str, b: str, pairs: int, settings: Settings) -> dict[str, Any]:
    blocks = np.log(table.blocks("energy_j", (a, b)))
    row: dict[str, Any] = {"a": a, "b": b, "paired": True, "n": len(blocks)}
    one_percent = np.log1p(0.01)
    if limits.too_few_pairs(len(blocks), settings.alpha) is None:
        sd = float((blocks[b] - blocks[a]).std(ddof=1))
        power, size = TTestPower(), {"nobs": len(blocks)}
    else:
        log_a, log_b = (np.log(table.values("energy_j", g)) for g in (a, b))
        row |= {"paired": False, "n": len(log_a) + len(log_b)}
        if limits.too_few_unpaired(len(log_a), len(log_b), settings.alpha):
            return row | dict.fromkeys(("pct", "pct_holm", "blocks_for_1_pct"))
        pooled = (len(log_a) - 1) * log_a.var(ddof=1) + (len(log_b) - 1) * log_b.var(ddof=1)
        sd = float(np.sqrt(pooled / (len(log_a) + len(log_b) - 2)))
        power, size = TTestIndPower(), {"nobs1": len(log_a), "ratio": len(log_b) / len(log_a)}
    if sd == 0:
        return row | {"pct": 0.0, "pct_holm": 0.0, "blocks_for_1_pct": None}
    values = [
        effects.percent(sd * float(power.solve_power(alpha=alpha, power=POWER, **size)))
        for alpha in (settings.alpha, settings.alpha / pairs)
    ]
    needed = None
    if row["paired"]:
        needed = _blocks_needed(one_percent / sd, settings.alpha)
    return row | {"pct": values[0], "pct_holm": values[1], "blocks_for_1_pct": needed}


def _blocks_needed(effect: float, alpha: float) -> int:
    """The blocks that show a standardised effect with 80% power, never fewer than can be tested."""
    fewest = limits.blocks_needed(alpha)
    if TTestPower().power(effect, fewest, alpha) >= POWER:
        return fewest
    return int(np.ceil(TTestPower().solve_power(effect_size=effect, alpha=alpha, power=POWER)))
