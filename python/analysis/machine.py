"""What an experiment tells of itself, in words: machine, meter, software, data and settings.

Each part is a heading with names and values. What is not on record is left out; a part of
an unknown shape is shown as it is, under the names it has.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from analysis import provenance, text
from analysis.experiment.plan import Asked
from analysis.experiment.reading import part

Entries = list[tuple[str, str]]

#: Parts longer than this are cut in the report; experiment.json has them whole.
_MOST_ENTRIES = 120

#: The packages that make the comparison, in the order shown; the others follow under a heading of
#: their own.
CHIEF = ("tensorflow", "keras", "torch", "jax", "jaxlib", "flax", "optax", "numpy")


def entries(experiment: Mapping[str, Any]) -> list[tuple[str, Entries]]:
    """Headings with entries, in the order of the report."""
    parts: tuple[tuple[str, Any], ...] = (
        ("Machine", _machine(part(experiment, "machine"))),
        ("Meter", _meter(part(experiment, "meter"))),
        ("Software", _software(experiment)),
        ("Environment variables", _plain(experiment.get("variables"))),
        ("Data set", _dataset(part(experiment, "dataset"))),
        ("Commands", _commands(part(experiment, "settings"))),
        ("Settings", _plain(experiment.get("settings"))),
        ("Protocol, fixed beforehand", _plain(_protocol(experiment))),
        ("All packages", _packages(experiment)),
    )
    return [(heading, _cut(entries)) for heading, entries in parts if entries]


def _cut(entries: Entries) -> Entries:
    more = len(entries) - _MOST_ENTRIES
    if more <= 0:
        return entries
    return [*entries[:_MOST_ENTRIES], ("…", f"{more} more in experiment.json")]


def _protocol(experiment: Mapping[str, Any]) -> Any:
    """The protocol without its tables of nominal levels, which only a program reads."""
    protocol = experiment.get("protocol")
    if not isinstance(protocol, Mapping) or not isinstance(protocol.get("sequential"), Mapping):
        return protocol
    looks = {k: v for k, v in protocol["sequential"].items() if k not in ("overall", "nominal")}
    return {**protocol, "sequential": looks}


def _machine(machine: Mapping[str, Any]) -> Entries:
    cpu = machine.get("cpu")
    if not isinstance(cpu, Mapping):  # not as this program writes it
        return _plain(machine)
    supply, board = part(machine, "supply"), part(machine, "board")
    virtual = part(machine, "virtualisation")
    gpus = [g for g in machine.get("gpus") or [] if isinstance(g, Mapping)]
    known = (
        ("Processor", cpu.get("model")),
        ("Cores", _cores(cpu)),
        ("Simultaneous multithreading", _switch(cpu.get("smt"))),
        ("Turbo", _switch(cpu.get("turbo"))),
        ("Governor", _governor(cpu)),
        ("Energy preference", ", ".join(cpu.get("energy_preference") or [])),
        ("Frequencies allowed", _range(cpu.get("min_mhz"), cpu.get("max_mhz"))),
        ("Of the hardware", _range(cpu.get("hardware_min_mhz"), cpu.get("hardware_max_mhz"))),
        ("Microcode", cpu.get("microcode")),
        ("Mitigations", _mitigations(part(cpu, "mitigations"))),
        ("Memory", _bytes(machine.get("memory_bytes"))),
        ("Swap", _bytes(machine.get("swap_bytes"))),
        ("Graphics", "; ".join(map(_gpu, gpus))),
        ("Operating system", machine.get("os")),
        ("Kernel", _joined(" ", machine.get("kernel"), machine.get("architecture"))),
        ("Virtual machine", _kind(virtual.get("hypervisor"))),
        ("Container", _kind(virtual.get("container"))),
        ("Board", _joined(" ", board.get("vendor"), board.get("product"))),
        ("Firmware", _joined(
            " ", board.get("bios_vendor"), board.get("bios_version"), board.get("bios_date")
        )),
        ("Power supply", _supply(supply)),
        ("Load before (1, 5, 15 min)", _numbers(machine.get("load"))),
        ("Temperature before", _with_unit(machine.get("celsius"), "°C")),
        ("Clock", machine.get("clock_source")),
        ("Since boot", _duration(machine.get("uptime_s"))),
    )  # fmt: skip
    return [(name, str(value)) for name, value in known if value]


def _kind(name: str | None) -> str:
    return "yes, of an unknown kind" if name == "unknown" else name or "no"


def _cores(cpu: Mapping[str, Any]) -> str:
    parts = [
        text.count(cpu[key], noun)
        for key, noun in (("sockets", "socket"), ("cores", "core"), ("threads", "thread"))
        if cpu.get(key)
    ]
    return ", ".join(parts)


def _switch(state: bool | None) -> str:
    return {True: "on", False: "off"}.get(state, "") if isinstance(state, bool) else ""


def _governor(cpu: Mapping[str, Any]) -> str:
    governors = ", ".join(cpu.get("governor") or [])
    driver = cpu.get("frequency_driver")
    return f"{governors} ({driver})" if governors and driver else governors or (driver or "")


def _range(low: float | None, high: float | None) -> str:
    ends = [f"{mhz / 1000:.2f}" for mhz in (low, high) if mhz]
    return f"{' to '.join(ends)} GHz" if ends else ""


def _mitigations(flaws: Mapping[str, str]) -> str:
    """How many hardware flaws the kernel works around, and which it leaves open."""
    if not flaws:
        return ""
    states = {name: str(state).lower() for name, state in flaws.items()}
    open_ = sorted(name for name, state in states.items() if state.startswith("vulnerable"))
    active = sum(state.startswith("mitigation") for state in states.values())
    words = f"{active} active"
    return f"{words}; left vulnerable: {', '.join(open_)}" if open_ else words


def _gpu(gpu: Mapping[str, Any]) -> str:
    driver = _joined(" ", gpu.get("driver"), gpu.get("version"))
    return f"{gpu.get('name')} ({driver})" if driver else str(gpu.get("name"))


def _supply(supply: Mapping[str, Any]) -> str:
    parts = []
    if isinstance(supply.get("mains"), bool):
        parts.append("mains" if supply["mains"] else "no mains")
    if supply.get("battery"):
        state = str(supply.get("battery_status") or "").lower()
        percent = supply.get("battery_percent")
        full = "" if percent is None else f"{percent:g}%"
        parts.append(_joined(" ", "battery", _joined(", ", full, state)))
    return ", ".join(parts)


def _card(card: Mapping[str, Any]) -> tuple[str, str]:
    """A graphics card as it was set when the experiment began."""
    told = [str(card.get("name"))]
    told += [f"driver {card['driver']}"] if card.get("driver") else []
    limit, usual = card.get("power_limit_w"), card.get("power_limit_default_w")
    if limit is not None:
        lowered = f" (as it comes: {usual:g} W)" if usual not in (None, limit) else ""
        told.append(f"power limit {limit:g} W{lowered}")
    clocks = (("clock_mhz", "clock"), ("clock_most_mhz", "at most"), ("memory_clock_mhz", "memory"))
    told += [f"{what} {card[key]} MHz" for key, what in clocks if card.get(key) is not None]
    for key, yes, no in (
        ("persistence", "persistence on", "persistence off"),
        ("mig", "split (MIG)", "not split"),
    ):
        told += [yes if card[key] else no] if card.get(key) is not None else []
    others = card.get("processes")
    if others is not None:
        many = "1 other process" if others == 1 else f"{others or 'no'} other processes"
        told.append(f"{many} computed on it")
    return f"GPU {card.get('gpu')}", ", ".join(told)


def _estimate(chosen: Mapping[str, Any]) -> str:
    if not chosen.get("estimated"):
        return ""
    measured, _ = provenance.sources([str(chosen.get("kind"))])
    return ", the processor's part an estimate" if measured else ", an estimate"


def _meter(meter: Mapping[str, Any]) -> Entries:
    chosen = meter.get("chosen")
    if not isinstance(chosen, Mapping):
        return _plain(meter)
    kind = _joined(" ", chosen.get("kind"), chosen.get("version"))
    entries = [("Meter", kind + _estimate(chosen))]
    entries += [("RAPL read through", str(chosen["way"]))] if chosen.get("way") else []
    for counter in chosen.get("counters") or []:
        if not isinstance(counter, Mapping):
            continue
        what = _joined(": ", counter.get("name"), counter.get("path"))
        wrap = counter.get("range_j")
        what += f", wraps after {text.quantity(wrap, 'J', 4)}" if wrap else ""
        update = counter.get("update_ms")
        what += f", moves every {text.quantity(update, 'ms', 3)}" if update else ""
        sensor = counter.get("sensor")
        what += f", read by {sensor}" if sensor else ""
        what += "" if counter.get("counted", True) else " (not part of the total)"
        entries.append((f"Domain {counter.get('domain')}", what))
    if chosen.get("total"):
        entries.append(("Total", " + ".join(str(domain) for domain in chosen["total"])))
    entries += [_card(card) for card in chosen.get("cards") or [] if isinstance(card, Mapping)]
    entries += [("Note", str(note)) for note in chosen.get("notes") or []]
    for entry in meter.get("rejected") or []:
        if isinstance(entry, list | tuple) and len(entry) == 2:
            entries.append((f"Not {entry[0]}", str(entry[1])))
    return entries


def _software(experiment: Mapping[str, Any]) -> Entries:
    environment, git = part(experiment, "environment"), part(experiment, "git")
    packages = part(environment, "packages")
    conditions = part(experiment, "conditions")
    revision = git.get("revision")
    if revision and git.get("dirty"):
        revision = f"{revision}, with changes that are not committed"
    entries = [
        ("joulerace", experiment.get("version")),
        ("Revision", revision),
        ("Python", environment.get("version")),
        *((name, packages.get(name)) for name in CHIEF),
        ("Lock file (SHA-256)", conditions.get("lock")),
        ("Not as locked", ", ".join(map(str, conditions.get("unlocked") or []))),
        ("Started", experiment.get("created")),
    ]
    return [(name, str(value)) for name, value in entries if value]


def _packages(experiment: Mapping[str, Any]) -> Entries:
    environment = part(experiment, "environment")
    return _plain(part(environment, "packages") or experiment.get("versions"))


def _dataset(dataset: Mapping[str, Any]) -> Entries:
    files = dataset.get("files")
    if not isinstance(files, list):
        return _plain(dataset)
    images = [dataset.get("train_images"), dataset.get("test_images")]
    entries = [("Name", str(dataset.get("name") or ""))]
    if all(images):
        entries.append(("Images", f"{images[0]} for training, {images[1]} for testing"))
    for file in files:
        if isinstance(file, Mapping):
            known = {True: "as published", False: "not as published"}.get(file.get("published"), "")
            digest = str(file.get("sha256") or "")[:16]
            words = _joined(", ", known, f"SHA-256 {digest}…" if digest else "")
            entries.append((str(file.get("name")), words))
    entries.append(("Mind", str(dataset.get("warning") or "")))
    return [(name, value) for name, value in entries if value]


def _commands(settings: Mapping[str, Any]) -> Entries:
    common = part(settings, "commands")
    if not common:
        return []
    entries: Entries = []
    for treatment in settings.get("treatments") or []:
        if not isinstance(treatment, Mapping):
            continue
        for name, line in part(treatment, "command").items():
            heading = str(treatment.get("name"))
            entries.append((heading if name == "line" else f"{heading}, {name}", str(line)))
    times = Asked.parse(settings).repetitions
    if times > 1:
        each = f"{times}; joules and seconds are told for one, their mean"
        entries.append(("Runs of its command in each trial", each))
    entries.append(("Run by", str(common.get("shell"))))
    if common.get("ignore_failure"):
        entries.append(("Failures", "counted like other runs (--ignore-failure)"))
    return entries


def _plain(value: Any) -> Entries:
    """Anything as names and values, its nested names joined by words."""
    return list(_flatten("", value)) if value else []


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # Names in capitals are somebody's own, such as an environment variable's.
            label = str(key) if str(key).isupper() else str(key).replace("_", " ")
            yield from _flatten(f"{name}, {label}" if name else label, inner)
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        for place, inner in enumerate(value, 1):
            yield from _flatten(f"{name} {place}", inner)
    elif isinstance(value, list | tuple):
        if value:
            yield name, ", ".join(str(v) for v in value)
    elif value is not None:
        yield name, ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _joined(by: str, *parts: Any) -> str:
    return by.join(str(part) for part in parts if part)


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{text.significant(value)} {unit}"


def _numbers(values: Any) -> str:
    return ", ".join(f"{v:.2f}" for v in values) if values else ""


def _bytes(size: int | None) -> str:
    if size is None:
        return ""
    return "none" if size == 0 else f"{size / 2**30:.1f} GiB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
