"""What a search wants of each text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which matches a search wants of each text.

    `max_count`: at most so many, None for the first one alone. `context`: lines before and after
    each. With `more`, or a `max_count`, it wants to know whether there are further ones.
    """

    max_count: int | None = None
    context: int = 0
    more: bool = False

    @property
    def spans(self) -> int:
        """How many matches have to be found."""
        if self.max_count is None:
            return 1 + self.more
        return self.max_count + 1
