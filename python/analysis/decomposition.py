"""Whether a difference of energy is one of power or of time: ln E = ln P + ln T."""

from typing import Any

import numpy as np

from analysis import effects, limits
from analysis.settings import Settings
from analysis.table import Table


def split(table: Table, settings: Settings) -> list[dict[str, Any]]:
    """For each pair the log ratios of energy, power and time, which add up exactly.

    ``time_share`` is time's part of the log ratio of energy: 1 means "just time", more than 1 that
    power made up for some of it. It is only given where the energy's bootstrap interval excludes no
    change; with fewer data than that takes, the intervals are Student's.
    """
    rows = []
    for i, a in enumerate(table.groups):
        for b in table.groups[i + 1 :]:
            rows.append({"a": a, "b": b} | _split(table, a, b, settings))
    return rows


def _split(table: Table, a: str, b: str, settings: Settings) -> dict[str, Any]:
    frame = {m: table.blocks(m, (a, b)) for m in ("energy_j", "time_s")}
    paired = limits.too_few_pairs(len(frame["energy_j"]), settings.alpha) is None
    ratios: dict[str, Any] = {}
    samples: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for metric in ("energy_j", "time_s"):
        if paired:
            samples[metric] = tuple(np.log(frame[metric][g].to_numpy()) for g in (a, b))
        else:
            samples[metric] = tuple(np.log(table.values(metric, g)) for g in (a, b))
    samples["power_w"] = tuple(
        e - t for e, t in zip(samples["energy_j"], samples["time_s"], strict=True)
    )
    change = effects.change_paired if paired else effects.change_unpaired
    for metric in ("energy_j", "power_w", "time_s"):
        log_a, log_b = samples[metric]
        found = change(log_a, log_b, settings.confidence, settings.seed)
        kind = "ci" if found["ci_low"] is not None else "t"
        ratios[metric] = {
            "log_ratio": float(np.log1p(found["pct_change"] / 100.0)),
            "pct_change": found["pct_change"],
            "ci_low": found[f"{kind}_low"],
            "ci_high": found[f"{kind}_high"],
            "interval": "interval" if kind == "ci" else "t-interval",
        }
    energy = ratios["energy_j"]
    share = None
    enough = energy["interval"] == "interval"
    if enough and energy["ci_low"] * energy["ci_high"] > 0:
        share = ratios["time_s"]["log_ratio"] / energy["log_ratio"]
    return {"paired": paired, **ratios, "time_share": share}
