"""Whether a difference of energy is one of power or of time: ln E = ln P + ln T."""

from typing import Any

import numpy as np
from scipy import stats

from analysis import effects, evidence, provenance
from analysis.decision import Decision, student
from analysis.settings import Settings
from analysis.table import Table


def split(table: Table, settings: Settings, found: Decision) -> list[dict[str, Any]]:
    """For each pair the log ratios of energy, power and time, which add up exactly.

    ``time_share`` is time's part of the log ratio of energy: 1 means "just time", more than 1 that
    power made up for some of it. It has Fieller's interval, and is given for resolved pairs only:
    of a difference that may be none there are no shares. Nor are there of an estimate, whose power
    is the model's. A table that tells no times gives no rows.
    """
    if table.usable["time_s"].isna().any():
        return []
    measured = provenance.estimated(table) == "none"
    rows = []
    for (a, b), c in zip(evidence.comparisons(table, settings), found.comparisons, strict=True):
        row = {"a": a, "b": b} | _split(table, a, b, c.paired, settings.alpha)
        if not (measured and c.resolved):
            row |= dict.fromkeys(("time_share", "time_share_low", "time_share_high"))
        rows.append(row)
    return rows


def _split(table: Table, a: str, b: str, paired: bool, alpha: float) -> dict[str, Any]:
    if paired:
        # Every usable trial has both, so that the blocks are the same.
        logs = [np.log(table.shared(m, a, b)) for m in ("energy_j", "time_s")]
        samples = [np.stack([second - first for first, second in logs])]
    else:
        samples = [
            np.log(np.stack([table.values(m, group) for m in ("energy_j", "time_s")]))
            for group in (a, b)
        ]
    mean, cov, df = _moments(samples)
    contrasts = {"energy_j": (1.0, 0.0), "power_w": (1.0, -1.0), "time_s": (0.0, 1.0)}
    row: dict[str, Any] = {"paired": paired}
    for metric, contrast in contrasts.items():
        c = np.array(contrast)
        value, se = float(c @ mean), float(np.sqrt(max(c @ cov @ c, 0.0)))
        half = float(student.quantile(1.0 - alpha / 2.0, df) * se) if df > 0 else np.nan
        known = np.isfinite(half)
        row[metric] = {
            "log_ratio": value,
            "pct_change": effects.percent(value) if np.isfinite(value) else None,
            "ci_low": effects.percent(value - half) if known else None,
            "ci_high": effects.percent(value + half) if known else None,
        }
    low, high = fieller(mean[1], mean[0], cov[1, 1], cov[0, 0], cov[0, 1], df, alpha)
    share = float(mean[1] / mean[0]) if mean[0] else None
    return row | {"time_share": share, "time_share_low": low, "time_share_high": high}


def _moments(samples: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean difference of (ln E, ln T), its covariance and degrees of freedom."""
    sizes = [s.shape[1] for s in samples]
    if min(sizes) < 2:
        means = [s.mean(axis=1) if s.shape[1] else np.full(2, np.nan) for s in samples]
        return means[-1] - (means[0] if len(means) > 1 else 0.0), np.full((2, 2), np.nan), 0.0
    parts = [np.cov(s) / n for s, n in zip(samples, sizes, strict=True)]
    mean = samples[-1].mean(axis=1) - (samples[0].mean(axis=1) if len(samples) > 1 else 0.0)
    energy = np.array([part[0, 0] for part in parts])
    down = (energy**2 / (np.array(sizes) - 1)).sum()
    return mean, sum(parts), float(energy.sum() ** 2 / down) if down > 0 else 0.0


def fieller(
    top: float,
    bottom: float,
    var_top: float,
    var_bottom: float,
    cov: float,
    df: float,
    alpha: float,
) -> tuple[float | None, float | None]:
    """Fieller's interval of ``top / bottom``; none where ``bottom`` may be zero."""
    if not df > 0 or not np.isfinite([top, bottom, var_top, var_bottom]).all():
        return None, None
    t2 = stats.t.ppf(1.0 - alpha / 2.0, df) ** 2
    a = bottom**2 - t2 * var_bottom
    b = top * bottom - t2 * cov
    under = b**2 - a * (top**2 - t2 * var_top)
    if a <= 0 or under < 0:
        return None, None
    root = np.sqrt(under)
    return float((b - root) / a), float((b + root) / a)
