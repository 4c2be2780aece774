"""A listing's gists in one order: each once, newest created first, with later changes put in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
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
        return tuple(placed for gist in gists for placed in self._place(gist))

    def rest(self) -> tuple[Gist, ...]:
        """The changed gists that belong after the end of the list."""
        left = list(self._changed.values())
        self._changed.clear()
        return tuple(placed for gist in left for placed in self._emit(gist))

    def _place(self, gist: Gist) -> Iterator[Gist]:
        if gist.id in self._seen:
            return
        newer = [new for new in self._changed.values() if new.created_at > gist.created_at]
        for new in newer:
            del self._changed[new.id]
            yield from self._emit(new)
        changed = self._changed.pop(gist.id, gist)
        yield from self._emit(max(gist, changed, key=lambda state: state.updated_at))

    def _emit(self, gist: Gist) -> Iterator[Gist]:
        if gist.id in self._seen:
            return
        self._seen.add(gist.id)
        if self._latest is not None and gist.created_at > self._latest:
            gist = replace(gist, created_at=self._latest)
        self._latest = gist.created_at
        yield gist
