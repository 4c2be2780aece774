"""The GitHub token of the command's user, where GISTAPI_GITHUB_TOKEN is not set.

Source: `gh help environment`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gistapi.errors import SettingsError

GITHUB = frozenset({"api.github.com", "127.0.0.1", "::1", "localhost"})
"""Hosts that get a token of github.com: GitHub, and this machine, where a test or proxy may be."""
GH_SECONDS = 5
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it was found."""

    value: str
    source: str


def find_token(api_url: str) -> Token | None:
    """The token that GitHub's other tools would use for the API at this address.

    A token of github.com is never sent to another host, for which gh's variables for GitHub
    Enterprise Server are read instead.

    Raises:
        SettingsError: a variable holds something that cannot be a token.
    """
    host = (urlsplit(api_url).hostname or "").lower()
    at_github = host in GITHUB
    names = (
        ("GH_TOKEN", "GITHUB_TOKEN")
        if at_github
        else ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
    )
    for name in names:
        value = os.environ.get(name, "").strip()
        if value:
            if not _TOKEN.fullmatch(value):
                raise SettingsError(f"{name}: should be one word of ASCII characters")
            return Token(value, name)
    return _of_gh("github.com" if at_github else host)


def _of_gh(host: str) -> Token | None:
    """The token stored by gh, if gh is installed and logged in."""
    import subprocess  # noqa: PLC0415 - usually a variable is set

    try:
        done = subprocess.run(  # noqa: S603 - fixed words and a host of the settings
            ["gh", "auth", "token", "--hostname", host],  # noqa: S607 - the user's own gh
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GH_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    value = done.stdout.strip()
    return Token(value, "gh auth token") if _TOKEN.fullmatch(value) else None
