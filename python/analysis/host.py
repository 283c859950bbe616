"""Where the host calls in: what the user can put right is told apart from what went wrong."""

from collections.abc import Callable, Mapping
from typing import Any

from analysis import carbon, pipeline
from analysis.settings import RequestError


def serve(
    request: dict[str, Any], arrays: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]
) -> None:
    """Look up what ``request["carbon"]`` names, then :func:`analysis.run`.

    Emits ``{"event": "place", ...}`` for a place without a figure, and
    ``{"event": "refused", ...}`` where a setting does not fit the data; either is all that happens.
    """
    intensity = request.pop("carbon", None) or {}
    if place := intensity.get("place"):
        found = carbon.find(place)
        if found is None:
            known = [entry.code for entry in carbon.TABLE]
            emit({"event": "place", "place": place, "known": known})
            return
        practical = request["practical"]
        practical["carbon_intensity"] = found.grams_per_kwh
        practical["carbon_source"] = found.describe()
    elif (grams := intensity.get("grams")) is not None:
        practical = request["practical"]
        practical["carbon_intensity"] = grams
        practical["carbon_source"] = "given with --carbon-intensity"
    try:
        pipeline.run(request, arrays, emit)
    except RequestError as error:
        emit({"event": "refused", "message": str(error)})
