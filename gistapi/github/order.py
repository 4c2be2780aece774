"""A listing's gists in one order: each once, newest created first, with later changes put in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from gistapi.models import Gist


class Order:
    """Puts gists in order as they come.

    No `created_at` is later than the one before it, also where GitHub's is missing or out of
    place. `changed` are gists as they are now, newest created first: each takes the place of an
    older state, or of its time of creation. `hidden` are the ids of gists that are not shown.
    """

    def __init__(self, changed: Iterable[Gist] = (), hidden: Collection[str] = ()) -> None:
        self._changed = {gist.id: gist for gist in changed}
        self._seen = set(hidden) - self._changed.keys()
        self._latest: datetime | None = None

    def take(self, gists: Iterable[Gist]) -> tuple[Gist, ...]:
        """The next gists of the list, without those that came before."""
        placed: list[Gist] = []
        if not self._changed:  # as a rule
            self._put(gists, placed)
            return tuple(placed)
        for gist in gists:
            if self._changed and gist.id not in self._seen:
                self._put(self._newer(gist), placed)
                changed = self._changed.pop(gist.id, gist)
                self._put([max(gist, changed, key=lambda state: state.updated_at)], placed)
            else:
                self._put([gist], placed)
        return tuple(placed)

    def rest(self) -> tuple[Gist, ...]:
        """The changed gists that belong after the end of the list."""
        placed: list[Gist] = []
        self._put(self._changed.values(), placed)
        self._changed.clear()
        return tuple(placed)

    def _newer(self, gist: Gist) -> list[Gist]:
        """The changed gists that were created after this one; they do not change any more."""
        newer = [new for new in self._changed.values() if new.created_at > gist.created_at]
        for new in newer:
            del self._changed[new.id]
        return newer

    def _put(self, gists: Iterable[Gist], placed: list[Gist]) -> None:
        """Append those that did not come before, with times that fall."""
        for gist in gists:
            if gist.id in self._seen:
                continue
            self._seen.add(gist.id)
            if self._latest is None or gist.created_at <= self._latest:
                placed.append(gist)
            else:
                placed.append(replace(gist, created_at=self._latest))
            self._latest = placed[-1].created_at
