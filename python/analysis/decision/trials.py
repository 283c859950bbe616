"""What a decision is made from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.decision.sequential import Looks


@dataclass(frozen=True)
class Trials:
    """One metric of one experiment, as arrays.

    ``logs`` is blocks by groups, in the order in which the blocks ran. ``position`` (from 1) and
    ``predecessor`` (a column of ``logs``, −1 for none) have the same shape and may be missing;
    ``times`` is one number per block, in any unit. ``free`` holds each group's logarithms of all
    usable trials, those outside blocks included. ``comparisons`` are pairs of columns
    ``(base, group)``, ``control`` is the A/A pair ``(treatment, twin)``.
    """

    logs: np.ndarray
    comparisons: Sequence[tuple[int, int]]
    position: np.ndarray | None = None
    predecessor: np.ndarray | None = None
    times: np.ndarray | None = None
    free: Sequence[np.ndarray] | None = None
    control: tuple[int, int] | None = None
    alpha: float = 0.05
    margin: float | None = None
    #: The machine of every block, a number each; None for one machine. Blocks of one are together.
    strata: np.ndarray | None = None
    #: The planned looks of an experiment that may stop early.
    looks: Looks | None = None
    #: Reasons from outside the numbers why nothing can be firm, such as an estimated energy.
    caps: tuple[str, ...] = field(default=())

    @property
    def base(self) -> np.ndarray:
        """The base's column of every comparison."""
        return np.array([a for a, _ in self.comparisons], int)

    @property
    def group(self) -> np.ndarray:
        """The other group's column of every comparison."""
        return np.array([b for _, b in self.comparisons], int)

    def differences(self) -> np.ndarray:
        """Blocks by comparisons: the log ratio of the group to its base, NaN where one is missing.

        Every comparison has the blocks in which both of its groups are usable.
        """
        return self.logs[:, self.group] - self.logs[:, self.base]
