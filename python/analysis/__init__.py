"""Statistics, plots and report of an energy experiment.

The host reads every trial's samples, hands the numbers over as NumPy arrays and calls
:func:`run`; nothing here reads an EnergiBridge file. ``run`` writes ``groups.csv``, ``pairs.csv``,
``summary.json``, ``plots/``, ``report.html`` and ``report.md`` into the folder it is given.

The design is a randomised complete block design: a block is one iteration in which every group
runs once. Whatever can be paired within blocks is; see :mod:`analysis.pairs`.
"""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["run"]


def run(
    request: Mapping[str, Any], arrays: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]
) -> None:
    """Analyse one experiment and write its tables, plots and report.

    Args:
        request: settings, string columns and provenance; see :class:`analysis.settings.Settings`.
        arrays: numeric columns, one float64 per trial with NaN for missing, and the power traces;
            see :mod:`analysis.table`.
        emit: called with ``{"event": "progress", "step": str}`` on the way and once with
            ``{"event": "result", "sentence": str, "cautions": [str, ...], "files": [str, ...]}``
            at the end.

    Raises:
        analysis.settings.RequestError: the request or the arrays are not usable; says which part.
    """
    from analysis.pipeline import run as run_pipeline

    run_pipeline(request, arrays, emit)
