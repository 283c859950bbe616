"""What order and drift do to trials: slopes, factors, and the mixed model."""

import math

import numpy as np
from recomputed_pairs import Pairs
from scipy import stats
from statsmodels.api import OLS
from textbook import holm, inflation, lag_one, pct, reml


class Models(Pairs):
    """Trials, and models of their order."""

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
        return reml(y, x[:, kept], [names[i] for i in kept], z, self.pairs)
