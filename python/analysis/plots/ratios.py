"""Round marks for an axis of ratios."""

import numpy as np
from matplotlib import ticker

from analysis import text

#: Beyond this ratio, or below its inverse, an axis counts in multiples.
_FAR = 4.0


def far(low: float, high: float) -> bool:
    """Whether an axis from ``low`` to ``high`` (logarithms) counts in multiples."""
    return bool(np.exp(high) > _FAR or np.exp(low) < 1 / _FAR)


def ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Round ratios between ``low`` and ``high`` (logarithms), and what they are called."""
    if far(low, high):
        chosen = _multiples(low, high)
        return chosen, [_multiple(t) for t in chosen]
    chosen = _percents(low, high)
    return chosen, [text.minus(f"{100 * (t - 1):+.4g}%") if t != 1 else "0" for t in chosen]


def _multiples(low: float, high: float) -> list[float]:
    """Round ratios, more of them where the axis is short."""
    powers = [10.0**p for p in range(-3, 5)]
    for steps in ((1, 1.2, 1.5, 2, 3, 4, 5, 7), (1, 1.5, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        ticks = [s * p for p in powers for s in steps if low <= np.log(s * p) <= high]
        # Room for a label: about a tenth of the axis.
        apart = np.diff(np.log(ticks)) / (high - low)
        if len(ticks) <= 7 and (apart > 0.1).all():
            return ticks
    # Several powers of ten from mark to mark, no change among them.
    every = int(np.ceil(0.14 * (high - low) / np.log(10.0)))
    far = [10.0 ** (every * p) for p in range(-24, 25)]
    return [t for t in far if low <= np.log(t) <= high]


def _multiple(ratio: float) -> str:
    """``20×``, or a power of ten where that has many zeros."""
    power = round(np.log10(ratio))
    if abs(power) <= 3 or not np.isclose(ratio, 10.0**power):
        return f"{ratio:g}×"
    return f"10{text.superscript(power)}×"


def _percents(low: float, high: float) -> list[float]:
    """Round percentages as ratios, from no change outwards, where the axis has room for them.

    ``low`` and ``high`` are the axis' ends as logarithms.
    """
    if high - low < np.log(1.6):
        step = ticker.MaxNLocator(5, steps=[1, 2, 5, 10])
        percents = step.tick_values(100 * np.expm1(low), 100 * np.expm1(high))
        percents = sorted(percents, key=abs)
    else:
        percents = [0, 50, -50, 100, 200, -20, 20, -10, 400, -70, 300]
    ticks: list[float] = []
    for ratio in (1 + p / 100 for p in percents if p > -100):
        place = np.log(ratio)
        if low <= place <= high and all(
            abs(place - np.log(other)) >= 0.12 * (high - low) for other in ticks
        ):
            ticks.append(ratio)
    return sorted(ticks)
