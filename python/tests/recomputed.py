"""Every number of a report worked out again, with NumPy, SciPy and statsmodels' least squares.

Shares no code with ``analysis``: formulas stand here as textbooks have them, sums are made term by
term where the analysis has a closed form, and matrices are written out where it has shortcuts.
"""

import math

import numpy as np
from recomputed_models import Models
from scipy import stats
from textbook import holm, pct, smallest, two_sided

HEADLINE = ("energy_j", "time_s", "power_w", "edp_js")
PRACTICAL = {"runs": 1000.0, "price": 0.30, "grams": None}
MODIFIED_Z = 3.5


class Experiment(Models):
    """Trials, and all that a report says of them."""

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
            while smallest(n, sd, 0.05 / divisor) > math.log1p(0.01):
                few, n = n, 2 * n
            while n - few > 1:
                middle = (few + n) // 2
                enough = smallest(middle, sd, 0.05 / divisor) <= math.log1p(0.01)
                few, n = (few, middle) if enough else (middle, n)
            rows.append({"n": row["n"], "pct": pct(smallest(row["n"], sd, 0.05)),
                         "pct_holm": pct(smallest(row["n"], sd, 0.05 / divisor)),
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
