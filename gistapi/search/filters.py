"""Which gists and files a query leaves to be searched."""

from __future__ import annotations

import re
from fnmatch import translate

from gistapi.errors import InvalidGlobError
from gistapi.models import Gist, GistFile, Query

BRACES = re.compile(r"\{([^{}]*)\}")
MAX_ALTERNATIVES = 100


class Filter:
    """A query's `files`, `languages`, `updated_since`, `updated_until`; any of them may be empty.

    Globs are read as ripgrep's `-g` does: one with a leading `!` excludes, the last one that fits
    decides, and a name that none fits is searched only if no glob includes. Raises ValueError for
    a glob with more than MAX_ALTERNATIVES.
    """

    def __init__(self, query: Query) -> None:
        self._since = query.updated_since
        self._until = query.updated_until
        self._languages = frozenset(language.lower() for language in query.languages)
        self._globs = [(not glob.startswith("!"), _compile(glob)) for glob in query.files]
        self._unless_told = not any(includes for includes, _ in self._globs)

    @property
    def by_language(self) -> bool:
        """Whether a file's language matters."""
        return bool(self._languages)

    def wants(self, gist: Gist) -> bool:
        """Whether the gist was updated in the span asked for, both ends included."""
        if self._since is not None and gist.updated_at < self._since:
            return False
        return self._until is None or gist.updated_at <= self._until

    def wants_file(self, file: GistFile) -> bool:
        """Whether a file's name and language are asked for."""
        return self.wants_name(file.name) and self.wants_language(file.language)

    def wants_language(self, language: str | None) -> bool:
        """Whether this language is asked for; no language is one only when all are."""
        return not self._languages or (language or "").lower() in self._languages

    def wants_name(self, name: str) -> bool:
        """Whether the globs leave this name."""
        for includes, glob in reversed(self._globs):
            if glob.fullmatch(name):
                return includes
        return self._unless_told


def _compile(glob: str) -> re.Pattern[str]:
    names = _alternatives(glob.removeprefix("!").removeprefix("/"))
    return re.compile("|".join(f"(?:{translate(_as_fnmatch(name))})" for name in names))


def _alternatives(glob: str) -> list[str]:
    """`a.{c,h}` as `a.c` and `a.h`, innermost braces first."""
    done: list[str] = []
    todo = [glob]
    while todo:
        name = todo.pop()
        braces = BRACES.search(name)
        if braces is None:
            done.append(name)
        else:
            before, after = name[: braces.start()], name[braces.end() :]
            todo += [before + option + after for option in braces[1].split(",")]
        if len(done) + len(todo) > MAX_ALTERNATIVES:
            raise InvalidGlobError(f"A glob has at most {MAX_ALTERNATIVES} alternatives.")
    return done


def _as_fnmatch(glob: str) -> str:
    """Write `[^a]` and an escaped star as fnmatch does."""
    return re.sub(r"\\(.)", r"[\1]", glob.replace("[^", "[!"), flags=re.DOTALL)
