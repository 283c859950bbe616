"""Was the machine at rest before and between the trials?"""

from collections.abc import Sequence

from analysis import around, text, worth
from analysis.experiment.settling import Warmup
from analysis.findings import Findings
from analysis.idle import AboveIdle
from analysis.questions.answer import Answer, kept
from analysis.settings import Settings
from analysis.table import Table


def idle(table: Table, found: Findings, settings: Settings) -> Answer:
    title = "Gross or above idle; what was idle power, and did it drift?"
    before, after = settings.baseline.before_w, settings.baseline.after_w
    lines = _settled(found.around.warmups)
    cool, cool_mark = _cooled(found.around.cooldowns)
    if before is None and after is None:
        lines = ["All energies contain what the machine uses idle.", *lines, *cool]
        short = "Gross; idle power was not measured"
        return Answer(title, "unknown", short, lines)
    parts = [
        f"{text.significant(w)} W {when}"
        for w, when in ((before, "before the first trial"), (after, "after the last"))
        if w is not None
    ]
    drift = settings.baseline.drift_w
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
    if any(baseline.estimated for baseline in found.around.baselines):
        lines.append("Idle power is an estimate too.")
    lines += cool
    above = found.above_idle
    extra = kept(worth.above_idle(found))
    if above.withheld:
        lines.append(f"Energy above idle is not told: {above.withheld}.")
        mark = "warn"
    else:
        lines.append(_above_idle(above))
    beside = ", and above idle beside it" if extra else ""
    return Answer(title, mark, f"Gross{beside}; idle: {text.join(parts)}", lines, extra)


def _above_idle(above: AboveIdle) -> str:
    """The groups' mean energy above idle."""
    means = [f"{r.group} {text.quantity(r.joules, 'J')}" for r in above.groups or []]
    if len(means) > _MOST_MEANS:
        means = [*means[:_MOST_MEANS], "…"]
    return (
        "Above idle (idle power interpolated between before and after), mean per run: "
        f"{text.join(means)}."
    )


#: Of more groups than this not all means are told.
_MOST_MEANS = 8


def _settled(warmups: Sequence[Warmup]) -> list[str]:
    """How the warm-ups ended; a sentence for each."""
    lines = []
    for place, warmup in enumerate(warmups):
        name = "The warm-up" if place == 0 else "The warm-up after going on"
        state = {
            True: "settled",
            False: "had not settled when it ended",
            None: "ended; whether the machine had settled is not known",
        }[warmup.settled]
        seconds = text.significant(warmup.seconds)
        lines.append(f"{name} of {seconds} s {state}{f': {warmup.why}' if warmup.why else ''}.")
    return lines


def _cooled(cooldowns: around.Cooldowns | None) -> tuple[list[str], str]:
    """How the cool-downs ended, and whether that is good."""
    if not cooldowns:
        return [], "good"
    line = (
        f"{text.count(cooldowns.count, 'cool-down')} of {text.significant(cooldowns.mean_s)} "
        "s on average"
    )
    if cooldowns.watts is None:
        return [f"{line}; power at their end is not known."], "good"
    line += f" ended at a mean of {text.significant(cooldowns.watts)} W"
    if cooldowns.above_idle_pct is not None:
        line += (
            f", {text.percent(cooldowns.above_idle_pct)} against idle power "
            f"({text.significant(cooldowns.idle_w)} W)"
        )
    if cooldowns.not_back is None:
        return [f"{line}."], "good"
    bound = (
        "by the experiment's own bound"
        if cooldowns.judged == "host"
        else f"that is within {around.IDLE_WITHIN_PCT:g}% of it"
    )
    line += f"; {cooldowns.not_back} of {cooldowns.known} were not back at idle, {bound}."
    return [line], "warn" if cooldowns.not_back else "good"
