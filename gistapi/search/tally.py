"""Counts what was searched of each target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gistapi.errors import GistapiError
from gistapi.models import Target, TargetEnd
from gistapi.search.reorder import Outcome


@dataclass
class _Count:
    gists: int = 0
    open: int = 0
    matches: int = 0
    partial: bool = False
    error: GistapiError | None = None


class TargetTally:
    """Counts gists, matches and errors by target, for one search. Used only on the loop."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._counts = [_Count() for _ in targets]

    @property
    def is_reported(self) -> bool:
        """Whether the answer lists its targets, which it does unless the only one is a user."""
        return [target.kind for target in self._targets] != ["username"]

    @property
    def error(self) -> GistapiError | None:
        """The first target's error if no target could be listed, else None."""
        if all(count.error is not None and not count.gists for count in self._counts):
            return self._counts[0].error
        return None

    def listed(self, target: int, gists: int) -> None:
        """Count gists of a target as listed."""
        self._counts[target].open += gists

    def decided(self, target: int, outcome: Outcome | None, gists: int = 1) -> None:
        """Count gists as decided; `outcome` is None if an earlier answer decided them."""
        count = self._counts[target]
        count.open -= gists
        if outcome is not None:
            count.gists += gists
            count.matches += outcome.match is not None
            count.partial |= bool(outcome.incomplete)

    def failed(self, target: int, error: GistapiError) -> None:
        """Record that the listing of a target, or of a member of it, failed."""
        count = self._counts[target]
        count.partial = True
        count.error = count.error or error

    def ends(self) -> Iterator[TargetEnd]:
        """Yield how the search of each target ended."""
        for target, count in zip(self._targets, self._counts, strict=True):
            error = None if count.gists else count.error
            yield TargetEnd(
                target, count.gists, count.matches, count.partial or count.open > 0, error
            )
