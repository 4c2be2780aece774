"""Orders the gists of a listing: each once, newest created first, with later changes merged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from gistapi.models import Gist


class Order:
    """Orders the gists of a listing as they arrive.

    `created_at` never rises from one gist to the next: a time that GitHub leaves out or that is out
    of order is replaced. `changed` are the current states of gists, newest created first: each
    replaces an older state, or is inserted by its time of creation. `hidden` are the IDs of gists
    to leave out.
    """

    def __init__(self, changed: Iterable[Gist] = (), hidden: Collection[str] = ()) -> None:
        self._changed = {gist.id: gist for gist in changed}
        self._seen = set(hidden) - self._changed.keys()
        self._latest: datetime | None = None

    def take(self, gists: Sequence[Gist]) -> tuple[Gist, ...]:
        """Return the next gists of the listing, ordered, without those already returned."""
        placed: list[Gist] = []
        if not self._changed:  # as a rule
            if self._follow(gists):
                return tuple(gists)
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

    def _follow(self, gists: Sequence[Gist]) -> bool:
        """Whether all of these gists come next, as they are; then the last of them is the last."""
        ids = [gist.id for gist in gists]
        times = [gist.created_at for gist in gists]
        in_order = not times or self._latest is None or times[0] <= self._latest
        in_order = in_order and times == sorted(times, reverse=True)
        if not in_order or len(set(ids)) < len(ids) or not self._seen.isdisjoint(ids):
            return False
        self._seen.update(ids)
        self._latest = times[-1] if times else self._latest
        return True

    def rest(self) -> tuple[Gist, ...]:
        """Return the changed gists that belong after the end of the listing."""
        placed: list[Gist] = []
        self._put(self._changed.values(), placed)
        self._changed.clear()
        return tuple(placed)

    def _newer(self, gist: Gist) -> list[Gist]:
        """Remove and return the changed gists that were created after this one."""
        newer = [new for new in self._changed.values() if new.created_at > gist.created_at]
        for new in newer:
            del self._changed[new.id]
        return newer

    def _put(self, gists: Iterable[Gist], placed: list[Gist]) -> None:
        """Append the gists that are not in the listing yet, with times that never rise."""
        for gist in gists:
            if gist.id in self._seen:
                continue
            self._seen.add(gist.id)
            if self._latest is None or gist.created_at <= self._latest:
                placed.append(gist)
            else:
                placed.append(replace(gist, created_at=self._latest))
            self._latest = placed[-1].created_at
