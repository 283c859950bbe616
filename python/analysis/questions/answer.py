"""What a question's answer consists of."""

from dataclasses import dataclass, field

from analysis.cells import Tabulation


@dataclass(frozen=True)
class Answer:
    """``short`` is the answer in a few words; ``mark`` is good, warn or unknown."""

    question: str
    mark: str
    short: str
    paragraphs: list[str] = field(default_factory=list)
    tables: list[Tabulation] = field(default_factory=list)


def kept(*found: Tabulation | None) -> list[Tabulation]:
    """Those that there are."""
    return [t for t in found if t]
