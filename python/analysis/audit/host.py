"""Where the host calls in: findings, what is left, files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from analysis.audit import checks, left, report
from analysis.audit.trials import Trials
from analysis.settings import RequestError


def serve(
    request: dict[str, Any], arrays: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]
) -> None:
    """Audit the trials of one request and write ``audit.json``, ``audit.md`` and ``audit.html``."""
    try:
        emit({"event": "progress", "step": "findings"})
        trials = Trials.of(request, arrays)
        findings = checks.all_of(trials)
        emit({"event": "progress", "step": "what is left"})
        remains = left.without(trials, findings)
        output = Path(request["output"])
        sentence, files = report.write(trials, findings, remains, request, output)
    except RequestError as error:
        emit({"event": "refused", "message": str(error)})
        return
    emit({"event": "result", "sentence": sentence, "files": files})
