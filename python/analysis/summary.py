"""The tidy files: groups.csv, pairs.csv and summary.json, each written whole or not at all."""

from typing import Any

from analysis import cautions, departures, limits, provenance, written
from analysis.decision.power import POWER
from analysis.files import write as write_text
from analysis.findings import Findings
from analysis.pair import Pair
from analysis.settings import (
    EQUIVALENCE_MARGIN_PCT,
    RESAMPLES,
    Settings,
)
from analysis.table import Table
from analysis.verdict import Verdict

#: Version of the layout of summary.json; `docs/columns.md` describes it.
SCHEMA = 1

#: Columns of groups.csv.
GROUP_COLUMNS = (
    "group", "metric", "n", "mean", "sd", "median", "min", "max", "shapiro_w", "shapiro_p",
)  # fmt: skip

#: Columns of pairs.csv.
PAIR_COLUMNS = (
    "metric", "a", "b", "test", "paired", "n", "statistic", "p", "p_holm", "pct_change", "ci_low",
    "ci_high", "hedges_g", "cliffs_delta", "primary", "role",
)  # fmt: skip

#: More comparisons than these are in pairs.csv alone, but for energy.
_MOST_PAIRS = 100


def write(table: Table, found: Findings, verdict: Verdict, settings: Settings) -> None:
    """Write the three files; by the published recipe the tables have what it makes."""
    shown = found.published or found
    write_text(settings.output / "groups.csv", written.table(shown.groups, GROUP_COLUMNS))
    write_text(settings.output / "pairs.csv", written.table(shown.pairs, PAIR_COLUMNS))
    content = _content(table, found, verdict, settings)
    write_text(settings.output / "summary.json", written.json_text(content))


def _content(table: Table, found: Findings, verdict: Verdict, settings: Settings) -> dict[str, Any]:
    gate, reasons = provenance.work_gate(settings)
    declared = departures.items(table, found, settings)
    return {
        "schema": SCHEMA,
        "sentence": verdict.sentence,
        "level": verdict.level,
        "sure": verdict.sure,
        "cautions": verdict.cautions,
        "ranking": verdict.ranking,
        "comparisons": verdict.comparisons,
        "all_comparisons": verdict.pairs,
        "trials": _trials(table, settings),
        "protocol": {
            "declared": settings.protocol.declared,
            "departures": departures.told(declared),
            "items": declared,
        },
        "decision": {
            "cautions": list(found.decision.cautions),
            "caps": cautions.caps(table, found, settings) if len(table.groups) > 1 else [],
        },
        "meters": provenance.meters(table),
        "estimated": provenance.estimated(table),
        "work_gate": {"status": gate, "reasons": reasons},
        "base": table.base,
        "metrics": table.metrics,
        "groups": found.groups,
        "pairs": _pairs(found),
        "omnibus": found.omnibus,
        "noise_floor": found.floor,
        "detectable": found.detectable,
        "leave_one_out": found.leave_one_out,
        "outliers": found.outliers,
        "disturbed": found.disturbed,
        "durations": found.durations,
        "equivalence": found.equivalence,
        "above_idle": found.above_idle,
        "mixed_model": found.mixed,
        "decomposition": found.split,
        "practical": found.practical,
        "drift": found.drift,
        "order": found.order,
        "conditions": found.around,
        "published": found.published,
        "history": found.history,
        "machines": found.machines,
        "factors": found.factors,
        "baseline": settings.baseline,
        "settings": _settings(settings),
    }


def _trials(table: Table, settings: Settings) -> dict[str, Any]:
    """How many trials there are and count, and what became of the others."""
    complete = table.complete_blocks()
    unpaired = table.usable[~table.usable["block"].isin(complete)]
    return {
        "all": len(table.frame),
        "usable": len(table.usable),
        "complete_blocks": len(complete),
        "in_complete_blocks": len(table.usable) - len(unpaired),
        "outside_complete_blocks": len(unpaired),
        "incomplete_blocks": table.incomplete_blocks(),
        "sparse_groups": list(table.sparse),
        "integrity": provenance.integrity(table),
        "exclusions": provenance.exclusions(table, settings),
    }


def _settings(settings: Settings) -> dict[str, Any]:
    """What the analysis was told, and what else it goes by."""
    told = {k: v for k, v in vars(settings).items() if k != "place"}
    return told | {
        "experiment": None,
        "output": settings.place or str(settings.output),
        "margin_pct": settings.margin,
        "resamples": RESAMPLES,
        "power": POWER,
        "equivalence_margin_pct": EQUIVALENCE_MARGIN_PCT,
        "blocks_needed": limits.blocks_needed(settings.alpha),
    }


def _pairs(found: Findings) -> list[Pair]:
    """The tests of all pairs; of very many pairs those of energy, for pairs.csv has the rest."""
    if len(found.compared) <= _MOST_PAIRS:
        return found.pairs
    return [row for row in found.pairs if row.metric == "energy_j" and row.primary]
