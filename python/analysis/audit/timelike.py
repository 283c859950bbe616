"""Energy that is time in disguise."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from analysis.audit.finding import Finding
from analysis.audit.trials import Trials
from analysis.audit.words import join, percent
from analysis.text import significant

#: Power that scatters less than this over all trials adds nothing to time.
FLAT = 0.02

#: Fewer trials show no slope.
_FEWEST = 8


def check(trials: Trials) -> Iterator[Finding]:
    """Whether energies follow from times: correlation, slope and the scatter of power."""
    frame = trials.used[(trials.used["energy"] > 0) & (trials.used["time_s"] > 0)]
    if len(frame) < _FEWEST:
        return
    seconds, joules = np.log(frame["time_s"]), np.log(frame["energy"])
    watts = joules - seconds
    scatter = float(watts.std())
    if not seconds.std() > 2 * scatter or scatter >= FLAT:
        return
    fit = stats.linregress(seconds, joules)
    half = float(stats.t.ppf(0.975, len(frame) - 2) * fit.stderr)
    low, high = fit.slope - half, fit.slope + half
    if fit.rvalue < 0.98 or low > 1.05 or high < 0.95:
        return
    mean = float(np.exp(watts.mean()))
    by_energy = frame.groupby("group")["energy"].mean().sort_values().index
    by_time = frame.groupby("group")["time_s"].mean().sort_values().index
    ranking = (
        "The ranking by time is the same"
        if list(by_energy) == list(by_time)
        else (f"The ranking by time is {join(list(by_time), ' < ')}")
    )
    yield Finding(
        kind="time-in-disguise",
        severity="warning",
        title="The energy is time in disguise",
        evidence=f"Joules follow seconds with r = {fit.rvalue:.4f} and a slope (of logarithms) of "
        f"{fit.slope:.3f} (95% {low:.3f} to {high:.3f}); power is {significant(mean, 3)} W in all "
        f"trials within {percent(scatter)} (SD). {ranking}: energy adds nothing to it.",
        trials=frame.index,
        of=len(trials.used),
        numbers={
            "r": float(fit.rvalue),
            "slope": float(fit.slope),
            "slope_low": float(low),
            "slope_high": float(high),
            "power_sd_pct": 100 * scatter,
        },
        cannot="without its time nothing is left of it",
    )
