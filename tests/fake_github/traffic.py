"""An origin's network conditions, and counts of its traffic."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from tests.fake_github.message import OriginName

_PIECE_BYTES = 16384
_PIECES_PER_SECOND = 20
_CREDIT_SECONDS = 0.05
_SHORTEST_SECONDS = 0.001
"""The event loop's timers count in whole milliseconds, rounded up."""


class Pace:
    """Spreads bytes over time; several answers can share one pace."""

    def __init__(self, bytes_per_second: float) -> None:
        self.bytes_per_second = bytes_per_second
        self.piece_bytes = max(1, min(_PIECE_BYTES, int(bytes_per_second / _PIECES_PER_SECOND)))
        self._free_at = time.monotonic()

    async def take(self, size: int) -> None:
        """Wait until this number of bytes may be sent."""
        now = time.monotonic()
        # a late timer is made up for, so that the average rate is right
        self._free_at = max(self._free_at, now - _CREDIT_SECONDS) + size / self.bytes_per_second
        wait = self._free_at - now
        # smaller waits are added to the next one, but other tasks get to run
        await asyncio.sleep(wait if wait >= _SHORTEST_SECONDS else 0)


@dataclass(slots=True)
class Traffic:
    """One origin's network conditions, and counts of its traffic.

    `bytes_per_second` applies to each answer, `shared_pace` to all of the origin's together.
    A request's `sent_bytes` are counted when it ends, complete or not.
    """

    name: OriginName
    latency_seconds: float = 0
    bytes_per_second: float | None = None
    shared_pace: Pace | None = None
    requests: int = 0
    sent_bytes: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    connections: int = 0

    def begin(self) -> None:
        """Count a request that has arrived."""
        self.requests += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def end(self, sent_bytes: int) -> None:
        """Count a request that has ended."""
        self.in_flight -= 1
        self.sent_bytes += sent_bytes

    def counts(self) -> dict[str, int]:
        """The counts, for other processes."""
        return {
            "requests": self.requests,
            "sent_bytes": self.sent_bytes,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "connections": self.connections,
        }

    def forget(self) -> None:
        """Reset the counts to zero."""
        self.requests = self.sent_bytes = self.connections = 0
        self.peak_in_flight = self.in_flight
