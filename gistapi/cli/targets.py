"""Where to search, as people write it: logins, `@octocat`, addresses of profiles and gists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import click

from gistapi.models import USERNAME, Target

_HEX_ID = r"[0-9a-f]{20}|[0-9a-f]{32}"
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
    from gistapi.search.gist_ids import gist_id  # noqa: PLC0415 - --help needs no search

    try:
        return gist_id(word)
    except ValueError as error:
        raise click.UsageError(f"{word}: {error}") from None


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
    """Whether a path on the gists' host is a gist's: USER/ID, or an ID that cannot be a login."""
    return len(path) > 1 or re.fullmatch(_HEX_ID, path[0].removesuffix(".git")) is not None


def _login(word: str) -> str:
    name = word.removeprefix("@")
    if not re.fullmatch(USERNAME, name):
        raise click.UsageError(
            f"{word!r} is not a GitHub login: it has 1 to 39 letters, digits, - and _."
        )
    return name
