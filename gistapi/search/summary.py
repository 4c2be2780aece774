"""Builds the JSON of what a search covered: how much was searched, and how each target ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from gistapi.models import Searched, TargetEnd

Count = Annotated[int, Field(ge=0)]


class SearchedData(TypedDict):
    """How much was searched."""

    gists: Count
    files: Count
    size_bytes: Count
    listing_age_seconds: Annotated[
        int, Field(ge=0, description="Seconds since GitHub was asked for the oldest listing used.")
    ]


class TargetData(TypedDict):
    """How the search of one target ended. Exactly one of the first five fields names it."""

    username: NotRequired[str]
    organization: NotRequired[str]
    gist: NotRequired[str]
    mine: NotRequired[Literal[True]]
    starred: NotRequired[Literal[True]]
    status: Literal["success", "partial", "error"]
    code: NotRequired[Annotated[str, Field(description="With an error.")]]
    message: NotRequired[Annotated[str, Field(description="With an error.")]]
    gists: Annotated[int, Field(ge=0, description="Number of gists that were searched.")]
    matches: Count


Explain = Callable[[Exception], tuple[str, str]]
"""Returns the code and the message of an error, as in `web.problems`."""


def unexplained(error: Exception) -> tuple[str, str]:
    """Return a general code and the error's own message."""
    return "github_error", str(error)


def searched_data(searched: Searched) -> SearchedData:
    """Return the JSON object of how much was searched."""
    return {
        "gists": searched.gists,
        "files": searched.files,
        "size_bytes": searched.size_bytes,
        "listing_age_seconds": searched.listing_age_seconds,
    }


def target_data(end: TargetEnd, explain: Explain) -> TargetData:
    """Return the JSON object of how the search of a target ended."""
    data: TargetData = {"status": "success", "gists": end.gists, "matches": end.matches}
    if end.error is not None:
        data["status"] = "error"
        data["code"], data["message"] = explain(end.error)
    elif end.partial:
        data["status"] = "partial"
    match end.target.kind:
        case "mine":
            data["mine"] = True
        case "starred":
            data["starred"] = True
        case kind:
            data[kind] = end.target.name
    return data
