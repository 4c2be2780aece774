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
    known = _known()
    unknown = [name for name in names if name.lower() not in known]
    for name in unknown[:MAX_COMPARED]:
        near = get_close_matches(name.lower(), known, n=1, cutoff=_SIMILAR)
        if near:
            return name, known[near[0]]
    return None


@cache
def _known() -> dict[str, str]:
    """Return the known names by their lower-case forms."""
    text = (files("gistapi.search") / "languages.txt").read_text("utf-8")
    return {name.lower(): name for name in text.splitlines()}
