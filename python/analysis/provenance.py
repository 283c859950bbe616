"""How the trials were made: the meter, the work gate, the integrity of the samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.settings import Settings
from analysis.table import Table


def estimated(table: Table) -> str:
    """``"all"``, ``"some"`` or ``"none"`` of the usable trials' energy is an estimate.

    ``"part"`` where in every trial the processor's is, and another sensor measured the rest.
    """
    flags = table.usable["estimated"].map(lambda v: str(v).lower() == "true")
    if not len(flags) or not flags.any():
        return "none"
    if not flags.all():
        return "some"
    measured = [sources([str(meter)])[0] for meter in table.usable["meter"].dropna().unique()]
    return "part" if measured and all(measured) else "all"


def meters(table: Table) -> list[str]:
    """The meters that the usable trials' energy comes from."""
    return sorted({str(m) for m in table.usable["meter"].dropna()})


_NAMES = {"energibridge": "EnergiBridge", "rapl": "RAPL", "nvml": "NVML"}


def sources(meters: Sequence[str]) -> tuple[list[str], bool]:
    """What measured, out of meters such as ``rapl+nvml``; and whether an estimate is among them.

    An estimate measures nothing, so it is never among the first.
    """
    kinds = dict.fromkeys(kind for meter in meters for kind in meter.split("+"))
    measured = [_NAMES.get(k, k) for k in kinds if k not in ("estimate", "unknown")]
    return measured, "estimate" in kinds


def work_gate(settings: Settings) -> tuple[str, list[str]]:
    """Whether the groups' work was proved identical: ``passed``, ``failed`` or ``unknown``.

    The second part is the gate's own reasons.
    """
    work = settings.experiment.work
    if work is None:
        return "unknown", []
    return ("passed" if work.identical else "failed"), list(work.reasons)


def invalid_trials(table: Table) -> int:
    """Trials whose work or whose counters the host could not accept."""
    return int(table.frame["status"].eq("invalid").sum())


@dataclass(frozen=True, kw_only=True)
class Integrity:
    """What became of a group's trials: how many there are, are usable, and have what."""

    group: str
    trials: int
    usable: int
    wrapped: int
    resets: int
    gaps: int
    missed_samples: int
    interference: int
    throttled: int
    swapped: int
    steal: int
    clock_stepped: int
    suspended: int
    supply_changed: int
    implausible: int
    core_unusable: int
    retried: int
    failed: int
    invalid: int
    excluded: int


@dataclass(frozen=True)
class Exclusion:
    """A trial or a file that is not part of the numbers, and why."""

    what: str
    file: str
    status: str
    reason: str


def integrity(table: Table) -> list[Integrity]:
    """Per group: trials, usable ones, and how many were wrapped, retried, failed or left out."""
    found = set(table.frame["group"])
    order = sorted(found, key=lambda g: (g not in table.all_groups, _place(table, g), g))
    return [_integrity(table, group) for group in order]


def _integrity(table: Table, group: str) -> Integrity:
    trials = table.frame[table.frame["group"] == group]
    flags = trials["flags"].str.split(";")
    status = trials["status"]

    def flagged(word: str) -> int:
        return int(flags.map(lambda words: any(w.strip().startswith(word) for w in words)).sum())

    def counted(column: str, word: str) -> int:
        return int((trials[column].gt(0) | trials["flags"].str.contains(word)).sum())

    return Integrity(
        group=group,
        trials=len(trials),
        usable=int(trials["usable"].sum()),
        wrapped=counted("wraps", "wrap"),
        resets=counted("resets", "reset"),
        gaps=counted("gaps", "gap"),
        missed_samples=flagged("missed-samples"),
        interference=flagged("interference"),
        throttled=flagged("throttled"),
        swapped=flagged("swapped"),
        steal=flagged("steal"),
        clock_stepped=flagged("clock-step"),
        suspended=flagged("suspended"),
        supply_changed=flagged("supply-change"),
        implausible=flagged("implausible") + flagged("core-above-package"),
        core_unusable=flagged("core-unusable"),
        retried=flagged("retried"),
        failed=int(status.eq("failed").sum()),
        invalid=int(status.eq("invalid").sum()),
        excluded=int(status.eq("excluded").sum()),
    )


def _place(table: Table, group: str) -> int:
    return table.all_groups.index(group) if group in table.all_groups else 0


def exclusions(table: Table, settings: Settings) -> list[Exclusion]:
    """Every trial and file that is not part of the numbers, with its reason."""
    rows = []
    for _, trial in table.frame[~table.frame["usable"]].iterrows():
        rows.append(
            Exclusion(
                what=str(trial["trial"]),
                file=str(trial["file"] or ""),
                status=str(trial["status"]) if trial["status"] != "ok" else "unusable",
                reason=str(trial["reason"] or "no reason recorded"),
            )
        )
    for entry in settings.excluded:
        rows.append(Exclusion("file", entry.file, "unreadable", entry.reason))
    return rows
