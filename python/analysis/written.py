"""The one way out: what the analysis found, as JSON and CSV have it."""

import csv
import dataclasses
import io
import json
import math
import numbers
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.files import cell

#: Of a field that is None where it does not apply, and that is then not written at all.
WHERE_KNOWN = {"where known": True}


def fields(row: Any) -> dict[str, Any]:
    """What is written of a row: its fields in their order, or what its ``written()`` says.

    A row has a ``written`` of its own where the names in the file, or their order, are others.
    """
    if hasattr(row, "written"):
        return row.written()
    values = ((f, getattr(row, f.name)) for f in dataclasses.fields(row))
    return {f.name: v for f, v in values if not (v is None and f.metadata == WHERE_KNOWN)}


def picked(row: Any, names: Iterable[str]) -> dict[str, Any]:
    """These fields of a row, in this order."""
    return {name: getattr(row, name) for name in names}


def plain(value: Any) -> Any:
    """A value as JSON knows it: rows as objects, what is not finite as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(fields(value))
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


def json_text(content: Any) -> str:
    """A whole file of JSON."""
    return json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def table(rows: Sequence[Any], columns: Sequence[str]) -> str:
    """Rows as CSV: numbers with all their digits, missing ones empty, booleans in lower case."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(getattr(row, column)) for column in columns])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, numbers.Number):
        return repr(float(value)) if isinstance(value, float) else str(value)
    return cell(str(value))
