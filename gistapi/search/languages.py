"""Recognises misspelt names of languages.

languages.txt has the names in https://github.com/github-linguist/linguist 9.5, one per line. GitHub
adds languages, so an unknown name that resembles no known one is not misspelt.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

MAX_COMPARED = 5
"""Unknown names of a request that are compared with the known ones; each takes 3 ms."""
_SIMILAR = 0.75


def first_misspelt(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first misspelt name and the language that it probably means; None without one.

    Only the first MAX_COMPARED unknown names are examined.
    """
    unknown = [name for name in names if name.lower() not in _known()]
    for name in unknown[:MAX_COMPARED]:
        meant = misspelt(name)
        if meant is not None:
            return name, meant
    return None


def misspelt(name: str) -> str | None:
    """Return the language that a misspelt name probably means; None if it is not misspelt."""
    known = _known()
    lower = name.lower()
    if lower in known:
        return None
    near = get_close_matches(lower, known, n=1, cutoff=_SIMILAR)
    return known[near[0]] if near else None


@cache
def _known() -> dict[str, str]:
    """Return the known names by their lower-case forms."""
    text = (files("gistapi.search") / "languages.txt").read_text("utf-8")
    return {name.lower(): name for name in text.splitlines()}
