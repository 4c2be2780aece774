"""How long a stored list is used before GitHub is asked again."""

from __future__ import annotations

from dataclasses import dataclass

from gistapi.github.api import ANONYMOUS_LIMIT, Budget

LONGEST_SECONDS = 600.0
LONGEST_DELETIONS_SECONDS = 1800.0
STRETCHED_AT = 1 / 3
"""The part of the budget that is used when trust is stretched to its longest."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How old what is known of additions and edits, and of deletions, may be unasked."""

    seconds: float
    deletions_seconds: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a list may be.

    For `ttl_seconds` it is trusted. Then additions and edits are asked for, and every
    `reconcile_seconds` deletions too, by the ETag of each page. When GitHub cannot be asked, a list
    of up to `stale_if_error_seconds` is used (RFC 5861).
    """

    ttl_seconds: float
    stale_if_error_seconds: float = 0.0
    reconcile_seconds: float = 600.0

    def trust(self, budget: Budget | None) -> Trust:
        """How long to trust a list while this much of the budget is left.

        Without a token, where a 304 counts as well, trust stretches as the budget shrinks: to ten
        minutes, and to half an hour for deletions. A time of 0 stays 0: nothing is trusted.
        """
        stretch = 0.0
        if budget is not None and 0 < budget.limit <= ANONYMOUS_LIMIT:
            used = 1 - min(budget.remaining, budget.limit) / budget.limit
            stretch = min(1.0, used / STRETCHED_AT)
        return Trust(
            _between(self.ttl_seconds, LONGEST_SECONDS, stretch),
            _between(self.reconcile_seconds, LONGEST_DELETIONS_SECONDS, stretch),
        )


def _between(shortest: float, longest: float, stretch: float) -> float:
    return shortest + max(0.0, longest - shortest) * stretch if shortest > 0 else 0.0
