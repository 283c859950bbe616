"""Whether a difference of energy is one of power or of time: ln E = ln P + ln T."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis import effects, evidence, provenance
from analysis.decision import Decision, student
from analysis.settings import Settings
from analysis.table import Table


@dataclass(frozen=True)
class Part:
    """A log ratio of ``b`` to ``a``, and the same as a change in per cent with its interval."""

    log_ratio: float
    pct_change: float | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True)
class Split:
    """A pair's difference of energy as one of power and one of time.

    ``time_share`` is time's part of the log ratio of energy, 1 for all of it; None, with its
    interval, where no share is given.
    """

    a: str
    b: str
    paired: bool
    energy_j: Part
    power_w: Part
    time_s: Part
    time_share: float | None
    time_share_low: float | None
    time_share_high: float | None


def split(table: Table, settings: Settings, found: Decision) -> list[Split]:
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
        known = measured and c.resolved
        rows.append(_split(table, (a, b), c.paired, known, settings.alpha))
    return rows


def _split(table: Table, pair: tuple[str, str], paired: bool, shared: bool, alpha: float) -> Split:
    a, b = pair
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
    parts = {}
    for metric, contrast in contrasts.items():
        c = np.array(contrast)
        value, se = float(c @ mean), float(np.sqrt(max(c @ cov @ c, 0.0)))
        half = float(student.quantile(1.0 - alpha / 2.0, df) * se) if df > 0 else np.nan
        known = np.isfinite(half)
        parts[metric] = Part(
            log_ratio=value,
            pct_change=effects.known_percent(value),
            ci_low=effects.percent(value - half) if known else None,
            ci_high=effects.percent(value + half) if known else None,
        )
    low, high = fieller(mean[1], mean[0], cov[1, 1], cov[0, 0], cov[0, 1], df, alpha)
    shares = (float(mean[1] / mean[0]) if mean[0] else None, low, high)
    share, low, high = shares if shared else (None, None, None)
    return Split(a, b, paired, **parts, time_share=share, time_share_low=low, time_share_high=high)


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
