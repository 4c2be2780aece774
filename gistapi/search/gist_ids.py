"""The ID in any form of a gist's address that GitHub shows."""

from __future__ import annotations

import re

MAX_ADDRESS_CHARACTERS = 500

_ID = re.compile(r"[0-9]{1,10}|[0-9a-f]{20}|[0-9a-f]{32}", re.IGNORECASE)
_REMOTE = re.compile(r"(https?://|git://|ssh://)?(git@)?(?P<host>[A-Za-z0-9.-]+)(:[0-9]+)?[/:]")


def gist_id(text: str) -> str:
    """The ID, in lower case, of a gist named by its ID or by an address.

    An address is that of the page, with or without user, revision, query and fragment, or that
    of the git repository. Raises ValueError with a message for people.
    """
    text = text.strip()
    if _ID.fullmatch(text):
        return text.lower()
    if len(text) <= MAX_ADDRESS_CHARACTERS and (remote := _REMOTE.match(text)):
        path = re.split(r"[?#]", text[remote.end() :], maxsplit=1)[0]
        parts = [part.removesuffix(".git") for part in path.split("/") if part]
        if parts[:1] == ["gist"]:  # on Enterprise Server gists are a folder of the host
            parts = parts[1:]
        # USER/ID comes first: a user's name may look like an ID, a revision never does.
        for part in (*parts[1:2], *parts[:1]):
            if "gist" in text and _ID.fullmatch(part):
                return part.lower()
    raise ValueError(
        "A gist is named by its ID or its address, such as https://gist.github.com/octocat/ID."
    )
