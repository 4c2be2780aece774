"""How an origin's network is, and counts of what passed over it."""

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
    """Spreads bytes over time; several users of one pace share it."""

    def __init__(self, bytes_per_second: float) -> None:
        self.bytes_per_second = bytes_per_second
        self.piece_bytes = max(1, min(_PIECE_BYTES, int(bytes_per_second / _PIECES_PER_SECOND)))
        self._free_at = time.monotonic()

    async def take(self, size: int) -> None:
        """Wait until so many bytes have had their time."""
        now = time.monotonic()
        # what a late timer cost is made up for, so that the rate is the one that was asked for
        self._free_at = max(self._free_at, now - _CREDIT_SECONDS) + size / self.bytes_per_second
        wait = self._free_at - now
        # less is waited for with the next bytes, but others get their turn
        await asyncio.sleep(wait if wait >= _SHORTEST_SECONDS else 0)


@dataclass(slots=True)
class Traffic:
    """One origin: how its network is, and counts of what passed.

    `bytes_per_second` holds for each answer, `shared_pace` for all of the origin's together.
    A request's `sent_bytes` are counted when it ends, whether or not it was answered in full.
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
        """A request has come."""
        self.requests += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def end(self, sent_bytes: int) -> None:
        """A request has ended."""
        self.in_flight -= 1
        self.sent_bytes += sent_bytes

    def counts(self) -> dict[str, int]:
        """What passed, for those who read it from outside."""
        return {
            "requests": self.requests,
            "sent_bytes": self.sent_bytes,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "connections": self.connections,
        }

    def forget(self) -> None:
        """Set the counts back to zero."""
        self.requests = self.sent_bytes = self.connections = 0
        self.peak_in_flight = self.in_flight
