"""What is compared: the name, label, unit and kind of every metric."""

from collections.abc import Iterable
from dataclasses import dataclass

#: Phases of a trial, in the order in which they run.
PHASES = ("import", "data", "build", "train", "evaluate")
WINDOW = ("build", "train", "evaluate")


@dataclass(frozen=True)
class Metric:
    """One number per trial; ``unit`` is that of the column (J, s, W, J·s or J·s²)."""

    name: str
    label: str
    unit: str


ENERGY = Metric("energy_j", "Energy", "J")
TIME = Metric("time_s", "Time", "s")
POWER = Metric("power_w", "Mean power", "W")
EDP = Metric("edp_js", "Energy–delay product", "J·s")
ED2P = Metric("ed2p_js2", "Energy–delay² product", "J·s²")

#: Energy above idle can be negative, so that it is compared by arithmetic differences alone.
ABOVE_IDLE = "above_idle_j"

#: The four of the headline, in the order of tables and plots.
HEADLINE = (ENERGY, TIME, POWER, EDP)

#: Domains that carry a label of their own; GPUs are numbered.
_DOMAINS = {
    "energy_package_j": "CPU package energy",
    "energy_core_j": "CPU core energy (part of package)",
    "energy_uncore_j": "CPU uncore energy (part of package)",
    "energy_dram_j": "DRAM energy",
    "energy_gpu_j": "GPU energy",
    "energy_system_j": "System energy",
    "energy_platform_j": "Platform energy (contains the package)",
    "energy_estimated_j": "Estimated CPU energy",
}


def available(columns: dict[str, int]) -> list[Metric]:
    """The metrics that the experiment has, the headline first.

    Args:
        columns: every numeric column and how many trials have a value in it.
    """
    found = [m for m in (*HEADLINE, ED2P) if columns.get(m.name)]
    domains = [
        Metric(name, domain_label(name), "J")
        for name in columns
        if is_domain(name) and columns[name]
    ]
    found += sorted(domains, key=lambda m: (list(_DOMAINS) + [m.name]).index(m.name))
    if columns.get(ABOVE_IDLE):
        found.append(Metric(ABOVE_IDLE, "Energy above idle", "J"))
    for phase in PHASES:
        for suffix, unit, what in (("j", "J", "energy"), ("s", "s", "time")):
            name = f"phase_{phase}_{suffix}"
            if columns.get(name):
                found.append(Metric(name, f"Phase {phase}: {what}", unit))
    return found


def compared(metrics: Iterable[Metric]) -> list[Metric]:
    """Those whose logarithms are compared."""
    return [metric for metric in metrics if metric.name != ABOVE_IDLE]


def is_domain(name: str) -> bool:
    """Whether a column is the energy of one measured domain."""
    return name.startswith("energy_") and name.endswith("_j") and name != "energy_j"


def domain_label(name: str) -> str:
    """The words for a domain's column: ``energy_gpu1_j`` is ``GPU 1 energy``."""
    if name in _DOMAINS:
        return _DOMAINS[name]
    domain = name.removeprefix("energy_").removesuffix("_j")
    if domain.startswith("gpu") and domain[3:].isdigit():
        return f"GPU {domain[3:]} energy"
    return f"{domain} energy"
