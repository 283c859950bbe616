"""What was asked for and declared before the first trial, and the order that was drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.experiment.reading import number, part, parts, whole, word


@dataclass(frozen=True)
class Planned:
    """A planned trial: its place in the order from 1, its block, its seed; None where unknown."""

    name: str
    run_order: float | None
    block: float | None
    seed: float | None


@dataclass(frozen=True)
class Plan:
    """The order: the seed that it was drawn from, and by which generator."""

    order_seed: int | None = None
    generator: str | None = None
    #: Such as ``balanced``.
    order: str | None = None
    trials: tuple[Planned, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Plan":
        """As the host has it."""
        trials = tuple(
            Planned(
                str(t.get("name")),
                *(number(t.get(key)) for key in ("run_order", "block", "seed")),
            )
            for t in parts(raw, "trials")
        )
        words = (word(raw.get("generator")), word(raw.get("order")))
        return cls(whole(raw.get("order_seed")), *words, trials)


@dataclass(frozen=True)
class Asked:
    """What was asked for: the settings that the analysis reads."""

    epochs: int | None = None
    train_samples: int | None = None
    #: What training is seeded with, and whether every block has a seed of its own.
    seed: int | None = None
    seed_per_block: bool = False
    order_seed: int | None = None
    order: str | None = None
    #: Blocks.
    iterations: int | None = None
    #: Whether commands were compared, and how often a trial ran its own.
    commands: bool = False
    repetitions: int = 1
    #: The A/A twin's name.
    twin: str | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Asked":
        """As the host has it."""
        job = part(raw, "job")
        return cls(
            epochs=whole(job.get("epochs")),
            train_samples=whole(job.get("train_samples")),
            seed=whole(job.get("seed")),
            seed_per_block=bool(raw.get("seed_per_block")),
            order_seed=whole(raw.get("order_seed")),
            order=word(raw.get("order")),
            iterations=whole(raw.get("iterations")),
            commands=bool(raw.get("commands")),
            repetitions=whole(part(raw, "commands").get("repetitions")) or 1,
            twin=word(part(raw, "control").get("name")),
        )


@dataclass(frozen=True)
class Data:
    """The data set; ``unpublished`` are files that are not as published."""

    name: str | None = None
    train_images: int | None = None
    warning: str | None = None
    unpublished: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Data":
        """As the host has it."""
        other = [f for f in parts(raw, "files") if f.get("published") is False]
        return cls(
            name=word(raw.get("name")),
            train_images=whole(raw.get("train_images")),
            warning=word(raw.get("warning")),
            unpublished=tuple(str(f.get("name")) for f in other),
        )


@dataclass(frozen=True)
class Declared:
    """Of the protocol what is only held against what was done; see :mod:`analysis.protocol`."""

    primary_metric: str | None = None
    design: str | None = None
    tests: tuple[str, ...] = ()
    #: Of an experiment that may stop early: after how many blocks at the latest, and once every
    #: comparison is known to within so many per cent; None for one that may not.
    most_blocks: int | None = None
    precision_pct: float | None = None
    stops: bool = False

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "Declared":
        """As the protocol has it."""
        tests, early = raw.get("tests"), part(raw, "sequential")
        return cls(
            primary_metric=word(raw.get("primary_metric")),
            design=word(raw.get("design")),
            tests=tuple(map(str, tests)) if isinstance(tests, list) else (),
            most_blocks=whole(early.get("most")),
            precision_pct=number(early.get("precision_pct")),
            stops=isinstance(raw.get("sequential"), Mapping),
        )
