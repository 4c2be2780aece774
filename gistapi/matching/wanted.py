"""The number of matches and of lines around them that a search wants of each text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which matches a search wants of each text.

    `max_count` is the maximum number of matches, None for the first one alone. `context` is the
    number of lines before and after each. With `more`, or a `max_count`, the search also learns
    whether there are further matches.
    """

    max_count: int | None = None
    context: int = 0
    more: bool = False

    @property
    def spans(self) -> int:
        """The number of matches that have to be found."""
        if self.max_count is None:
            return 1 + self.more
        return self.max_count + 1
