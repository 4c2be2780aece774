"""GitHub's names of languages, to find misspelt ones.

languages.txt has the names of https://github.com/github-linguist/linguist 9.5, one a line. GitHub
adds names, so one that is not there and like no other is not an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

MAX_COMPARED = 5
"""Unknown names of one request that are compared with the known ones: each takes 3 ms."""
_SIMILAR = 0.75


def first_misspelt(names: Iterable[str]) -> tuple[str, str] | None:
    """The first name that is misspelt, and the language that is probably meant.

    Only the first MAX_COMPARED unknown names are compared.
    """
    unknown = [name for name in names if name.lower() not in _known()]
    for name in unknown[:MAX_COMPARED]:
        meant = misspelt(name)
        if meant is not None:
            return name, meant
    return None


def misspelt(name: str) -> str | None:
    """The language that `name` is probably meant to be; None if it is known or like no other."""
    known = _known()
    lower = name.lower()
    if lower in known:
        return None
    near = get_close_matches(lower, known, n=1, cutoff=_SIMILAR)
    return known[near[0]] if near else None


@cache
def _known() -> dict[str, str]:
    """Each name by its lower-case form."""
    text = (files("gistapi.search") / "languages.txt").read_text("utf-8")
    return {name.lower(): name for name in text.splitlines()}
