"""Trials in groups and pairs, and the test of each pair and of all groups at once."""

import math
from itertools import combinations

import numpy as np
from scipy import stats
from textbook import (
    friedman,
    holm,
    kruskal_wallis,
    lag_one,
    mann_whitney,
    pct,
    rm_anova,
    shapiro,
    signed_ranks,
    sizes,
    student,
    two_sided,
    welch,
    welch_anova,
)


class Pairs:
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
            return head | row | sizes(sa, sb, True)
        if test == "wilcoxon-log":
            return head | {"n": len(d)} | ({} if flat else signed_ranks(d))
        if test == "welch":
            return head | {"n": len(va) + len(vb)} | welch(va, vb) | sizes(va, vb, False)
        return head | {"n": len(va) + len(vb)} | mann_whitney(va, vb) | sizes(va, vb, False)

    # All groups at once.

    def omnibus(self, metric, test):
        whole = [[self.at(metric, g, k) for g in self.groups] for k in self.blocks]
        whole = np.array([row for row in whole if np.isfinite(row).all()])
        free = [self.values(metric, g) for g in self.groups]
        if test == "rm-anova-log":
            return {"blocks": len(whole)} | rm_anova(np.log(whole))
        if test == "friedman":
            return {"blocks": len(whole)} | friedman(whole)
        return (
            welch_anova([np.log(v) for v in free])
            if test == "welch-anova-log"
            else kruskal_wallis(free)
        )
