"""Every number of a report worked out again, with NumPy, SciPy and statsmodels' least squares.

Shares no code with ``analysis``: formulas stand here as textbooks have them, sums are made term by
term where the analysis has a closed form, and matrices are written out where it has shortcuts.
"""

import math
from itertools import combinations, pairwise, product

import numpy as np
from scipy import integrate, optimize, stats
from statsmodels.api import OLS

HEADLINE = ("energy_j", "time_s", "power_w", "edp_js")
PRACTICAL = {"runs": 1000.0, "price": 0.30, "grams": None}
MODIFIED_Z = 3.5


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


class Experiment:
    """Trials and what they come to; ``twin`` is ``treatment`` a second time in every block."""

    def __init__(self, trials, metrics, twin=None, treatment=None, margin=None, idle=None):
        self.trials, self.metrics, self.margin = trials, metrics, margin
        self.twin, self.treatment, self.idle = twin, treatment, idle
        self.usable = [t for t in trials if t["usable"]]
        self._placed = {(t["group"], t["block"]): t for t in self.usable}
        means = {
            g: np.log(self.values("energy_j", g)).mean() for g in {t["group"] for t in self.usable}
        }
        self.groups = sorted((g for g in means if g != twin), key=means.get)
        self.all_groups = [*self.groups, *([twin] if twin else [])]
        self.pairs = list(combinations(self.groups, 2))
        first = {}
        for t in trials:
            first.setdefault(t["block"], t["run_order"])
        self.blocks = sorted(first, key=first.get)
        self._memories = {}

    def values(self, metric, group):
        found = (t.get(metric) for t in self.usable if t["group"] == group)
        return np.array([v for v in found if v is not None], float)

    def at(self, metric, group, block, without=()):
        t = self._placed.get((group, block))
        return math.nan if t is None or t["trial"] in without else t[metric]

    def both(self, metric, a, b, without=()):
        """The two groups' values in the blocks that have both."""
        two = np.array([[self.at(metric, g, k, without) for g in (a, b)] for k in self.blocks])
        two = two[np.isfinite(two).all(axis=1)]
        return two[:, 0], two[:, 1]

    def differences(self, metric, a, b, without=()):
        first, second = self.both(metric, a, b, without)
        return np.log(second) - np.log(first)

    def lag(self, metric, pair):
        a, b = pair
        ratios = np.array([self.at(metric, b, k) / self.at(metric, a, k) for k in self.blocks])
        return lag_one(np.log(ratios), np.isfinite(ratios))

    def memory(self, metric="energy_j"):
        """The memory that each pair's interval is widened by; 0 where none is significant."""
        if metric not in self._memories:
            lags = [self.lag(metric, pair) for pair in self.pairs]
            alone = holm([p for _, p, _ in lags])
            self._memories[metric] = {
                pair: max(phi if p is not None and p < 0.01 else 0.0, self.shared(metric)[1])
                for pair, (_, _, phi), p in zip(self.pairs, lags, alone, strict=True)
            }
        return self._memories[metric]

    def shared(self, metric):
        """p of the pairs' mean lag-1 autocorrelation, and what it widens by."""
        above, estimates, spreads, series = [], [], [], []
        for a, b in self.pairs:
            d = np.log([self.at(metric, b, k) / self.at(metric, a, k) for k in self.blocks])
            r1, _, _ = lag_one(d, np.isfinite(d))
            n = np.isfinite(d).sum()
            if r1 is None:
                continue
            above.append(r1 + 1 / n)
            estimates.append((r1 + 1 / n) / (1 - 4 / n))
            spreads.append((n - 2) / (n * math.sqrt(n - 1)))
            series.append(np.nan_to_num(d - np.nanmean(d)))
        if not above:
            return None, 0.0
        variance = 0.0
        for x, s in zip(series, spreads, strict=True):
            for y, t in zip(series, spreads, strict=True):
                variance += s * t * (x @ y) ** 2 / (x @ x) / (y @ y) / len(above) ** 2
        p = float(stats.norm.sf(np.mean(above) / math.sqrt(variance)))
        return p, float(np.clip(np.mean(estimates), 0.0, 0.8)) if p < 0.04 else 0.0

    def decision(self, without=()):
        """Every pair's estimate, error, degrees of freedom, p and Holm's p."""
        rows = []
        for pair in self.pairs:
            d = self.differences("energy_j", *pair, without)
            mean, se, df = student(d, self.memory()[pair])
            rows.append({"pair": pair, "n": len(d), "mean": mean, "se": se, "df": df,
                         "p": two_sided(mean / se, df) if se > 0 else None})  # fmt: skip
        for row, p in zip(rows, holm([r["p"] for r in rows]), strict=True):
            row["holm"], row["resolved"] = p, p is not None and p < 0.05
        return rows

    def row(self, a, b):
        return next(r for r in self.decision() if r["pair"] == (a, b))

    # The tables of groups and pairs.

    def group(self, name, metric):
        v = self.values(metric, name)
        positive = len(v) and (v > 0).all()
        w, p = shapiro(v)
        log_w, log_p = shapiro(np.log(v)) if positive else (None, None)
        ordered = np.sort(v)
        middle = (ordered[(len(v) - 1) // 2] + ordered[len(v) // 2]) / 2
        return {
            "n": len(v), "mean": v.sum() / len(v), "median": middle, "min": v.min(), "max": v.max(),
            "sd": math.sqrt(((v - v.mean()) ** 2).sum() / (len(v) - 1)), "shapiro_w": w,
            "shapiro_p": p, "shapiro_log_w": log_w, "shapiro_log_p": log_p,
            "geometric_mean": math.exp(sum(map(math.log, v)) / len(v)) if positive else None,
        }  # fmt: skip

    def pair(self, metric, a, b, test):
        """One test of one pair; Holm's correction comes with the family."""
        va, vb = self.values(metric, a), self.values(metric, b)
        sa, sb = self.both(metric, a, b)
        d = np.log(sb) - np.log(sa)
        flat = np.ptp(d) <= max(1e-12 * np.abs(d).max(), 1e-13)
        head = {"n_a": len(va), "n_b": len(vb), "blocks": len(d)}
        if test == "paired-t-log":
            phi = self.memory(metric).get((a, b), 0.0)
            mean, se, df = student(d, phi)
            w, p = shapiro(d)
            row = {"n": len(d), "pct_change": pct(mean), "memory": phi, "df": df,
                   "difference_shapiro_w": w, "difference_shapiro_p": p}  # fmt: skip
            if not flat:
                half = stats.t.ppf(0.975, df) * se
                row |= {"statistic": mean / se, "p": two_sided(mean / se, df),
                        "ci_low": pct(mean - half), "ci_high": pct(mean + half)}  # fmt: skip
            if metric == "energy_j" and not flat and len(d) > 5:
                low, high = stats.bootstrap(
                    (d,), np.mean, n_resamples=9999, rng=np.random.default_rng(3)
                ).confidence_interval
                row |= {"boot_low": pct(low), "boot_high": pct(high)}
            return head | row | _sizes(sa, sb, True)
        if test == "wilcoxon-log":
            return head | {"n": len(d)} | ({} if flat else _signed_ranks(d))
        if test == "welch":
            return head | {"n": len(va) + len(vb)} | _welch(va, vb) | _sizes(va, vb, False)
        return head | {"n": len(va) + len(vb)} | _mann_whitney(va, vb) | _sizes(va, vb, False)

    # All groups at once.

    def omnibus(self, metric, test):
        whole = [[self.at(metric, g, k) for g in self.groups] for k in self.blocks]
        whole = np.array([row for row in whole if np.isfinite(row).all()])
        free = [self.values(metric, g) for g in self.groups]
        if test == "rm-anova-log":
            return {"blocks": len(whole)} | _rm_anova(np.log(whole))
        if test == "friedman":
            return {"blocks": len(whole)} | _friedman(whole)
        return _welch_anova([np.log(v) for v in free]) if test == "welch-anova-log" else _kw(free)

    # Order, drift and confounders.

    def trend(self, column, scale):
        """The slope of the blocks' means against a column's means."""
        centre = {g: np.log(self.values("energy_j", g)).mean() for g in self.groups}
        x, y = [], []
        for k in self.blocks:
            own = [t for t in self.usable if t["block"] == k]
            x.append(np.mean([t[column] for t in own]) / scale)
            y.append(np.mean([math.log(t["energy_j"]) - centre[t["group"]]
                              for t in own if t["group"] in self.groups]))  # fmt: skip
        fit = stats.linregress(x, y)
        half, span = stats.t.ppf(0.975, len(x) - 2) * fit.stderr, np.ptp(x)
        ends = (fit.slope - half, fit.slope + half)
        return {
            "pct": pct(fit.slope), "ci_low": pct(ends[0]), "ci_high": pct(ends[1]), "p": fit.pvalue,
            "span": span, "blocks": len(x), "pct_over_experiment": pct(fit.slope * span),
            "low_over_experiment": pct(ends[0] * span), "high_over_experiment": pct(ends[1] * span),
        }  # fmt: skip

    def _design(self, *factors, trials=None):
        """Dummies of every level of every factor, and where each begins."""
        rows = self.usable if trials is None else trials
        columns, names = [np.ones(len(rows))], ["one"]
        for label, of in factors:
            for level in sorted({of(t) for t in rows}, key=str):
                columns.append(np.array([float(of(t) == level) for t in rows]))
                names.append((label, level))
        return np.column_stack(columns), names

    def _factors(self):
        def before(t):
            name = t["predecessor"]
            return self.treatment if name == self.twin and name is not None else str(name)

        return {
            "group": ("group", lambda t: t["group"]), "block": ("block", lambda t: t["block"]),
            "position": ("position", lambda t: t["position"]),
            "predecessor": ("predecessor", before),
        }  # fmt: skip

    def factor(self, name):
        """The partial F-test of position or predecessor beside groups, blocks and the other."""
        f = self._factors()
        other = "predecessor" if name == "position" else "position"
        y = np.log([t["energy_j"] for t in self.usable])
        small = OLS(y, self._design(f["group"], f["block"], f[other])[0]).fit()
        x, names = self._design(f["group"], f["block"], f[other], f[name])
        full = OLS(y, x).fit()
        df1, df2 = int(small.df_resid - full.df_resid), int(full.df_resid)
        value = (small.ssr - full.ssr) / df1 / (full.ssr / df2)
        own = {level: c for (label, level), c in zip(names[1:], full.params[1:], strict=True)
               if label == name}  # fmt: skip
        mean = np.mean(list(own.values()))
        effects = {str(k): v - mean for k, v in own.items() if str(k) != "None"}
        return {
            "levels": len(effects), "f": value, "df1": df1, "df2": df2,
            "p": float(stats.f.sf(value, df1, df2)),
            "effects_pct": {k: pct(v) for k, v in effects.items()},
            "largest_pct": pct(max(effects.values()) - min(effects.values())),
        }  # fmt: skip

    def adjusted(self):
        """Every pair with position and predecessor in the model, a term for every block."""
        f = self._factors()
        x, names = self._design(f["group"], f["block"], f["position"], f["predecessor"])
        fit = OLS(np.log([t["energy_j"] for t in self.usable]), x).fit()
        rows = []
        for a, b in self.pairs:
            c = np.array([float(n == ("group", b)) - (n == ("group", a)) for n in names])
            test = fit.t_test(c)
            low, high = test.conf_int()[0]
            rows.append({"adjusted_pct": pct(float(test.effect[0])), "ci_low": pct(low),
                         "ci_high": pct(high), "p": float(test.pvalue)})  # fmt: skip
        for row, p in zip(rows, holm([r.pop("p") for r in rows]), strict=True):
            row["p_holm"] = p
        for row, (a, b) in zip(rows, self.pairs, strict=True):
            row["pct_change"] = pct(self.row(a, b)["mean"])
        return rows

    def trends(self):
        """The drift of every pair's difference over the blocks, first to last."""
        found = []
        for a, b in self.pairs:
            d = np.array(
                [math.log(self.at("energy_j", b, k) / self.at("energy_j", a, k))
                 for k in self.blocks]
            )  # fmt: skip
            x = np.flatnonzero(np.isfinite(d))
            fit = stats.linregress(x, d[x])
            found.append({"pct_over_experiment": pct(fit.slope * np.ptp(x)), "p": fit.pvalue})
        for row, p in zip(found, holm([r.pop("p") for r in found]), strict=True):
            row["p_holm"] = float(p)
        return found

    def memories(self):
        """The lag-1 autocorrelation of every group and pair."""
        rows = []
        for g in self.all_groups:
            y = np.log([self.at("energy_j", g, k) for k in self.blocks])
            r1, p, _ = lag_one(y, np.isfinite(y))
            rows.append({"n": int(np.isfinite(y).sum()), "r1": r1, "p": p})
        for pair in self.pairs:
            r1, p, _ = self.lag("energy_j", pair)
            n, phi = self.row(*pair)["n"], self.memory()[pair]
            rows.append({"n": n, "r1": r1, "p": p, "widened_by": phi,
                         "effective_blocks": n / inflation(n, phi)})  # fmt: skip
        return rows

    def mixed(self):
        """ln E ~ group + position + predecessor + (1 | block), with every matrix written out."""
        rows = [t for t in self.usable if t["group"] in self.groups]
        shared = {k for k in self.blocks if len({t["group"] for t in rows if t["block"] == k}) > 1}
        rows = [t for t in rows if t["block"] in shared]
        terms = [("group", lambda t: t["group"]), ("position", lambda t: t["position"]),
                 ("predecessor", lambda t: str(t["predecessor"]))]  # fmt: skip
        x, names = self._design(*terms, trials=rows)
        kept = []
        for i in range(x.shape[1]):
            if np.linalg.matrix_rank(x[:, [*kept, i]]) > len(kept):
                kept.append(i)
        y = np.log([t["energy_j"] for t in rows])
        z = np.array([[float(t["block"] == o["block"]) for o in rows] for t in rows])
        return _reml(y, x[:, kept], [names[i] for i in kept], z, self.pairs)

    # What could be seen, and whether it hangs on little.

    def left_out(self):
        """The whole decision with each block left out."""
        whole, each = self.decision(), []
        for k in self.blocks:
            gone = {t["trial"] for t in self.usable if t["block"] == k}
            each.append(self.decision(gone))
        rows = []
        for i, row in enumerate(whole):
            means = [e[i]["mean"] for e in each]
            p = [e[i]["holm"] for e in each]
            outcome = [e[i]["resolved"] and e[i]["mean"] * row["mean"] > 0 for e in each]
            moved = [abs(m - row["mean"]) for m in means]
            rows.append({
                "blocks": row["n"], "pct_low": pct(min(means)), "pct_high": pct(max(means)),
                "lowest_p": min(p), "highest_p": max(p),
                "most_influential_block": self.blocks[int(np.argmax(moved))],
                "undone_by": [k for k, o in zip(self.blocks, outcome, strict=True)
                              if o != row["resolved"]],
                "resolved": row["resolved"],
            })  # fmt: skip
        return rows

    def outlying(self):
        rows = []
        for g in self.all_groups:
            own = [t for t in self.usable if t["group"] == g]
            logs = np.log([t["energy_j"] for t in own])
            away = logs - np.median(logs)
            z = 0.6745 * away / np.median(np.abs(away))
            names = ("trial", "block", "energy_j")
            far = [(t, v) for t, v in zip(own, z, strict=True) if abs(v) > MODIFIED_Z]
            rows += [{name: t[name] for name in names} | {"modified_z": v} for t, v in far]
        return rows

    def again(self, without):
        """The decision once more without trials: what memory widened is looked for again."""
        kept = [t for t in self.trials if t["trial"] not in without]
        other = Experiment(kept, self.metrics, self.twin, self.treatment)
        other.groups, other.pairs = self.groups, self.pairs
        return [_result(r) for r in other.decision()]

    def detectable(self):
        """Smallest changes with 80% power, by noncentral t distributions."""
        m, k = len(self.pairs), len(self.groups)
        steps = range(m, m - (k - 1), -1)  # one group differs: so many of Holm's steps count
        divisor = float(np.mean(list(steps))) if k > 2 else 1.0
        rows = []
        for row in self.decision():
            sd = row["se"] * math.sqrt(row["n"])
            few, n = 1, 2
            while _smallest(n, sd, 0.05 / divisor) > math.log1p(0.01):
                few, n = n, 2 * n
            while n - few > 1:
                middle = (few + n) // 2
                enough = _smallest(middle, sd, 0.05 / divisor) <= math.log1p(0.01)
                few, n = (few, middle) if enough else (middle, n)
            rows.append({"n": row["n"], "pct": pct(_smallest(row["n"], sd, 0.05)),
                         "pct_holm": pct(_smallest(row["n"], sd, 0.05 / divisor)),
                         "blocks_for_1_pct": n})  # fmt: skip
        return rows

    def equivalence(self):
        rows, p = [], []
        for row in self.decision():
            within = abs(row["mean"]) + stats.t.ppf(0.95, row["df"]) * row["se"]
            rows.append({"within_pct": pct(within)})
            if self.margin:
                t = (math.log1p(self.margin / 100) - abs(row["mean"])) / row["se"]
                p.append(float(stats.t.sf(t, row["df"])))
        for row, value in zip(rows, holm(p), strict=False):
            row |= {"margin_pct": self.margin, "p": value}
        return rows

    def floor(self):
        """The A/A control."""
        d = self.differences("energy_j", self.treatment, self.twin)
        n, mean, sd = len(d), d.mean(), d.std(ddof=1)
        se, t = sd / math.sqrt(n), stats.t.ppf(0.975, n - 1)
        margin = self.margin or 1.0
        return {
            "blocks": n, "pct_change": pct(mean), "ci_low": pct(mean - t * se),
            "ci_high": pct(mean + t * se), "p": two_sided(mean / se, n - 1),
            "block_low": pct(mean - t * sd * math.sqrt(1 + 1 / n)),
            "block_high": pct(mean + t * sd * math.sqrt(1 + 1 / n)),
            "floor_pct": pct(max(abs(mean - t * se), abs(mean + t * se))), "margin_pct": margin,
            "tost_p": float(stats.t.sf((math.log1p(margin / 100) - abs(mean)) / se, n - 1)),
            "equivalent_within_pct": pct(abs(mean) + stats.t.ppf(0.95, n - 1) * se),
        }  # fmt: skip

    # Joules, power and time.

    def worth(self, a, b, grams):
        row = self.joules("energy_j", a, b)
        for end in ("", "_low", "_high"):
            kwh = row["joules" + end] * PRACTICAL["runs"] / 3.6e6
            row |= {"kwh" + end: kwh, "money" + end: kwh * PRACTICAL["price"],
                    "kg_co2e" + end: kwh * grams / 1000}  # fmt: skip
        return row

    def joules(self, metric, a, b):
        first, second = self.both(metric, a, b)
        d = second - first
        half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
        return {"n": len(d), "joules": d.mean(), "joules_low": d.mean() - half,
                "joules_high": d.mean() + half}  # fmt: skip

    def split(self, a, b):
        """ln E = ln P + ln T, and time's share with Fieller's interval from its quadratic."""
        logs = {m: self.differences(m, a, b) for m in ("energy_j", "power_w", "time_s")}
        n, row = len(logs["energy_j"]), {}
        t = stats.t.ppf(0.975, n - 1)
        for m, d in logs.items():
            half = t * d.std(ddof=1) / math.sqrt(n)
            row[m] = {"log_ratio": d.mean(), "pct_change": pct(d.mean()),
                      "ci_low": pct(d.mean() - half), "ci_high": pct(d.mean() + half)}  # fmt: skip
        if self.row(a, b)["resolved"]:
            cov = np.cov(logs["time_s"], logs["energy_j"]) / n
            top, bottom = logs["time_s"].mean(), logs["energy_j"].mean()
            roots = np.roots([bottom**2 - t**2 * cov[1, 1], -2 * (top * bottom - t**2 * cov[0, 1]),
                              top**2 - t**2 * cov[0, 0]])  # fmt: skip
            row |= {"time_share": top / bottom}
            if np.isreal(roots).all() and bottom**2 > t**2 * cov[1, 1]:
                row |= {"time_share_low": min(roots.real), "time_share_high": max(roots.real)}
        return row

    def above_idle(self):
        """Each trial less idle power in its middle, interpolated over the experiment."""
        before, after = self.idle
        first = min(t["start_unix_s"] for t in self.usable)
        last = max(t["start_unix_s"] + t["time_s"] for t in self.usable)
        for t in self.usable:
            share = (t["start_unix_s"] + t["time_s"] / 2 - first) / (last - first)
            t["above"] = t["energy_j"] - (before + (after - before) * share) * t["time_s"]
        return {
            "before_w": before, "after_w": after,
            "apart_pct": 100 * abs(after - before) / min(before, after),
            "groups": [{"joules": self.values("above", g).mean()} for g in self.groups],
            "pairs": [self.joules("above", a, b) for a, b in self.pairs],
        }  # fmt: skip


def _result(row):
    return {"n": row["n"], "pct_change": pct(row["mean"]), "p_holm": row["holm"]}


def _sizes(a, b, paired):
    n, m = len(a), len(b)
    var = a.var(ddof=1), b.var(ddof=1)
    pooled = sum(var) / 2 if paired else ((n - 1) * var[0] + (m - 1) * var[1]) / (n + m - 2)
    flat = all(np.ptp(v) <= 1e-12 * np.abs(v).max() for v in (a, b))
    small = 1 - 3 / (4 * (n + m) - 9)
    g = None if flat else (b.mean() - a.mean()) / math.sqrt(pooled) * small
    return {"hedges_g": g, "cliffs_delta": float(np.mean(np.sign(b[:, None] - a[None, :])))}


def _signed_ranks(d):
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


def _welch(a, b):
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


def _mann_whitney(a, b):
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


def _rm_anova(y):
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


def _friedman(y):
    n, k = y.shape
    ranks = np.array([stats.rankdata(row) for row in y])
    sums = ranks.sum(axis=0)
    ties = [c for row in y for c in np.unique(row, return_counts=True)[1]]
    chi = 12 / (n * k * (k + 1)) * (sums**2).sum() - 3 * n * (k + 1)
    chi /= 1 - sum(c**3 - c for c in ties) / (n * k * (k**2 - 1))
    return {"statistic": chi, "df1": k - 1.0, "p": float(stats.chi2.sf(chi, k - 1)),
            "effect_size": chi / (n * (k - 1))}  # fmt: skip


def _welch_anova(parts):
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


def _kw(parts):
    every = np.concatenate(parts)
    ranks = stats.rankdata(every)
    n, begin, h = len(every), 0, 0.0
    for v in parts:
        own = ranks[begin : begin + len(v)]
        h, begin = h + own.sum() ** 2 / len(v), begin + len(v)
    ties = np.unique(every, return_counts=True)[1]
    h = (12 / (n * (n + 1)) * h - 3 * (n + 1)) / (1 - (ties**3 - ties).sum() / (n**3 - n))
    return {"statistic": h, "df1": len(parts) - 1.0, "p": float(stats.chi2.sf(h, len(parts) - 1))}


def _smallest(n, sd, alpha):
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


def _reml(y, x, names, z, pairs):
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
