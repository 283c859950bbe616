"""One declared item held against what was done."""

from dataclasses import dataclass
from typing import Any

from analysis import text

#: Of more names than this the number is told.
_MOST_NAMED = 4


@dataclass(frozen=True)
class Item:
    """One declared item: what was declared, what was done, and whether that is the same.

    ``kept`` is None where the trials cannot tell. ``weakens`` is whether p-values may look surer
    than they are for it, so that nothing is firm.
    """

    name: str
    declared: str
    done: str
    kept: bool | None
    weakens: bool = False

    @property
    def sentence(self) -> str:
        """The departure in words, for a list of them."""
        return f"{self.name}: declared {self.declared}; {self.done}"


def named(names: Any) -> str:
    listed = [str(name) for name in names]
    if len(listed) > _MOST_NAMED:
        return f"{text.join(listed[:_MOST_NAMED], 'and')} and {len(listed) - _MOST_NAMED} more"
    return text.join(listed)
