"""The ten questions that a reviewer asks, each answered from the data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis import checks, conditions, metrics, pairs, provenance, tables, text
from analysis.cells import Tabulation
from analysis.findings import Findings
from analysis.settings import EQUIVALENCE_MARGIN_PCT, Settings
from analysis.table import Table


@dataclass(frozen=True)
class Answer:
    """``short`` is the answer in a few words; ``mark`` is good, warn or unknown."""

    question: str
    mark: str
    short: str
    paragraphs: list[str] = field(default_factory=list)
    tables: list[Tabulation] = field(default_factory=list)


def answer_all(table: Table, found: Findings, settings: Settings) -> list[Answer]:
    """The ten answers in their order."""
    parts = (
        _order, _accounted, _robust, _work, _domains, _window, _idle, _floor, _size, _reproduce,
    )  # fmt: skip
    return [part(table, found, settings) for part in parts]


def _kept(*found: Tabulation | None) -> list[Tabulation]:
    return [t for t in found if t]


def _order(table: Table, found: Findings, settings: Settings) -> Answer:
    order, drift = found.order, found.drift
    verdict = order["verdict"]
    short, mark = {
        "random": ("Random and balanced, as far as can be tested", "good"),
        "few": ("Too few complete blocks to test the order", "unknown"),
        "unbalanced": ("Positions were not balanced", "warn"),
        "cyclic": ("No: the order repeats itself", "warn"),
        "sequential": ("No: the groups ran one after another", "warn"),
        "unknown": ("The order is not known", "unknown"),
    }[verdict]
    lines = []
    if "balance_p" in order:
        lines.append(
            f"Over {text.count(order['blocks'], 'complete block')}, position counts give "
            f"χ² = {text.significant(order['balance_chi_square'])}; of random orders, a share of "
            f"{text.significant(order['balance_p'], 2)} is at least as unbalanced. "
            f"{order['distinct_orders']} of {order['possible_orders']} possible orders occurred; "
            f"{text.count(order['same_as_previous'], 'block')} repeated the one before."
        )
    if verdict == "cyclic":
        chance = text.significant(order["period_chance"], 1)
        cycle = "; ".join(" → ".join(one) for one in order["cycle"])
        lines.append(
            f"The orders follow a cycle of {text.count(order['period'], 'block')} ({cycle}); "
            f"random orders would do that with a chance of {chance}."
        )
    lines.append(_slopes(drift))
    lines.append(_factors(drift))
    return Answer(
        "Was the order that was run random and balanced; do position or predecessor matter?",
        mark,
        short,
        [line for line in lines if line],
        _kept(checks.positions(found), checks.autocorrelation(found)),
    )


def _slopes(drift: dict[str, Any]) -> str:
    slope = drift["time"] or drift["run_order"]
    if not slope:
        return "Drift over time cannot be estimated from these data."
    if "pct" not in slope:
        return f"Drift over time: {slope['note']}."
    decimals = text.percent_decimals(slope["ci_low"], slope["ci_high"])
    return (
        f"Energy drifted by {text.percent(slope['pct'], decimals)} {slope['unit']} (95% interval "
        f"{text.percent(slope['ci_low'], decimals)} to {text.percent(slope['ci_high'], decimals)}, "
        f"{text.p_equation(slope['p'])}), {text.percent(slope['pct_over_experiment'], 2)} over the "
        "whole experiment."
    )


def _factors(drift: dict[str, Any]) -> str:
    lines = []
    for name in ("position", "predecessor"):
        part = drift[name]
        if part is None:
            lines.append(f"The effect of {name} cannot be estimated from these data.")
        elif not part["separable"]:
            lines.append(f"The effect of {name} cannot be told from that of the group.")
        else:
            lines.append(
                f"{name.capitalize()}: F({part['df1']:g}, {part['df2']:g}) = "
                f"{text.significant(part['f'])}, {text.p_equation(part['p'])}, largest difference "
                f"{text.percent(part['largest_pct'], 2, sign=False)}."
            )
    return " ".join(lines)


def _accounted(table: Table, found: Findings, settings: Settings) -> Answer:
    rows = provenance.integrity(table)
    left_out = provenance.exclusions(table, settings)
    wrapped = sum(r["wrapped"] for r in rows)
    retried = sum(r["retried"] for r in rows)
    short = (
        f"{len(table.usable)} of {text.count(len(table.frame), 'trial')} usable; {wrapped} wrapped "
        f"(corrected), {retried} retried, {len(left_out)} left out"
    )
    lines = []
    ranges = sorted(set(table.frame["wrap_range_j"].dropna()))
    if wrapped and ranges:
        sizes = text.join([f"{r:,.0f} J".replace(",", "\u202f") for r in ranges])
        lines.append(f"Wrapped counters were subtracted modulo their range of {sizes}.")
    if left_out:
        lines.append("Everything left out, with its reason, is listed under “What was left out”.")
    complete = table.complete_blocks()
    outside = int((~table.usable["block"].isin(complete)).sum())
    rest = f"{text.count(outside, 'usable trial')} outside them, used in the unpaired reading only"
    lines.append(
        f"{text.count(len(complete), 'block')} complete over all groups and paired; "
        f"{rest if outside else 'no usable trial lies outside them'}."
    )
    if disturbed := _disturbed(table):
        lines.append(disturbed)
    mark = "warn" if left_out or disturbed else "good"
    title = "How many trials wrapped, failed, were retried or excluded, per treatment, and why?"
    own = _kept(
        checks.integrity(rows),
        checks.incomplete(table.incomplete_blocks(), bool(table.groups)),
        checks.during(found.conditions["during"]),
    )
    return Answer(title, mark, short, lines, own)


#: What a flag of the host means, for trials that count nevertheless.
_DISTURBANCES = {
    "interference": "other processes kept processors busy",
    "throttled": "the processor was slowed down for its heat",
    "swapped": "memory was swapped",
    "steal": "the hypervisor gave processor time to others",
    "missed-samples": "samples are missing",
    "clock-step": "the wall clock was set",
}


def _disturbed(table: Table) -> str:
    """How many trials were disturbed, by what; empty where none is known to have been."""
    counts = {words: conditions.flagged(table, flag) for flag, words in _DISTURBANCES.items()}
    parts = [f"{words} in {n}" for words, n in counts.items() if n]
    if not parts:
        return ""
    return (
        f"Of {text.count(len(table.frame), 'trial')}, {text.join(parts)}. Such trials are kept: "
        "what lies beside them is in the table of the machine during the trials."
    )


def _robust(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Does the conclusion survive all data, rank tests and dropping any one block?"
    tested = [r for r in found.leave_one_out if r["survives"] is not None]
    lines = [found.outliers["rule"]]
    if found.outliers["trials"]:
        names = text.join([f"{b:g}" for b in found.outliers["blocks"]])
        blocks = "block" if len(found.outliers["blocks"]) == 1 else "blocks"
        lines.append(f"The rule names {blocks} {names}; the result without is beside the one with.")
    else:
        lines.append("The rule names no trial.")
    extra = _kept(checks.leave_one_out(found), *checks.outliers(found))
    if not tested:
        return Answer(title, "unknown", "Too few complete blocks to leave one out", lines, extra)
    disagree = [
        f"{b} against {a}"
        for a, b in {(r["a"], r["b"]): None for r in tested}
        if not _agree(found, a, b, settings.alpha)
    ]
    fragile = [f"{r['b']} against {r['a']}" for r in tested if not r["survives"]]
    if disagree:
        lines.append(f"The parametric and the rank test disagree for {text.join(disagree)}.")
    if fragile:
        lines.append(f"Leaving out a single block changes the outcome of {text.join(fragile)}.")
    good = not disagree and not fragile
    short = "Yes, for every pair" if good else "Not for every pair"
    return Answer(title, "good" if good else "warn", short, lines, extra)


def _agree(found: Findings, a: str, b: str, alpha: float) -> bool:
    rows = [found.pair(a, b, test) for test in (pairs.PAIRED_T, pairs.WILCOXON)]
    sides = {row["p_holm"] < alpha for row in rows if row and row["p_holm"] is not None}
    return len(sides) < 2


def _work(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Was the work identical, with equal accuracy?"
    state, reasons = provenance.work_gate(settings)
    accuracy = checks.accuracy(table)
    lines = list(reasons)
    if invalid := provenance.invalid_trials(table):
        lines.append(
            f"{text.count(invalid, 'trial')} invalid and left out; the reasons are under “What was "
            "left out”."
        )
    if accuracy is None:
        lines.append("The trials carry no accuracy.")
    short, mark = {
        "passed": ("Yes: the work gate passed", "good"),
        "failed": ("No: the work gate failed", "warn"),
        "unknown": ("Not on record", "unknown"),
    }[state]
    return Answer(title, mark, short, lines, _kept(accuracy))


#: What the host calls its meters, in words.
_METERS = {
    "energibridge": "EnergiBridge",
    "rapl": "RAPL, built in",
    "nvml": "NVML, built in",
    "estimate": "none; an estimate from CPU load",
}


def _domains(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Which domains were measured, by which meter, and what is missing?"
    domains = [m for m in table.metrics if metrics.is_domain(m.name)]
    meters = text.join([_METERS.get(m, m) for m in provenance.meters(table)]) or "unknown"
    names = [m.label for m in domains]
    state = provenance.estimated(table)
    absent = [
        word
        for word, keys in (
            ("DRAM", ("energy_dram_j", "energy_system_j")),
            ("GPU", ("energy_gpu_j", "energy_gpu0_j", "energy_system_j")),
        )
        if not any(m.name in keys for m in domains)
    ]
    lines = [f"Domains: {text.join(names) or 'not named'}."]
    if absent:
        lines.append(f"No reading of {text.join(absent, 'or')}.")
    lines.append(
        "Mains power is not measured: power supply losses, fans, disks and the display are missing "
        "from every figure. Core energy is part of package energy and is never added to it."
    )
    if unusable := conditions.flagged(table, "core-unusable"):
        lines.append(
            f"Core counters made no sense in {text.count(unusable, 'trial')}: left out there."
        )
    if cost := _overhead(found.conditions["meter_overhead"]):
        lines.append(cost)
    if state != "none":
        lines.insert(0, "The energy is estimated from CPU load: a model's guess, no measurement.")
    short = f"Meter: {meters}" + (" (partly an estimate)" if state == "some" else "")
    return Answer(title, "good" if state == "none" else "warn", short, lines)


def _overhead(cost: dict[str, Any] | None) -> str:
    """What the meter itself cost, in words."""
    if not cost:
        return ""
    parts = []
    if (rate := cost["per_second"]) is not None:
        share = cost["trial_share"]
        of = "" if share is None else f", {_small_percent(100 * share)} of the trials' own"
        parts.append(f"{text.significant(1000 * rate, 2)} ms of processor time per second{of}")
    if (watts := cost["watts"]) is not None:
        parts.append(_power_of_sampling(watts, cost["watts_se"]))
    return f"The meter itself took {text.join(parts)}."


def _power_of_sampling(watts: float, error: float | None) -> str:
    """What sampling added to idle power, or that it cannot be told from the noise of that."""
    if error is None:
        return f"{text.significant(watts, 2)} W of idle power"
    shown = f"{text.significant(watts, 2)} ± {text.significant(error, 2)} W (± standard error)"
    if abs(watts) < 2 * error:
        return f"no power that can be told from idle ({shown})"
    return f"{shown} of idle power"


def _small_percent(value: float) -> str:
    return "less than 0.01%" if 0 < value < 0.01 else f"{text.significant(value, 2)}%"


def _window(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What lies inside the window?"
    phases = [m for m in table.metrics if m.name.startswith("phase_") and m.name.endswith("_j")]
    if settings.source != "experiment" or not phases:
        return Answer(
            title,
            "unknown" if settings.source != "experiment" else "warn",
            "The whole file, first to last sample",
            ["The files carry no phase marks: starting up, importing and loading data are inside."],
        )
    own = _kept(*(checks.phases(table, found, suffix) for suffix in "js"))
    return Answer(
        title,
        "good",
        "Building the model, training and evaluation; import and data loading are outside",
        ["The energy of every phase is given separately; edges between samples are interpolated."],
        own,
    )


def _idle(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Gross or above idle; what was idle power, and did it drift?"
    baseline = settings.baseline or {}
    before, after = baseline.get("before_w"), baseline.get("after_w")
    lines = _settled(found.conditions["warmups"])
    cool, cool_mark = _cooled(found.conditions["cooldowns"])
    if before is None and after is None:
        lines = ["All energies contain what the machine uses idle.", *lines, *cool]
        short = "Gross; idle power was not measured"
        return Answer(title, "unknown", short, lines)
    parts = [
        f"{text.significant(w)} W {when}"
        for w, when in ((before, "before the first trial"), (after, "after the last"))
        if w is not None
    ]
    drift = baseline.get("drift_w")
    if drift is None and before is not None and after is not None:
        drift = after - before
    mark = cool_mark
    if drift is not None and before:
        lines.insert(
            0,
            f"Idle power drifted by {text.significant(drift, 2)} W "
            f"({text.percent(100 * drift / before)}).",
        )
        mark = "warn" if abs(drift) > 0.1 * before else mark
    if any(entry.get("estimated") for entry in found.conditions["baselines"]):
        lines.append("Idle power is an estimate too.")
    lines += cool
    above = next((m for m in table.metrics if m.name == "above_idle_j"), None)
    extra = tables.groups(found.groups, [above]) if above else []
    if above and (line := _above_idle(table, found, above)):
        lines.append(line)
    beside = ", and above idle beside it" if above else ""
    return Answer(title, mark, f"Gross{beside}; idle: {text.join(parts)}", lines, extra)


def _above_idle(table: Table, found: Findings, above: metrics.Metric) -> str:
    """The groups' change of energy above idle against the base, with intervals."""
    parts = []
    for b in table.groups[1:]:
        row = found.pair(table.base, b, pairs.PAIRED_T, above.name)
        if not row or row["ci_low"] is None:
            row = found.pair(table.base, b, pairs.WELCH, above.name)
        if row and row["ci_low"] is not None:
            decimals = text.percent_decimals(row["ci_low"], row["ci_high"])
            change, low, high = (
                text.percent(row[k], decimals) for k in ("pct_change", "ci_low", "ci_high")
            )
            parts.append(f"{b} {change} ({low} to {high})")
    return f"Above idle, against {table.base}: {text.join(parts)}." if parts else ""


def _settled(warmups: list[Any]) -> list[str]:
    """How the warm-ups ended; a sentence for each."""
    lines = []
    for place, warmup in enumerate(warmups):
        name = "The warm-up" if place == 0 else "The warm-up after going on"
        state = {
            True: "settled",
            False: "had not settled when it ended",
            None: "ended; whether the machine had settled is not known",
        }[warmup.get("settled")]
        why = str(warmup.get("why") or "").strip().rstrip(".")
        seconds = text.significant(float(warmup["seconds"]))
        lines.append(f"{name} of {seconds} s {state}{f': {why}' if why else ''}.")
    return lines


def _cooled(cooldowns: dict[str, Any] | None) -> tuple[list[str], str]:
    """How the cool-downs ended, and whether that is good."""
    if not cooldowns:
        return [], "good"
    line = (
        f"{text.count(cooldowns['count'], 'cool-down')} of {text.significant(cooldowns['mean_s'])} "
        "s on average"
    )
    if cooldowns["watts"] is None:
        return [f"{line}; power at their end is not known."], "good"
    line += f" ended at a mean of {text.significant(cooldowns['watts'])} W"
    if cooldowns["above_idle_pct"] is not None:
        line += (
            f", {text.percent(cooldowns['above_idle_pct'])} against idle power "
            f"({text.significant(cooldowns['idle_w'])} W)"
        )
    if cooldowns["not_back"] is None:
        return [f"{line}."], "good"
    bound = (
        "by the experiment's own bound"
        if cooldowns["judged"] == "host"
        else f"that is within {conditions.IDLE_WITHIN_PCT:g}% of it"
    )
    line += f"; {cooldowns['not_back']} of {cooldowns['known']} were not back at idle, {bound}."
    return [line], "warn" if cooldowns["not_back"] else "good"


def _floor(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What is the noise floor and the smallest effect that this experiment could see?"
    own = _kept(checks.detectable(found))
    seen = [r["pct"] for r in found.detectable if r["pct"] is not None]
    smallest = f"changes from {text.significant(max(seen), 2)}% on could be seen" if seen else ""
    floor = found.floor
    if floor is None:
        short = f"Noise floor not known: no A/A control{'; ' + smallest if smallest else ''}"
        return Answer(title, "unknown", short, [], own)
    if floor["floor_pct"] is None:
        return Answer(title, "unknown", f"The A/A control says nothing: {floor['note']}", [], own)
    decimals = text.percent_decimals(floor["ci_low"], floor["ci_high"])
    low, high = (text.percent(floor[k], decimals) for k in ("ci_low", "ci_high"))
    same = "are" if floor["tost_p"] < settings.alpha else "are not shown to be"
    lines = [
        (
            f"{floor['treatment']} ran twice in each of {floor['blocks']} blocks. The mean paired "
            f"difference is {text.percent(floor['pct_change'], decimals)} (95% band {low} to "
            f"{high}); a single block may differ by {text.percent(floor['block_low'])} to "
            f"{text.percent(floor['block_high'])}."
        ),
        (
            f"By two one-sided tests the two {same} equivalent within ±{EQUIVALENCE_MARGIN_PCT:g}% "
            f"({text.p_equation(floor['tost_p'])}); they would be within "
            f"±{text.significant(floor['equivalent_within_pct'], 2)}%."
        ),
    ]
    short = f"Noise floor ±{text.significant(floor['floor_pct'], 2)}%; {smallest}"
    return Answer(title, "good", short, lines, own)


def _size(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Is the effect power or time; how large, with an interval; does it matter in practice?"
    own = _kept(tables.split(found), tables.effects(found), tables.practical(found, settings))
    if not found.split:
        return Answer(title, "unknown", "A single group has no effect", [], own)
    shares = {(r["a"], r["b"]): r["time_share"] for r in found.split if r["time_share"] is not None}
    parts = [
        f"{b} against {a}: {_share(share)}" for (a, b), share in shares.items() if a == table.base
    ]
    practical = settings.practical
    lines = [
        f"Practical figures are for {practical.runs_per_year:,.0f} runs per year at "
        f"{practical.price_per_kwh:g} {practical.currency}/kWh and "
        f"{practical.carbon_intensity:g} g CO₂e/kWh ({practical.carbon_source}). They cover the "
        "measured domains only.".replace(",", "\u202f", 1)
    ]
    short = "; ".join(parts) if parts else "No pair's interval excludes no change"
    return Answer(title, "good" if parts else "unknown", short, lines, own)


def _share(share: float) -> str:
    if share > 1.1:
        return f"time, {100 * share:.0f}% of it; power made up for part"
    if share >= 0.8:
        return f"almost only time ({100 * share:.0f}%)"
    if share > 0.6:
        return f"mostly time ({100 * share:.0f}%)"
    if share > 0.4:
        return f"time ({100 * share:.0f}%) and power alike"
    if share >= 0.2:
        return f"mostly power (time {100 * share:.0f}%)"
    if share >= -0.1:
        return f"almost only power (time {100 * share:.0f}%)"
    return "power; time made up for part"


def _reproduce(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "What reproduces it: hardware, versions, seeds, order, raw files, one command?"
    experiment = settings.experiment or {}
    known = [
        word
        for word, keys in (
            ("hardware", ("machine",)),
            ("versions", ("environment", "versions")),
            ("order", ("plan",)),
            ("revision", ("git",)),
            ("seeds", ("settings",)),
        )
        if any(experiment.get(k) for k in keys)
    ]
    lines = [
        f"Analysis seed {settings.seed}, alpha {settings.alpha:g}, joulerace {settings.version}."
    ]
    if seeds := _seeds(experiment):
        lines.insert(0, seeds)
    if (experiment.get("git") or {}).get("dirty"):
        lines.append("The code had changes that are not committed.")
    if settings.command:
        lines.append(f"Command: {settings.command}")
    if not experiment:
        short = "The raw files and this command; the machine and versions are not on record"
        return Answer(title, "warn", short, lines)
    missing = [w for w in ("hardware", "versions") if w not in known]
    short = f"On record: {text.join(known)}" if known else "An experiment record without details"
    return Answer(title, "warn" if missing else "good", short, lines)


def _seeds(experiment: Mapping[str, Any]) -> str:
    """The experiment's own seeds, and what drew its order."""
    plan, own = experiment.get("plan"), experiment.get("settings")
    plan, own = (part if isinstance(part, Mapping) else {} for part in (plan, own))
    job = own.get("job") if isinstance(own.get("job"), Mapping) else {}
    order, training = plan.get("order_seed", own.get("order_seed")), job.get("seed")
    parts = []
    if order is not None:
        drawn = f" ({plan['generator']})" if plan.get("generator") else ""
        parts.append(f"order seed {order}{drawn}")
    if training is not None:
        parts.append(f"training seed {training}")
    return f"The experiment: {text.join(parts)}." if parts else ""
