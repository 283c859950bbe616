"""Several experiments of one plan: machines or days as a random factor above blocks.

Each experiment gives a log ratio with its standard error: ``y_i = θ + u_i + e_i``, ``u_i`` being
what differs between experiments. The answer is their plain mean with Student's t on their own
scatter, one degree of freedom less than there are experiments: what Hartung and Knapp's and Sidik
and Jonkman's interval is where standard errors are alike. Weights by standard errors of few blocks
are not used: a spread that came out small by chance would weigh most, and ten experiments of five
blocks then cover 92%. As they advise, the scatter is never taken for less than the standard errors
say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects


@dataclass(frozen=True)
class Pooled:
    """Log ratios over ``k`` experiments.

    ``low`` and ``high`` hold for experiments like these, ``within_low`` and ``within_high`` for
    these alone; ``next_low`` and ``next_high`` are where a further one's result is expected.
    ``tau`` is the standard deviation between experiments (Paule and Mandel, 1982), ``i2`` the share
    of the scatter that the standard errors do not explain, ``q_p`` the p-value of no difference
    between them.
    """

    k: int
    mean: float
    se: float
    low: float
    high: float
    p: float
    within_low: float
    within_high: float
    next_low: float
    next_high: float
    tau: float
    i2: float
    q: float
    q_p: float


def pool(
    means: Sequence[float], errors: Sequence[float], freedoms: Sequence[float], alpha: float = 0.05
) -> Pooled:
    """Pool log ratios with their standard errors and degrees of freedom; two at least."""
    y, se, df = (np.asarray(v, float) for v in (means, errors, freedoms))
    k, variances, mean = len(y), se**2, float(y.mean())
    scatter = max(float(y.var(ddof=1)), float(variances.mean()))
    error = np.sqrt(scatter / k)
    t = float(stats.t.ppf(1.0 - alpha / 2.0, k - 1))
    freedom = variances.sum() ** 2 / (variances**2 / df).sum()
    within = float(stats.t.ppf(1.0 - alpha / 2.0, freedom) * np.sqrt(variances.sum()) / k)
    ahead = t * np.sqrt(scatter * (1.0 + 1.0 / k))
    weights = 1.0 / variances
    q = float(weights @ (y - weights @ y / weights.sum()) ** 2)
    between = float(combine_effects(y, variances, method_re="iterated").tau2)
    return Pooled(
        k=k,
        mean=mean,
        se=float(error),
        low=float(mean - t * error),
        high=float(mean + t * error),
        p=float(2.0 * stats.t.sf(abs(mean) / error, k - 1)),
        within_low=mean - within,
        within_high=mean + within,
        next_low=float(mean - ahead),
        next_high=float(mean + ahead),
        tau=float(np.sqrt(max(between, 0.0))),
        i2=max(0.0, 1.0 - (k - 1) / q) if q > 0 else 0.0,
        q=q,
        q_p=float(stats.chi2.sf(q, k - 1)),
    )
