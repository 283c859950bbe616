"""Numbers as people read them: units of a fitting size, sensible digits, real minus signs."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Beyond this change, in per cent, a limit of what can be told is only said to be huge.
_HUGE = 900.0

#: A multiple beyond this, or below its inverse, is not told to the digit.
_FAR = 1000

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))

#: Units that take a prefix; seconds and watts stay as they are within reason.
_PREFIXED = ("J", "J·s", "J·s²", "Wh", "W")


@dataclass(frozen=True)
class Scale:
    """How a column of numbers is written: divided by ``factor``, in ``unit``, ``decimals`` kept."""

    factor: float
    unit: str
    decimals: int

    @classmethod
    def fit(cls, values: Iterable[float], unit: str, digits: int = 4) -> "Scale":
        """A scale that shows the largest of ``values`` with ``digits`` significant digits."""
        sizes = [abs(v) for v in values if v is not None and math.isfinite(v) and v]
        largest = max(sizes, default=1.0)
        factor, prefix = 1.0, ""
        if unit in _PREFIXED and not (0.1 <= largest < 2000):
            fits = [(f, p) for f, p in _PREFIXES if largest >= f]
            factor, prefix = fits[0] if fits else _PREFIXES[-1]
        whole = math.floor(math.log10(largest / factor)) + 1
        return cls(factor, prefix + unit, min(max(digits - whole, 0), 6))

    def format(self, value: float | None) -> str:
        """The number without its unit, or a dash."""
        if value is None or not math.isfinite(value):
            return "–"
        return minus(f"{value / self.factor:.{self.decimals}f}")

    def with_unit(self, value: float | None) -> str:
        """The number with its unit."""
        return f"{self.format(value)} {self.unit}"


def quantity(value: float, unit: str, digits: int = 3) -> str:
    """One number with a fitting unit: ``quantity(2231, "J")`` is ``2.23 kJ``."""
    return Scale.fit([value], unit, digits).with_unit(value)


def significant(value: float | None, digits: int = 3) -> str:
    """A plain number with significant digits and no exponent where that is readable."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return minus(f"{mantissa}×10{superscript(int(exponent))}")
    return minus(f"{value:.{max(digits - 1 - size, 0)}f}")


def superscript(number: int) -> str:
    """A whole number in superscript characters."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def percent_decimals(*values: float | None) -> int:
    """Decimals that show percentages to about two significant digits of the smallest span."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    span = (max(known) - min(known)) if len(known) > 1 else abs(known[0] if known else 1.0)
    if span <= 0:
        span = max((abs(v) for v in known), default=1.0) or 1.0
    decimals = min(max(1 - math.floor(math.log10(span)), 0), 3)
    if any(v and round(v, decimals) == 0 for v in known):
        decimals = min(decimals + 1, 3)  # an end beside zero must not look like zero
    return decimals


def percent(value: float | None, decimals: int = 1, sign: bool = True) -> str:
    """A percentage such as ``+14.2%``."""
    if value is None or not math.isfinite(value):
        return "–"
    rounded = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    if float(rounded) == 0:
        rounded = rounded.lstrip("+-")
    return minus(rounded) + "%"


def ratio_decimals(low: float, high: float) -> int:
    """Decimals of multiples: two digits of the interval's width, two at most unless it is narrower.

    ``low`` and ``high`` are percentage changes.
    """
    decimals = min(percent_decimals(low / 100.0, high / 100.0), 2)
    while decimals < 4 and f"{low / 100:.{decimals}f}" == f"{high / 100:.{decimals}f}":
        decimals += 1
    return max(decimals, 1)


def change(
    pct: float | None, low: float | None, high: float | None, *more: float | None
) -> list[str]:
    """A change, its interval's ends, and more changes of the same kind, all written alike.

    ``+42.1%``, or ``4.66×`` from twice as much on and where the interval goes beyond tenfold; the
    digits are those that the interval bears out. The one way in which the report writes a change.
    """
    values = (pct, low, high, *more)
    places = None
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        places = ratio_decimals(low, high) if (pct or 0.0) >= 100 or high >= _HUGE else None
    if pct is not None and (pct >= 100 or places is not None):
        return [_times(v, 2 if places is None else places) for v in values]
    decimals = percent_decimals(low, high, pct)
    return [percent(v, decimals) for v in values]


def _times(pct: float | None, places: int) -> str:
    """A change as a multiple; one that is far off is only said to be."""
    if pct is None:
        return "–"
    ratio = 1 + pct / 100
    if ratio > _FAR:
        return f"over {_FAR}×"
    if ratio < 1 / _FAR:
        return f"under {1 / _FAR:g}×"
    shown = f"{ratio:.{places}f}"
    return f"{shown if float(shown) else significant(ratio, 1)}×"


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    teen = 10 < number % 100 < 14
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def within(pct: float | None) -> str:
    """A margin of equivalence: ``±2.4%``, or as a factor where it is no margin to speak of."""
    if pct is None or not math.isfinite(pct):
        return "–"
    if pct < 100:
        return f"±{significant(pct, 2)}%"
    if pct >= _HUGE:
        return f"a factor of over {1 + _HUGE / 100:.0f}"
    return f"a factor of {significant(1 + pct / 100, 2)}"


def share(value: float | None) -> str:
    """A share in per cent; what lies outside the whole is only said to."""
    if value is None or not math.isfinite(value):
        return "–"
    if value > 1.0:
        return "over 100%"
    return "below 0%" if value < 0.0 else f"{100 * value:.0f}%"


def size(pct: float | None) -> str:
    """The size of a change: ``0.45%``, ``12%``, or a multiple from twice as much on."""
    if pct is None or not math.isfinite(pct):
        return "–"
    if pct < 100:
        return f"{significant(pct, 2)}%"
    return f"{significant(1 + pct / 100, 2)} times as much"


def detectable(pct: float | None) -> str:
    """The smallest difference that can be resolved; of what few blocks leave, that it is huge."""
    if pct is not None and pct >= _HUGE:
        return f"over {1 + _HUGE / 100:.0f} times as much"
    return size(pct)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number and its interval, all with the decimals that the interval's width bears out."""
    if value is None or low is None or high is None or high <= low:
        return significant(value, 2)
    decimals = min(max(-math.floor(math.log10(high - low)), 0), 6)
    shown = [minus(f"{v:.{decimals}f}") for v in (value, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def p_value(p: float | None) -> str:
    """A p-value with two or three digits, ``< 0.001`` below that, or a dash."""
    if p is None or not math.isfinite(p):
        return "–"
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def p_equation(p: float | None) -> str:
    """``p = 0.013`` or ``p < 0.001``."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def minus(text: str) -> str:
    """The text with a minus sign where it has a hyphen."""
    return text.replace("-", "−")


def join(words: Sequence[str], last: str = "and") -> str:
    """A list in words: ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def plural(number: int, noun: str) -> str:
    """``block`` or ``blocks``."""
    return noun if number == 1 else noun + "s"


def count(number: int, noun: str) -> str:
    """``1 block``, ``2 blocks``."""
    return f"{number} {noun if number == 1 else noun + 's'}"


def domains(names: Iterable[str]) -> str:
    """Domains as a sentence names them: an estimate is the processor's, and measured nothing."""
    return join(["the processor (an estimate)" if n == "estimated" else str(n) for n in names])
