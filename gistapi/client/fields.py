"""The fields of a request."""

from __future__ import annotations

from typing import TypedDict


class Fields(TypedDict, total=False):
    """The fields of a request; docs/api.md says what each means."""

    username: str
    usernames: list[str]
    organization: str
    gists: list[str]
    mine: bool
    starred: bool
    pattern: str
    ignore_case: bool
    multiline: bool
    dotall: bool
    fixed_string: bool
    word: bool
    files: list[str]
    languages: list[str]
    updated_since: str
    updated_until: str
    names: bool
    max_count: int
    context: int
    limit: int
    cursor: str
