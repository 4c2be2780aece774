"""The search that a request to GitHub belongs to: its places, deadline, usage and token."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol

from gistapi.aio.limiter import Lane
from gistapi.errors import CancelledError


class UsageMeter(Protocol):
    """Per-caller metering of requests to GitHub and of bytes read. Called on the loop."""

    def spend_request(self) -> None:
        """Count a request that is about to be sent.

        Raises RateLimitedError or ByteQuotaError if it must not be sent.
        """

    def spend_bytes(self, size_bytes: int) -> None:
        """Count decoded bytes that arrived. Raises ByteQuotaError at the end of the quota."""


class Unmetered:
    """A meter without limits."""

    def spend_request(self) -> None:
        """Count nothing."""

    def spend_bytes(self, size_bytes: int) -> None:
        """Count nothing."""


UNMETERED = Unmetered()


@dataclass(frozen=True, slots=True)
class Scope:
    """One search, as the GitHub client sees it.

    `lane` is its share of the concurrent requests; `ends_at` its deadline in `loop.time()`
    seconds, so that a wait that would be longer fails at once; `meter` counts its use;
    `caller_token` is the caller's own GitHub token, None for the service's.
    """

    lane: Lane
    ends_at: float
    meter: UsageMeter = UNMETERED
    caller_token: str | None = field(default=None, repr=False)


class CancelSwitch:
    """Tells threads of an executor that their work is no longer needed."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make every later `check` raise."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise CancelledError once cancelled."""
        if self._cancelled.is_set():
            raise CancelledError("The search has ended.")
