"""Formulas as textbooks have them: sums made term by term, matrices written out."""

import math
from itertools import pairwise, product

import numpy as np
from scipy import integrate, optimize, stats


def pct(log):
    return None if log is None or not math.isfinite(log) else 100.0 * math.expm1(log)


def holm(p):
    """Holm's correction; None stays None and does not count."""
    known = sorted((v, i) for i, v in enumerate(p) if v is not None)
    out, worst = [None] * len(p), 0.0
    for place, (v, i) in enumerate(known):
        worst = max(worst, min(1.0, v * (len(known) - place)))
        out[i] = worst
    return out


def shapiro(values):
    if len(values) < 3 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        return None, None
    return tuple(map(float, stats.shapiro(values)))


def inflation(n, phi):
    """n times the variance of a mean of n values whose correlation is φ^distance."""
    if phi == 0:
        return 1.0
    return sum(phi ** abs(i - j) for i in range(n) for j in range(n)) / n


def student(d, phi=0.0):
    """Mean, standard error and degrees of freedom of differences that remember by ``phi``."""
    n = len(d)
    f = inflation(n, phi)
    se = d.std(ddof=1) / math.sqrt(n) * math.sqrt(f * (n - 1) / max(n - f, 0.5))
    df = max((n - 1) * (1 - phi**2) / (1 + phi**2), min(n - 1.0, 1.0))
    return float(d.mean()), float(se), float(df)


def two_sided(t, df):
    return float(2 * stats.t.sf(abs(t), df))


def lag_one(series, known):
    """r1, its one-sided p and the memory it speaks for; neighbours of a gap are none."""
    n = int(known.sum())
    if n < 10:
        return None, None, 0.0
    c = np.where(known, series - series[known].mean(), 0.0)
    r1 = sum(x * y for x, y in pairwise(c)) / (c**2).sum()
    sd = (n - 2) / (n * math.sqrt(n - 1))
    p = float(stats.norm.sf((r1 + 1 / n) / sd))
    return float(r1), p, float(np.clip((r1 + 1 / n) / (1 - 4 / n), 0.0, 0.8))


def sizes(a, b, paired):
    n, m = len(a), len(b)
    var = a.var(ddof=1), b.var(ddof=1)
    pooled = sum(var) / 2 if paired else ((n - 1) * var[0] + (m - 1) * var[1]) / (n + m - 2)
    flat = all(np.ptp(v) <= 1e-12 * np.abs(v).max() for v in (a, b))
    small = 1 - 3 / (4 * (n + m) - 9)
    g = None if flat else (b.mean() - a.mean()) / math.sqrt(pooled) * small
    return {"hedges_g": g, "cliffs_delta": float(np.mean(np.sign(b[:, None] - a[None, :])))}


def signed_ranks(d):
    """All 2ⁿ signs, by adding one rank after the other."""
    n, ranks = len(d), stats.rankdata(np.abs(d))
    counts = {0: 1}
    for r in range(1, n + 1):
        new = dict(counts)
        for total, ways in counts.items():
            new[total + r] = new.get(total + r, 0) + ways
        counts = new
    plus = ranks[d > 0].sum()
    least = min(plus, n * (n + 1) / 2 - plus)
    walsh = sorted((d[i] + d[j]) / 2 for i, j in product(range(n), repeat=2) if i <= j)
    row = {"statistic": least, "pct_change": pct(float(np.median(walsh)))}
    row["p"] = min(1.0, 2 * sum(w for s, w in counts.items() if s <= least) / 2**n)
    below, k = 0, 0
    while (below + counts[k]) / 2**n <= 0.025:
        below, k = below + counts[k], k + 1
    if k > 0:
        row |= {"ci_low": pct(walsh[k - 1]), "ci_high": pct(walsh[-k])}
    # The interval's ends are the k-th Walsh averages, k the first w with P(W ≤ w) > 2.5%.
    return row


def welch(a, b):
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    row = {"pct_change": 100 * (b.mean() / a.mean() - 1)}
    if math.sqrt(parts.sum()) <= 1e-12 * max(np.abs(a).max(), np.abs(b).max()):
        return row
    se = math.sqrt(parts.sum())
    df = parts.sum() ** 2 / (parts**2 / (np.array([len(a), len(b)]) - 1)).sum()
    d = b.mean() - a.mean()
    half = stats.t.ppf(0.975, df) * se
    ends = {"ci_low": 100 * (d - half) / a.mean(), "ci_high": 100 * (d + half) / a.mean()}
    return row | {"statistic": d / se, "p": two_sided(d / se, df)} | ends


def mann_whitney(a, b):
    """U of b by counting; exact for small groups, else the normal limit with its correction."""
    u = float((b[:, None] > a[None, :]).sum() + 0.5 * (b[:, None] == a[None, :]).sum())
    n, m = len(a), len(b)
    row = {"statistic": u}
    both = np.concatenate([a, b])
    if np.ptp(both) <= 1e-12 * np.abs(both).max():
        return row
    ties = np.unique(both, return_counts=True)[1]
    far = max(u, n * m - u)
    if min(n, m) <= 8 and (ties == 1).all():
        total = far + m * (m + 1) / 2
        ways = {(0, 0): 1}
        for r in range(1, n + m + 1):  # choose m of the ranks, by their sum
            for (taken, s), w in list(ways.items()):
                if taken < m:
                    ways[taken + 1, s + r] = ways.get((taken + 1, s + r), 0) + w
        upper = sum(w for (taken, s), w in ways.items() if taken == m and s >= total)
        return row | {"p": min(1.0, 2 * upper / math.comb(n + m, m))}
    spread = n * m / 12 * (n + m + 1 - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    z = (far - n * m / 2 - 0.5) / math.sqrt(spread)
    return row | {"p": float(min(1.0, 2 * stats.norm.sf(z)))}


def rm_anova(y):
    n, k = y.shape
    grand = y.mean()
    of_groups = n * ((y.mean(axis=0) - grand) ** 2).sum()
    of_blocks = k * ((y.mean(axis=1) - grand) ** 2).sum()
    rest = ((y - grand) ** 2).sum() - of_groups - of_blocks
    f = of_groups / (k - 1) / (rest / ((k - 1) * (n - 1)))
    centre = np.eye(k) - 1 / k
    s = centre @ np.cov(y.T) @ centre
    eps = np.trace(s) ** 2 / ((k - 1) * np.trace(s @ s))
    df = (k - 1), (k - 1) * (n - 1)
    return {
        "statistic": f, "df1": df[0] * eps, "df2": df[1] * eps, "epsilon": eps,
        "p": float(stats.f.sf(f, df[0] * eps, df[1] * eps)),
        "p_uncorrected": float(stats.f.sf(f, *df)),
        "effect_size": of_groups / (of_groups + of_blocks + rest),
    }  # fmt: skip


def friedman(y):
    n, k = y.shape
    ranks = np.array([stats.rankdata(row) for row in y])
    sums = ranks.sum(axis=0)
    ties = [c for row in y for c in np.unique(row, return_counts=True)[1]]
    chi = 12 / (n * k * (k + 1)) * (sums**2).sum() - 3 * n * (k + 1)
    chi /= 1 - sum(c**3 - c for c in ties) / (n * k * (k**2 - 1))
    return {"statistic": chi, "df1": k - 1.0, "p": float(stats.chi2.sf(chi, k - 1)),
            "effect_size": chi / (n * (k - 1))}  # fmt: skip


def welch_anova(parts):
    k = len(parts)
    n, mean = np.array([len(v) for v in parts]), np.array([v.mean() for v in parts])
    w = n / np.array([v.var(ddof=1) for v in parts])
    centre = (w * mean).sum() / w.sum()
    lamb = ((1 - w / w.sum()) ** 2 / (n - 1)).sum()
    f = (w * (mean - centre) ** 2).sum() / (k - 1) / (1 + 2 * (k - 2) * lamb / (k**2 - 1))
    df2 = (k**2 - 1) / (3 * lamb)
    every = np.concatenate(parts)
    between = (n * (mean - every.mean()) ** 2).sum()
    within = sum(((v - v.mean()) ** 2).sum() for v in parts)
    return {"statistic": f, "df1": k - 1.0, "df2": df2, "p": float(stats.f.sf(f, k - 1, df2)),
            "effect_size": between / (between + within)}  # fmt: skip


def kruskal_wallis(parts):
    every = np.concatenate(parts)
    ranks = stats.rankdata(every)
    n, begin, h = len(every), 0, 0.0
    for v in parts:
        own = ranks[begin : begin + len(v)]
        h, begin = h + own.sum() ** 2 / len(v), begin + len(v)
    ties = np.unique(every, return_counts=True)[1]
    h = (12 / (n * (n + 1)) * h - 3 * (n + 1)) / (1 - (ties**3 - ties).sum() / (n**3 - n))
    return {"statistic": h, "df1": len(parts) - 1.0, "p": float(stats.chi2.sf(h, len(parts) - 1))}


def smallest(n, sd, alpha):
    """The log ratio with 80% power: the noncentral t's tails as an integral over the spread."""
    df = n - 1
    limit = stats.t.ppf(1 - alpha / 2, df)
    spread = stats.chi(df, scale=1 / math.sqrt(df))
    seen = np.linspace(*spread.ppf([1e-10, 1 - 1e-10]), 4001)
    weight = spread.pdf(seen)

    def missing(delta):
        beyond = stats.norm.cdf(delta - limit * seen) + stats.norm.cdf(-delta - limit * seen)
        return integrate.simpson(weight * beyond, x=seen) - 0.8

    high = 4.0
    while missing(high) < 0:
        high *= 2
    return float(optimize.brentq(missing, 0.0, high, xtol=1e-7)) * sd / math.sqrt(n)


def reml(y, x, names, z, pairs):
    """Restricted likelihood with V and P as matrices; observed information; Satterthwaite."""
    one = np.eye(len(y))

    def parts(theta):
        v = np.linalg.inv(theta[0] * z + theta[1] * one)
        phi = np.linalg.inv(x.T @ v @ x)
        return v, phi, v - v @ x @ phi @ x.T @ v

    def minus(logs):
        theta = np.exp(logs)
        v, phi, p = parts(theta)
        return 0.5 * (y @ p @ y - np.linalg.slogdet(v)[1] - np.linalg.slogdet(phi)[1])

    start = np.log([y.var() / 4, y.var() / 4])
    best = optimize.minimize(minus, start, method="Nelder-Mead",
                             options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000})  # fmt: skip
    theta = np.exp(best.x)
    v, phi, p = parts(theta)
    beta = phi @ x.T @ v @ y
    kinds = (z, one)
    info = np.array([[y @ p @ a @ p @ b @ p @ y - 0.5 * np.trace(p @ a @ p @ b) for b in kinds]
                     for a in kinds])  # fmt: skip
    rows = []
    for a, b in pairs:
        c = np.array([float(n == ("group", b)) - (n == ("group", a)) for n in names])
        var, mean = c @ phi @ c, c @ beta
        slope = np.array([c @ phi @ x.T @ v @ k @ v @ x @ phi @ c for k in kinds])
        rest = len(y) - x.shape[1]
        df = 2 * var**2 / (slope @ np.linalg.solve(info, slope))
        # Where blocks vary by nothing the model is least squares, with what that leaves.
        df = float(np.clip(df, 1.0, rest)) if theta[0] > 1e-4 * theta.sum() else float(rest)
        half = stats.t.ppf(0.975, df) * math.sqrt(var)
        ends = {"ci_low": pct(mean - half), "ci_high": pct(mean + half)}
        p_value = two_sided(mean / math.sqrt(var), df)
        rows.append({"pct_change": pct(mean), "df": df, "p": p_value} | ends)
    for row, value in zip(rows, holm([r["p"] for r in rows]), strict=True):
        row["p_holm"] = value
    if theta[0] <= 1e-4 * theta.sum():
        theta[0] = 0.0
    return {"pairs": rows, "block_sd_pct": 100 * math.sqrt(theta[0]),
            "residual_sd_pct": 100 * math.sqrt(theta[1])}  # fmt: skip
