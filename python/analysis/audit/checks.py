"""All checks, the weightiest findings first."""

from analysis.audit import lengths, meters, mixed, order, parts, timelike, values
from analysis.audit.finding import SEVERITIES, Finding
from analysis.audit.trials import Trials

_CHECKS = (
    parts.check, mixed.check, meters.check, order.check, timelike.check, lengths.check,
    values.check,
)  # fmt: skip


def all_of(trials: Trials) -> list[Finding]:
    """Every finding, serious ones first, otherwise in the order of the checks."""
    found = [finding for check in _CHECKS for finding in check(trials)]
    return sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity))
