"""The JSON of an answer is exactly that of the contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from gistapi.errors import UserNotFoundError
from gistapi.models import (
    Begin,
    End,
    FileMatch,
    Gist,
    GistFile,
    Hit,
    Incomplete,
    Match,
    Query,
    Searched,
    SearchEvent,
    Target,
    TargetEnd,
)
from gistapi.search.details import Detail, detail
from gistapi.search.report import Line, SearchAnswer, line, plain_answer

URL = "https://gist.github.com/6cad"
FILE = GistFile("status.py", None, 812, "Python", None)
GIST = Gist(
    id="6cad",
    html_url=URL,
    description="Are the sites up?",
    created_at=datetime(2014, 10, 1, 9, 30, tzinfo=UTC),
    updated_at=datetime(2014, 10, 2, 9, 30, tzinfo=UTC),
    files=(FILE,),
    truncated=False,
    git_pull_url=None,
    owner="octocat",
)
HIT = Hit(3, 1, 3, 16, "import requests", 0, 15, cut=False, before=("import os",), after=("",))
QUERY = Query("octocat", "import requests", context=1)


def details_of(*files: FileMatch, context: bool = True) -> Any:
    """The details of a gist, validated by their schema."""
    return TypeAdapter(Detail).validate_python(detail(Match(GIST, files), context=context))


def test_details_have_the_contracts_keys() -> None:
    """All keys of the contract's example, in its order."""
    found = details_of(FileMatch(FILE, (HIT,), more=False))
    match = {
        "line": 3,
        "column": 1,
        "end_line": 3,
        "end_column": 16,
        "text": "import requests",
        "start": 0,
        "end": 15,
        "cut": False,
        "before": ["import os"],
        "after": [""],
        "url": f"{URL}#file-status-py-L3",
    }
    file = {"file": "status.py", "language": "Python", "size_bytes": 812, "more": False}
    expected = {
        "gist": URL,
        "owner": "octocat",
        "description": "Are the sites up?",
        "created_at": "2014-10-01T09:30:00Z",
        "updated_at": "2014-10-02T09:30:00Z",
        "files": [{**file, "matches": [match]}],
    }
    assert json.dumps(found) == json.dumps(expected)


def test_context_lines_need_context() -> None:
    """Without `context` the keys are missing; with it they are present, even for empty lists."""
    bare = Hit(1, 1, 1, 2, "a", 0, 1, cut=False)
    (without,) = details_of(FileMatch(FILE, (bare,)), context=False)["files"][0]["matches"]
    (having,) = details_of(FileMatch(FILE, (bare,)))["files"][0]["matches"]
    assert not {"before", "after"} & set(without)
    assert (having["before"], having["after"]) == ([], [])


@pytest.mark.parametrize(
    ("hit", "anchor"),
    [
        (Hit(3, 2, 3, 2, "", 0, 0, cut=False), "L3"),
        (Hit(3, 2, 5, 4, "", 0, 0, cut=False), "L3-L5"),
        (Hit(3, 2, 5, 1, "", 0, 0, cut=False), "L3-L4"),
        (Hit(3, 2, 4, 1, "", 0, 0, cut=False), "L3"),
        (Hit(3, 1, 3, 1, "", 0, 0, cut=False), "L3"),
    ],
)
def test_urls_lead_to_the_lines(hit: Hit, anchor: str) -> None:
    """The URL names all lines of a match, but not the line after a final newline."""
    (match,) = details_of(FileMatch(FILE, (hit,)))["files"][0]["matches"]
    assert match["url"] == f"{URL}#file-status-py-{anchor}"


def test_matches_in_names_and_descriptions_are_labelled() -> None:
    """The URLs are those of the file and of the gist; a description belongs to no file."""
    hit = Hit(1, 1, 1, 4, "sta", 0, 3, cut=False)
    name = FileMatch(FILE, (hit,), more=False, found_in="name")
    description = FileMatch(None, (hit,), more=True, found_in="description")
    first, second = details_of(description, name)["files"]
    assert (first["in"], first["file"], first["more"]) == ("description", None, True)
    assert first["matches"][0]["url"] == URL
    assert (second["in"], second["file"]) == ("name", "status.py")
    assert second["matches"][0]["url"] == f"{URL}#file-status-py"


def test_a_plain_answer_has_only_requested_keys() -> None:
    """A complete answer has four keys; matches are in the order of the listing."""
    other = Gist(**{**_fields(GIST), "html_url": f"{URL}2"})
    events: list[SearchEvent] = [
        Begin(),
        Match(other, (FileMatch(FILE, (HIT,)),), number=1),
        Match(GIST, (FileMatch(FILE, (HIT,)),), number=0),
        End(
            partial=False, matches=2, next=None, elapsed_seconds=1.0, searched=Searched(2, 3, 4, 5)
        ),
    ]
    answer = plain_answer(QUERY, events, details=False)
    assert list(answer.items()) == [
        ("status", "success"),
        ("username", "octocat"),
        ("pattern", "import requests"),
        ("matches", [URL, f"{URL}2"]),
    ]
    answer = plain_answer(QUERY, events, details=True)
    assert [entry["gist"] for entry in answer["details"]] == [URL, f"{URL}2"]
    assert answer["searched"] == {
        "gists": 2,
        "files": 3,
        "size_bytes": 4,
        "listing_age_seconds": 5,
    }


def test_targets_report_each_target() -> None:
    """A plain answer lists targets, a stream has their lines; `username` is echoed only if sent."""
    query = Query(None, "x", usernames=("a", "b"), mine=True)
    events: list[SearchEvent] = [
        TargetEnd(Target("username", "a"), 3, 1),
        TargetEnd(Target("username", "b"), 0, 0, error=UserNotFoundError("no such user")),
        TargetEnd(Target("mine"), 2, 0, partial=True),
        Incomplete(None, None, "deadline", "late"),
        End(partial=True, matches=1, next="more", elapsed_seconds=1.0),
    ]

    def explain(error: Exception) -> tuple[str, str]:
        return "user_not_found", str(error)

    answer = plain_answer(query, events, details=False, explain=explain)
    TypeAdapter(SearchAnswer).validate_python(answer)
    assert answer["targets"] == [
        {"username": "a", "status": "success", "gists": 3, "matches": 1},
        {
            "username": "b",
            "status": "error",
            "gists": 0,
            "matches": 0,
            "code": "user_not_found",
            "message": "no such user",
        },
        {"mine": True, "status": "partial", "gists": 2, "matches": 0},
    ]
    assert "username" not in answer
    lines = [line(query, event, explain) for event in [Begin(), *events]]
    for each in lines:
        TypeAdapter(Line).validate_python(each)
    assert [each["type"] for each in lines] == ["begin", *["target"] * 3, "incomplete", "end"]
    assert "username" not in lines[0]["data"]


def _fields(gist: Gist) -> dict[str, Any]:
    return {name: getattr(gist, name) for name in gist.__slots__}
