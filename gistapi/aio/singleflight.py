"""One load shared by concurrent callers that need the same thing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """At most one load for each key at a time. For the loop alone."""

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[T | None]] = {}

    async def fetch(self, key: str, load: Callable[[], Awaitable[T]]) -> T:
        """The result of `load`, or of another caller's load of the same key.

        When the caller that loads fails or is cancelled, one of the others loads again; only
        that caller gets its error. `load` must not return None.
        """
        while (flight := self._flights.get(key)) is not None:
            if (result := await asyncio.shield(flight)) is not None:
                return result
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        result = None
        try:
            result = await load()
        finally:
            del self._flights[key]
            flight.set_result(result)
        return result
