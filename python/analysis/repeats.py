"""Trials that repeat another to the last digit: the same run, there more than once."""

import numpy as np
import pandas as pd

#: Written with fewer significant digits, energies and times agree by chance.
_ENERGY_DIGITS, _TIME_DIGITS = 5, 4


def found(energy: pd.Series, time: pd.Series) -> pd.Series:
    """Which trials have both the energy and the time of an earlier one, written exactly alike."""
    exact = energy.map(_digits).ge(_ENERGY_DIGITS) & time.map(_digits).ge(_TIME_DIGITS)
    return exact & pd.DataFrame({"energy": energy, "time": time}).duplicated()


def _digits(value: float) -> int:
    """Significant digits that a number was written with."""
    if not np.isfinite(value) or value == 0:
        return 0
    mantissa = f"{value:.12e}".split("e")[0].replace(".", "").lstrip("-")
    return len(mantissa.rstrip("0"))
