"""Small words that the findings share."""

from collections.abc import Sequence


def join(words: Sequence[str], between: str = ", ", most: int = 8) -> str:
    """A list in words, cut where it is long."""
    shown = [str(word) for word in words[:most]]
    if len(words) > most:
        return between.join(shown) + f" and {len(words) - most} more"
    if len(shown) > 1 and between == ", ":
        return between.join(shown[:-1]) + f" and {shown[-1]}"
    return between.join(shown)


def percent(share: float) -> str:
    """A share as a percentage with sensible digits."""
    value = 100 * share
    return f"{value:.0f}%" if abs(value) >= 10 else f"{value:.2g}%"


def plural(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def trials_of(number: int) -> str:
    """``1 trial``, ``2 trials``."""
    return plural(number, "trial")
