"""What other rules for blocks that remember, and for carry-over, would buy and cost, by simulation.

The rules that are in force are in ``analysis.decision``, and their rates in ``calibration.py``;
here stand the others beside them, on the same made experiments of three treatments.

    python benches/rules.py                           # 4,000 experiments a cell
    python benches/rules.py --experiments 500 --blocks 10

Prints the two tables that stand in benches/README.md.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import calibration
import numpy as np

from analysis.decision import Trials, confounders, memory, student

Rule = Callable[[Trials], student.Mean]


def paired(trials: Trials) -> student.Mean:
    """The paired t, whatever the blocks are like."""
    return student.of_columns(trials.differences())


def each_by_itself(trials: Trials) -> student.Mean:
    """Widened by a pair's own memory, where that is significant at 5% after Holm."""
    own = memory.lag_one(trials.differences())
    return memory.widened(paired(trials), np.where(student.holm(own.p) < 0.05, own.estimate, 0.0))


def together(trials: Trials) -> student.Mean:
    """Widened by the memory of all pairs together, or a pair's own: the rule in force."""
    own, shared = (f(trials.differences()) for f in (memory.lag_one, memory.shared))
    return memory.widened(paired(trials), memory.widening(own, shared))


def always(trials: Trials) -> student.Mean:
    """Widened by the memory of all pairs together, significant or not."""
    shared = memory.shared(trials.differences())
    return memory.widened(paired(trials), np.full(3, shared.estimate))


def cosines(trials: Trials) -> student.Mean:
    """The mean's error from its four slowest cosines (Müller 2004), on four degrees of freedom."""
    d, count = trials.differences(), 4
    n = len(d)
    waves = np.cos(np.pi * np.outer(np.arange(1, count + 1), (np.arange(n) + 0.5) / n))
    slow = np.sqrt(2.0 / n) * waves @ d
    error = np.sqrt((slow**2).mean(axis=0) / n)
    return student.Mean(np.full(3, n), d.mean(axis=0), error, np.full(3, float(count)))


def _fit(trials: Trials, position: bool) -> confounders.Confounders:
    return confounders.examine(
        trials.logs, trials.position if position else None, trials.predecessor, None, trials.base,
        trials.group,
    )  # fmt: skip


def with_predecessor(trials: Trials) -> student.Mean:
    """A term for every block and predecessor, always; the paired t where that cannot be fitted."""
    plain, adjusted = paired(trials), _fit(trials, False).adjusted
    if adjusted is None or not np.isfinite(adjusted.mean).all():
        return plain
    return student.Mean(plain.n, adjusted.mean, adjusted.se, np.full(3, adjusted.df))


def if_significant(trials: Trials) -> student.Mean:
    """The same only where what ran before is significant, beside the position, after Holm."""
    beside = _fit(trials, True)
    p = [np.nan if f is None else f.p for f in (beside.position, beside.predecessor)]
    found = student.holm(np.array(p))[1] < 0.05
    return with_predecessor(trials) if found else paired(trials)


MEMORY: dict[str, Rule] = {
    "none": paired,
    "each pair by itself": each_by_itself,
    "**together or by itself**": together,
    "together, significant or not": always,
    "four cosines": cosines,
}
CARRY: dict[str, Rule] = {
    "**paired t**": paired,
    "predecessor in the model": with_predecessor,
    "the same where significant": if_significant,
}


def rates(rules: dict[str, Rule], made: calibration.Scenario, experiments: int, seed: int):
    """Per rule: error and coverage in per cent, power, mean width; all on the same experiments."""
    rng, sums = np.random.default_rng(seed), dict.fromkeys(rules, np.zeros(4))
    for _ in range(experiments):
        trials, truth = calibration.simulate(made, rng)
        true = truth[trials.group] - truth[trials.base]
        for name, rule in rules.items():
            found = rule(trials)
            half, resolved = found.half(0.05), student.holm(found.p()) < 0.05
            null = true == 0
            sums[name] = sums[name] + [
                (resolved & null).any(), (np.abs(found.mean - true) <= half).mean(),
                resolved[~null].mean() if not null.all() else 0.0, half.mean(),
            ]  # fmt: skip
    return {name: total / experiments for name, total in sums.items()}


def table(rules: dict[str, Rule], what: dict[str, dict], blocks: list[int], experiments: int):
    """Print a table: every rule at every number of blocks, troubled and undisturbed."""
    heads = [f"{name}: error, coverage" for name in ("undisturbed", *what)]
    print(f"| blocks | rule | {' | '.join(heads)} | power | of 10% | width |")
    print("|---|---|" + "---|" * (len(heads) + 3))
    for n in blocks:
        plain = calibration.Scenario("", n)
        cells = [plain, *(replace(plain, **change) for change in what.values())]
        ends = [replace(plain, power=True), replace(plain, effects=(0.0, 0.0, 0.1))]
        found = [rates(rules, c, experiments, 10 * n + i) for i, c in enumerate([*cells, *ends])]
        first = next(iter(rules))
        for name in rules:
            told = [f"{100 * f[name][0]:.1f}, {100 * f[name][1]:.1f}" for f in found[: len(cells)]]
            told += [f"{100 * f[name][2]:.1f}" for f in found[len(cells) :]]
            told.append(f"{found[0][name][3] / found[0][first][3]:.2f}")
            print(f"| {n} | {name} | {' | '.join(told)} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=4_000)
    parser.add_argument("--blocks", type=int, nargs="*", default=[7, 10, 30])
    asked = parser.parse_args()
    remembering = {"memory 0.3": {"memory": 0.3}, "memory 0.6": {"memory": 0.6}}
    carrying = {"2%": {"carry": 0.02}, "2%, noise 1%": {"carry": 0.02, "noise": 0.01}}
    table(MEMORY, remembering, [n for n in asked.blocks if n >= 10], asked.experiments)
    print()
    table(CARRY, carrying, asked.blocks, asked.experiments)


if __name__ == "__main__":
    main()
