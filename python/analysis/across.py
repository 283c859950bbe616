"""Several experiments of one plan read together: one answer over days or machines.

Each was analysed by itself before; what that wrote, ``summary.json``, is what is pooled here, by
:mod:`analysis.decision.pooled`. ``run`` writes ``across.json``, ``across.csv``, a plot,
``report.html`` and ``report.md`` into the folder it is given.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis import effects, files, text, written
from analysis.cautions import ESTIMATED_PART
from analysis.decision import student
from analysis.experiment import Experiment
from analysis.experiment.reading import number, part, parts, whole, word
from analysis.over import Over, interval, over, percent_text
from analysis.protocol import Protocol
from analysis.settings import RequestError

#: With so few experiments the interval over experiments is said to be what it is.
_FEW = 2

#: Parts of an experiment's settings that one plan has in common, and how they are called.
_PLAN = {
    "treatments": "the frameworks",
    "job": "the training job",
    "seed_per_block": "seeds of blocks",
    "dataset": "the data set",
}


class Ratio(NamedTuple):
    """A log ratio with its standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float


@dataclass(frozen=True, kw_only=True)
class Part:
    """One experiment: its name, what it tells of itself, and what its analysis wrote."""

    name: str
    experiment: Experiment
    #: Its answer by itself, and how sure that is.
    sentence: str
    level: str | None
    #: Usable trials, and blocks with every group.
    usable: int | None
    blocks: int | None
    #: Whether its groups did not do the same work.
    unlike_work: bool
    #: Which of its energy is an estimate, and what its totals are of.
    estimated: str | None
    domains: tuple[str, ...]
    #: Of every comparison, by base and group; None where it is not known.
    ratios: Mapping[tuple[str, str], Ratio | None]

    @property
    def machine(self) -> str:
        """The processor's name, where it is on record."""
        return self.experiment.processor or "–"

    @property
    def day(self) -> str:
        """The day on which it was begun, in UTC."""
        return (self.experiment.created or "–")[:10]

    @property
    def identity(self) -> tuple[str | None, int | None]:
        """What no two experiments have in common."""
        return self.experiment.created, self.experiment.plan.order_seed

    def ratio(self, a: str, b: str) -> Ratio | None:
        """Of ``b`` to ``a``, where it is known, whichever of them was the base."""
        if found := self.ratios.get((a, b)):
            return found
        if found := self.ratios.get((b, a)):
            return found._replace(mean=-found.mean)
        return None


@dataclass(frozen=True)
class Answer:
    """The sentence, how sure it is, and what limits it."""

    sentence: str
    sure: str
    cautions: tuple[str, ...]


def serve(request: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """:func:`run` for the host, which is told what the user can put right."""
    try:
        run(request, emit)
    except RequestError as error:
        emit({"event": "refused", "message": str(error)})


def run(request: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """Pool experiments that have been analysed.

    Args:
        request: ``output``; ``parts``, of each ``name``, ``analysis`` (the folder that its analysis
            wrote) and ``experiment`` (its ``experiment.json``); ``alpha``, ``command`` and
            ``version``.
        emit: as in :func:`analysis.run`.

    Raises:
        RequestError: the experiments are not of one plan, or cannot be compared.
    """
    from analysis import across_report  # here: what is pooled needs no plot

    emit({"event": "progress", "step": "experiments"})
    alpha = float(request.get("alpha") or 0.05)
    experiments = [read(raw) for raw in request.get("parts") or []]
    check(experiments)
    found = compare(experiments, alpha)
    answer = tell(experiments, found)
    output = Path(request["output"])
    content = {
        "sentence": answer.sentence,
        "sure": answer.sure,
        "cautions": list(answer.cautions),
        "experiments": [
            {"name": p.name, "machine": p.machine, "day": p.day, "level": p.level}
            for p in experiments
        ],
        "comparisons": [
            asdict(o)
            | {
                key: effects.known_percent(getattr(o.pooled, name))
                for key, name in _PERCENT.items()
            }
            for o in found
        ],
        "alpha": alpha,
    }
    files.write(output / "across.json", written.json_text(content))
    files.write(output / "across.csv", _csv(found))
    emit({"event": "progress", "step": "report"})
    pages = across_report.write(experiments, found, answer, request)
    names = ["across.json", "across.csv", *pages]
    emit({"event": "result", "sentence": answer.sentence, "files": names})


_COLUMNS = (
    "base", "group", "experiment", "log_ratio", "log_se", "df", "pct_change", "ci_low", "ci_high",
    "p_holm",
)  # fmt: skip

_PERCENT = {"pct_change": "mean", "ci_low": "low", "ci_high": "high"}


def read(raw: Mapping[str, Any]) -> Part:
    """An experiment with what its analysis wrote."""
    path = Path(raw["analysis"]) / "summary.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    trials = part(found, "trials")
    domains = part(part(found, "settings"), "domains").get("compared")
    return Part(
        name=str(raw["name"]),
        experiment=Experiment.parse(raw.get("experiment")),
        sentence=word(found.get("sentence")) or "–",
        level=word(found.get("level")),
        usable=whole(trials.get("usable")),
        blocks=whole(trials.get("complete_blocks")),
        unlike_work=part(found, "work_gate").get("status") == "failed",
        estimated=word(found.get("estimated")),
        domains=tuple(map(str, domains or ())),
        ratios={(str(r.get("base")), str(r.get("group"))): _ratio(r)
                for r in parts(found, "all_comparisons")},
    )  # fmt: skip


def _ratio(row: Mapping[str, Any]) -> Ratio | None:
    mean, error, freedom = (number(row.get(k)) for k in ("log_ratio", "log_se", "df"))
    if mean is None or error is None or freedom is None:
        return None
    return Ratio(mean, error, freedom)


def check(experiments: Sequence[Part]) -> None:
    """Refuse what is not several experiments of one plan and one kind of energy.

    Raises:
        RequestError: and what to do instead.
    """
    if len(experiments) < 2:
        raise RequestError("experiments: name two or more")
    first = experiments[0]
    for i, one in enumerate(experiments):
        for other in experiments[:i]:
            if one.identity == other.identity and one.identity[0] is not None:
                raise RequestError(f"{other.name} and {one.name} are one and the same experiment")
    for one in experiments[1:]:
        differ = [what for key, what in _PLAN.items() if _planned(first, key) != _planned(one, key)]
        if differ:
            raise RequestError(
                f"{first.name} and {one.name} are not of one plan: {text.join(differ)} differ; "
                "analyse them apart"
            )
        for key, what in (("estimated", "an estimate and a measurement"), ("domains", "domains")):
            kinds = getattr(first, key), getattr(one, key)
            if kinds[0] != kinds[1]:
                more = "; name those that all have with --domains" if key == "domains" else ""
                raise RequestError(
                    f"{first.name} and {one.name} did not measure the same energy ({what}: "
                    f"{kinds[0]} and {kinds[1]}){more}"
                )


def compare(experiments: Sequence[Part], alpha: float) -> list[Over]:
    """Every comparison that two experiments or more have, Holm over them."""
    pairs: dict[frozenset[str], tuple[str, str]] = {}
    declared = Protocol.parse(experiments[0].experiment.told.get("protocol")).comparisons
    for a, b in [*declared, *(pair for one in experiments for pair in one.ratios)]:
        pairs.setdefault(frozenset((a, b)), (a, b))
    known = [
        [(p.name, *r) for p in _same_work(experiments) if (r := p.ratio(a, b))]
        for a, b in pairs.values()
    ]
    return over(list(pairs.values()), known, alpha)


def tell(experiments: Sequence[Part], found: Sequence[Over]) -> Answer:
    """The answer in words: resolved differences first, the rest by what is known of them."""
    count = f"{len(experiments)} experiments"
    cautions = []
    if experiments[0].estimated == "part":
        cautions.append(ESTIMATED_PART)
    elif experiments[0].estimated != "none":
        cautions.append("The energy is estimated from CPU load; no energy counter was read.")
    for one in experiments:
        if one.unlike_work:
            cautions.append(f"{one.name} is left out: its groups did not do the same work.")
    if not found:
        sentence = f"No two of the {count} compare the same groups, so nothing can be pooled."
        return Answer(sentence, "", tuple(cautions))
    resolved = [o for o in found if o.resolved]
    if resolved:
        words = [
            f"{o.b} used {text.size(abs(_change(o)))} {'more' if o.pooled.mean > 0 else 'less'} "
            f"energy than {o.a} ({interval(o.pooled.low, o.pooled.high)})"
            for o in resolved
        ]
        sentence = f"Over {count}, {text.join(words)}."
        if len(resolved) < len(found):
            rest = [f"{o.b} and {o.a}" for o in found if not o.resolved]
            sentence += f" Not resolved: {text.join(rest, 'or')}."
    else:
        words = [
            f"{o.b} against {o.a} {percent_text(o.pooled.mean)} "
            f"({interval(o.pooled.low, o.pooled.high)})"
            for o in found
        ]
        sentence = f"Over {count}, no difference is resolved: {text.join(words)}."
    same = sum(_one_sign(o) for o in found)
    sure = (
        f"The intervals are over experiments (Student's t, {len(experiments) - 1} "
        f"{'degree' if len(experiments) == 2 else 'degrees'} of freedom) and hold for others like "
        f"these; in {same} of {text.count(len(found), 'comparison')} all experiments have one sign."
    )
    if len(experiments) <= _FEW:
        alone = [
            f"{o.b} against {o.a} {interval(o.pooled.within_low, o.pooled.within_high)}"
            for o in found
        ]
        cautions.append(
            "Two experiments hardly tell how much experiments differ: that leaves one degree of "
            f"freedom. For these two alone, with no word about others: {text.join(alone)}."
        )
    for o in found:
        if o.pooled.q_p < 0.05:
            cautions.append(
                f"{o.b} against {o.a} differs between the experiments by more than their blocks "
                f"explain ({text.p_equation(o.pooled.q_p)}, I² {100 * o.pooled.i2:.0f}%): see each "
                "by itself."
            )
    return Answer(sentence, sure, tuple(cautions))


def _change(over: Over) -> float:
    return effects.known_percent(over.pooled.mean) or 0.0


def _one_sign(over: Over) -> bool:
    return len({np.sign(mean) for _, mean, _, _ in over.parts}) == 1


def _same_work(experiments: Sequence[Part]) -> list[Part]:
    return [p for p in experiments if not p.unlike_work]


def _planned(one: Part, key: str) -> Any:
    """A part of the plan; the number of processors is the machine's, not the plan's."""
    found = part(one.experiment.told, "settings").get(key)
    if key == "job" and isinstance(found, Mapping):
        return {k: v for k, v in found.items() if k != "threads"}
    return found


def _csv(found: Sequence[Over]) -> str:
    """A row per comparison and experiment, and one over all of them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for o in found:
        for name, mean, error, freedom in o.parts:
            half = float(student.quantile(0.975, np.array(freedom))) * error
            ends = [effects.known_percent(v) for v in (mean, mean - half, mean + half)]
            writer.writerow(_cells(o.a, o.b, name, mean, error, freedom, *ends, None))
        p = o.pooled
        ends = [effects.known_percent(v) for v in (p.mean, p.low, p.high)]
        writer.writerow(_cells(o.a, o.b, "all", p.mean, p.se, p.k - 1, *ends, o.p_holm))
    return buffer.getvalue()


def _cells(*values: Any) -> list[str]:
    return ["" if v is None else files.cell(v) if isinstance(v, str) else repr(v) for v in values]
