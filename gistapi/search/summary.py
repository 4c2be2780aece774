"""What a search covered, as JSON has it: how much was read, and each of several targets."""

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
        int, Field(ge=0, description="How long ago GitHub was asked for the oldest of the lists.")
    ]


class TargetData(TypedDict):
    """What became of one target; exactly one of the first five names it."""

    username: NotRequired[str]
    organization: NotRequired[str]
    gist: NotRequired[str]
    mine: NotRequired[Literal[True]]
    starred: NotRequired[Literal[True]]
    status: Literal["success", "partial", "error"]
    code: NotRequired[Annotated[str, Field(description="That of an error.")]]
    message: NotRequired[str]
    gists: Annotated[int, Field(ge=0, description="Searched.")]
    matches: Count


Explain = Callable[[Exception], tuple[str, str]]
"""An error's code and message, as `web.problems` has them."""


def unexplained(error: Exception) -> tuple[str, str]:
    """An error whose code is not looked up."""
    return "github_error", str(error)


def searched_data(searched: Searched) -> SearchedData:
    """How much was searched, as JSON has it."""
    return {
        "gists": searched.gists,
        "files": searched.files,
        "size_bytes": searched.size_bytes,
        "listing_age_seconds": searched.listing_age_seconds,
    }


def target_data(end: TargetEnd, explain: Explain) -> TargetData:
    """What became of a target, as JSON has it."""
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
