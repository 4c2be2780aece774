"""Finds the ID of a gist in any form of its address."""

from __future__ import annotations

import re

MAX_ADDRESS_CHARACTERS = 500

_ID = re.compile(r"[0-9]{1,10}|[0-9a-f]{20}|[0-9a-f]{32}", re.IGNORECASE)
_REMOTE = re.compile(r"(https?://|git://|ssh://)?(git@)?(?P<host>[A-Za-z0-9.-]+)(:[0-9]+)?[/:]")


def gist_id(text: str) -> str:
    """Return the ID, in lower case, of a gist that is given by its ID or its address.

    An address is that of the gist's page, with or without user, revision, query and fragment, or
    of its git repository. Raises ValueError with a message for the caller.
    """
    text = text.strip()
    if _ID.fullmatch(text):
        return text.lower()
    if len(text) <= MAX_ADDRESS_CHARACTERS and (remote := _REMOTE.match(text)):
        path = re.split(r"[?#]", text[remote.end() :], maxsplit=1)[0]
        parts = [part.removesuffix(".git") for part in path.split("/") if part]
        if parts[:1] == ["gist"]:  # Enterprise Server has gists at /gist
            parts = parts[1:]
        # USER/ID is tried before ID: a user name may look like an ID, a revision cannot.
        for part in (*parts[1:2], *parts[:1]):
            if "gist" in text and _ID.fullmatch(part):
                return part.lower()
    raise ValueError(
        "A gist is named by its ID or its address, such as https://gist.github.com/octocat/ID."
    )
