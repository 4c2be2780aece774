"""Where to search, as people write it: logins, `@octocat`, addresses of profiles and gists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import click

from gistapi.models import USERNAME, Target

_HEX_ID = r"[0-9a-f]{20}|[0-9a-f]{32}"
GIST_ID = rf"{_HEX_ID}|[0-9]{{5,8}}"
_GIST_HOST = "gist."


def target(word: str) -> Target:
    """The user, or the gist, that a word or address names.

    Raises:
        click.UsageError: it names neither.
    """
    parts = _path(word)
    if parts is None:
        return Target("username", _login(word))
    host, path = parts
    if host.startswith(_GIST_HOST) and path and _is_gist(path):
        return Target("gist", gist(word))
    if not path:
        raise click.UsageError(f"{word} names no user and no gist.")
    return Target("username", _login(path[0]))


def gist(word: str) -> str:
    """The id of the gist that a word or address names.

    Raises:
        click.UsageError: it names none.
    """
    parts = _path(word)
    path = [word] if parts is None else parts[1]
    if path and path[0] == "gist" and parts and not parts[0].startswith(_GIST_HOST):
        path = path[1:]  # GitHub Enterprise Server: HOST/gist/USER/ID
    for name in path[:2]:
        found = re.fullmatch(rf"({GIST_ID})(\.git)?", name, re.IGNORECASE)
        if found:
            return found[1].lower()
    raise click.UsageError(f"{word} is not the id or address of a gist.")


def from_lines(lines: Iterable[str]) -> list[str]:
    """The words of standard input or a file: one a line, without comments and empty lines."""
    words = (line.strip() for line in lines)
    return [word for word in words if word and not word.startswith("#")]


def _path(word: str) -> tuple[str, list[str]] | None:
    """Host and path of an address; None for a bare word."""
    if "/" not in word:
        return None
    try:
        address = urlsplit(word if "://" in word else f"https://{word}")
    except ValueError:
        raise click.UsageError(f"{word} is not an address.") from None
    return address.netloc.lower(), [part for part in address.path.split("/") if part]


def _is_gist(path: list[str]) -> bool:
    # A login may look like the old ids of digits: only an owner before it makes sure.
    ids = GIST_ID if len(path) > 1 else _HEX_ID
    return re.fullmatch(rf"({ids})(\.git)?", path[:2][-1], re.IGNORECASE) is not None


def _login(word: str) -> str:
    name = word.removeprefix("@")
    if not re.fullmatch(USERNAME, name):
        raise click.UsageError(
            f"{word!r} is not a GitHub login: it has 1 to 39 letters, digits, - and _."
        )
    return name
