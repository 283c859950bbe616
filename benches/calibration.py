"""Error, coverage and power of the rules that decide an experiment, by simulation.

Every simulated experiment goes through ``analysis.decision.decide``, which the report uses too.

    python benches/calibration.py                     # 10,000 experiments a scenario
    python benches/calibration.py --experiments 500 --only memory --processes 2

Prints the table that stands in benches/README.md, with Monte-Carlo limits (95%), each row as soon
as it is known.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

# Many small matrices: more than one thread for each only gets in the others' way.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

import numpy as np  # noqa: E402 (the threads and the path come first)

from analysis import machines_report  # noqa: E402
from analysis.decision import Decision, Trials, decide, student  # noqa: E402
from analysis.decision.power import detectable, holm_divisor  # noqa: E402
from analysis.over import Over, over  # noqa: E402


@dataclass(frozen=True)
class Scenario:
    """How the experiments of one row are made; sizes are log ratios (0.02 is about 2%).

    ``effects`` are the groups' true log energies; ``drift`` is shared by all groups, ``alone`` is
    the last group's own, and leaves its mean over the experiment as it is; ``power`` puts the last
    group where 80% power is promised for the spread that the experiments have. ``blocks`` are
    dealt to ``machines``, between which a pair's log ratio varies with the standard deviation
    ``between``; then the answer over machines is what is judged.
    """

    name: str
    blocks: int = 10
    effects: tuple[float, ...] = (0.0, 0.0, 0.0)
    noise: float = 0.02
    block_sd: float = 0.02
    drift: float = 0.0
    alone: float = 0.0
    first: float = 0.0
    carry: float = 0.0
    memory: float = 0.0
    outliers: float = 0.0
    spreads: tuple[float, ...] = (1.0, 1.0, 1.0)
    heavy: bool = False
    control: bool = False
    missing: float = 0.0
    power: bool = False
    order: str = "random"
    machines: int = 1
    between: float = 0.0


@dataclass
class Counts:
    """What became of the experiments of one scenario."""

    experiments: int = 0
    error: int = 0
    silent: int = 0
    firm_error: int = 0
    intervals: int = 0
    covered: int = 0
    true_pairs: int = 0
    resolved: int = 0
    firm: int = 0
    tentative: int = 0
    cautioned: int = 0

    def add(self, other: "Counts") -> "Counts":
        """The sum of two."""
        return Counts(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def squares(blocks: int, groups: int, rng: np.random.Generator) -> np.ndarray:
    """Orders as ``--order balanced`` draws them: Williams squares with names and rows shuffled."""
    first = [(i + 1) // 2 if i % 2 else -(i // 2) % groups for i in range(groups)]
    square = (np.array(first) + np.arange(groups)[:, None]) % groups
    if groups % 2:
        square = np.concatenate([square, square[:, ::-1]])
    rows: list[np.ndarray] = []
    while len(rows) < blocks:
        rows += list(rng.permutation(rng.permutation(groups)[square]))
    return np.array(rows[:blocks])


def simulate(s: Scenario, rng: np.random.Generator) -> tuple[Trials, np.ndarray]:
    """One experiment and the groups' true log energies."""
    truth = np.array(s.effects)
    if s.power:
        pairs = len(truth) * (len(truth) - 1) // 2
        divisor = holm_divisor(pairs, len(truth))
        truth[-1] = detectable(s.blocks, s.noise * np.sqrt(2.0), divisor)
    control = (0, len(truth)) if s.control else None
    means = np.append(truth, truth[0]) if s.control else truth
    spreads = np.array([*s.spreads, s.spreads[0]] if s.control else s.spreads)
    n, k = s.blocks, len(means)
    orders = np.argsort(rng.random((n, k)), axis=1)
    if s.order == "balanced":
        orders = squares(n, k, rng)
    position = np.argsort(orders, axis=1) + 1.0
    run = orders.ravel()
    before = np.append(-1, run[:-1]).reshape(n, k)
    if s.control:
        before = np.where(before == k - 1, 0, before)
    predecessor = np.empty((n, k))
    np.put_along_axis(predecessor, orders, before.astype(float), axis=1)
    draw = rng.standard_t(3, (n, k)) / np.sqrt(3.0) if s.heavy else rng.standard_normal((n, k))
    errors = draw
    if s.memory:
        for i in range(1, n):
            errors[i] = s.memory * errors[i - 1] + np.sqrt(1 - s.memory**2) * errors[i]
    if s.outliers:
        errors += np.where(rng.random((n, k)) < s.outliers, 6.0, 0.0)
    logs = means + s.noise * spreads * errors + s.block_sd * rng.standard_normal((n, 1))
    clock = np.arange(n)[:, None] * k + position - 1.0
    logs[:, len(truth) - 1] += s.alone * (clock[:, len(truth) - 1] / (n * k) - 0.5)
    logs += s.drift * clock / (n * k) + s.first * (position == 1) + s.carry * (predecessor == 0)
    strata = None
    if s.machines > 1:
        strata = np.arange(n) * s.machines // n
        own = rng.normal(0.0, s.between / np.sqrt(2.0), (s.machines, k))
        logs += own[strata] + s.block_sd * rng.standard_normal((s.machines, 1))[strata]
    if s.missing:
        logs[rng.random((n, k)) < s.missing] = np.nan
    comparisons = [(i, j) for i in range(len(truth)) for j in range(i + 1, len(truth))]
    return Trials(logs, comparisons, position, predecessor, control=control, strata=strata), truth


def over_machines(trials: Trials) -> list[Over]:
    """Every comparison over the machines, as the report makes it of each one's blocks."""
    differences, parts = trials.differences(), []
    for column in differences.T:
        own = [
            student.of_columns(column[trials.strata == m][:, None])
            for m in np.unique(trials.strata)
        ]
        parts.append(
            [
                (str(i), float(o.mean[0]), float(o.se[0]), float(o.df[0]))
                for i, o in enumerate(own)
                if np.isfinite(o.se[0])
            ]
        )
    return over([(str(a), str(b)) for a, b in trials.comparisons], parts, trials.alpha)


def answer(trials: Trials) -> tuple[Decision, list[tuple[float, float, float, bool]]]:
    """The decision, and of every comparison mean, interval and whether it is resolved."""
    found = decide(trials)
    if trials.strata is None:
        return found, [(c.mean, c.low, c.high, c.resolved) for c in found.comparisons]
    pooled = over_machines(trials)
    names = [(str(a), str(b)) for a, b in trials.comparisons]
    if caps := machines_report.caps(pooled, found, names):
        found = decide(replace(trials, caps=tuple(caps)))
    return found, [(o.pooled.mean, o.pooled.low, o.pooled.high, o.resolved) for o in pooled]


def judge(s: Scenario, trials: Trials, truth: np.ndarray, counts: Counts) -> None:
    """Count what one experiment's decision came to."""
    found, told = answer(trials)
    counts.experiments += 1
    wrong = False
    for (base, group), (mean, low, high, resolved) in zip(trials.comparisons, told, strict=True):
        true = truth[group] - truth[base]
        if np.isfinite(low):
            counts.intervals += 1
            counts.covered += bool(low <= true <= high)
        if abs(true) < 1e-12 or (resolved and np.sign(mean) != np.sign(true)):
            wrong |= resolved
        if abs(true) >= 1e-12:
            counts.true_pairs += 1
            counts.resolved += resolved
    counts.error += wrong
    counts.silent += wrong and not found.cautions
    counts.firm_error += wrong and found.level == "firm"
    counts.firm += found.level == "firm"
    counts.tentative += found.level == "tentative"
    counts.cautioned += bool(found.cautions)


def work(task: tuple[Scenario, int, int]) -> Counts:
    """Some experiments of a scenario, from a seed of their own."""
    scenario, experiments, seed = task
    rng, counts = np.random.default_rng(seed), Counts()
    for _ in range(experiments):
        judge(scenario, *simulate(scenario, rng), counts)
    return counts


BLOCKS = (5, 6, 7, 10, 30)


def scenarios() -> list[Scenario]:
    """Every row of the table."""
    rows = []
    for n in BLOCKS:
        rows += [
            Scenario("nothing differs", n),
            Scenario("nothing differs, with A/A", n, control=True),
            Scenario("80% power promised", n, power=True),
        ]
    rows += [Scenario(f"noise {x:.0%}", 10, noise=x) for x in (0.01, 0.05)]
    rows += [Scenario("blocks differ by 5%", n, block_sd=0.05) for n in (5, 10)]
    for n in (7, 10, 30):
        rows += [
            Scenario("drift of 5%", n, drift=0.05),
            Scenario("drift of 5% of one group alone", n, alone=0.05),
            Scenario("first position +1%", n, first=0.01, noise=0.01),
            Scenario("carry-over 2% after a group", n, carry=0.02, noise=0.02),
            Scenario("carry-over 2%, noise 1%", n, carry=0.02, noise=0.01),
            Scenario("memory 0.3", n, memory=0.3),
            Scenario("memory 0.6", n, memory=0.6),
            Scenario("outliers, 3% of trials +6 SD", n, outliers=0.03),
            Scenario("spreads 1 : 2 : 4", n, spreads=(1.0, 2.0, 4.0)),
            Scenario("heavy tails (t, 3 df)", n, heavy=True),
            Scenario("10% of trials missing", n, missing=0.1),
        ]
    third = replace(
        Scenario("one noisy group of three, b and c differ"), effects=(-0.005, 0.0, 0.05)
    )
    rows += [replace(third, blocks=n, spreads=(6.0, 1.0, 1.0)) for n in (7, 10, 30)]
    rows += [Scenario("a difference of 10%", n, effects=(0, 0, 0.1)) for n in BLOCKS]
    rows += [
        Scenario(f"a difference of 10%, {name}", n, effects=(0, 0, 0.1), **{which: size})
        for which, name, size in (
            ("drift", "drift of 5%", 0.05),
            ("alone", "drift of 5% of one group alone", 0.05),
            ("alone", "drift of 10% of one group alone", 0.1),
        )
        for n in (10, 30)
    ]
    for count, n, between in (
        (2, 12, 0.0),
        (3, 30, 0.0),
        (3, 30, 0.02),
        (6, 30, 0.0),
        (6, 30, 0.02),
        (10, 30, 0.02),
    ):
        dealt = {"blocks": n, "machines": count, "between": between}
        name = f"{count} machines, which differ by {between:.0%}"
        if not between:
            name = f"{count} machines, which do not differ"
        rows.append(Scenario(name, **dealt))
        rows.append(Scenario(f"{name}, a difference of 5%", effects=(0, 0, 0.05), **dealt))
    return rows


def share(count: int, of: int) -> str:
    """A share in per cent with half the width of its Monte-Carlo interval."""
    if not of:
        return "–"
    p = count / of
    return f"{100 * p:.1f} ± {196 * np.sqrt(max(p * (1 - p), 1e-9) / of):.1f}"


def run(
    chosen: list[Scenario], experiments: int, processes: int
) -> Iterator[tuple[Scenario, Counts]]:
    """Simulate the scenarios one after the other, their experiments spread over processes."""
    parts = max(processes * 2, 1)
    tasks = [
        (s, experiments // parts + (p < experiments % parts), 1000 * i + p)
        for i, s in enumerate(chosen)
        for p in range(parts)
    ]
    spread = map if processes == 1 else ProcessPoolExecutor(processes).map
    done = iter(spread(work, tasks))
    for s in chosen:
        total = Counts()
        for _ in range(parts):
            total = total.add(next(done))
        yield s, total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="scenarios with this in their name")
    asked = parser.parse_args()
    start = time.monotonic()
    chosen = [s for s in scenarios() if asked.only in s.name]
    print(
        "| scenario | blocks | experiments | error | error, not cautioned | error, firm | coverage "
        "| power | firm | tentative | cautioned |"
    )
    print("|---" * 11 + "|", flush=True)
    for s, c in run(chosen, asked.experiments, asked.processes):
        cells = [
            share(c.error, c.experiments), share(c.silent, c.experiments),
            share(c.firm_error, c.experiments), share(c.covered, c.intervals),
            share(c.resolved, c.true_pairs), share(c.firm, c.experiments),
            share(c.tentative, c.experiments), share(c.cautioned, c.experiments),
        ]  # fmt: skip
        print(f"| {s.name} | {s.blocks} | {c.experiments:,} | {' | '.join(cells)} |", flush=True)
    print(f"\n{asked.experiments:,} experiments a scenario, {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    main()
