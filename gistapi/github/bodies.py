"""Bodies of JSON, read whole and parsed in a thread: so many at once that they fit into memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from gistapi.aio.executors import Threads
from gistapi.aio.limiter import FairLimiter, Lane
from gistapi.errors import GithubError
from gistapi.github.long_strings import ShortStrings
from gistapi.github.response import Response

T = TypeVar("T")

AT_ONCE = 32
"""Bodies in memory at the same time, until they are parsed: up to SMALL_BYTES each, or large."""
SMALL_BYTES = 2**20
LARGE_AT_ONCE = 2
"""Bodies over SMALL_BYTES that are in memory at the same time."""
MAX_BYTES = 16 * 2**20
"""A list of gists of 300 files with the longest names takes 5 MB."""


class Bodies:
    """The memory and the thread for the bodies of all searches.

    `places` has room for every body, `large` for those over SMALL_BYTES.
    """

    def __init__(self) -> None:
        self.threads = Threads(1, "gistapi-json")
        self.places = FairLimiter(AT_ONCE)
        self.large = asyncio.Semaphore(LARGE_AT_ONCE)

    def close(self) -> None:
        """End the thread; what it is at is finished."""
        self.threads.close()

    @asynccontextmanager
    async def body(self, lane: Lane) -> AsyncIterator[JsonBody]:
        """A body that is still to be read, for the search that has `lane`."""
        async with AsyncExitStack() as turns:
            yield JsonBody(self, lane, turns)


class JsonBody:
    """One answer's body: `read` while the answer is open, `parse` when it is not needed any more.

    So nobody waits for the parsing of others with a connection in hand.
    """

    def __init__(self, bodies: Bodies, lane: Lane, turns: AsyncExitStack) -> None:
        self._bodies = bodies
        self._lane = lane
        self._turns = turns
        self._read = bytearray()

    async def read(
        self,
        response: Response,
        *,
        strings: ShortStrings | None = None,
        too_large: GithubError | None = None,
    ) -> None:
        """Read the body, without the strings that are too long for `strings`.

        Raises `too_large` if it exceeds SMALL_BYTES, without one GithubError beyond MAX_BYTES.
        """
        await self._turns.enter_async_context(self._bodies.places.beside(self._lane).place())
        is_large = False
        async for chunk in response.chunks():
            self._read += chunk if strings is None else strings.feed(chunk)
            if len(self._read) > SMALL_BYTES and not is_large:
                if too_large is not None:
                    raise too_large
                is_large = True
                await self._turns.enter_async_context(self._bodies.large)
            if len(self._read) > MAX_BYTES:
                raise GithubError(f"GitHub answered more than {MAX_BYTES} bytes.")

    async def parse(self, parse: Callable[[bytes], T]) -> T:
        """What `parse` makes of the body, in the thread."""
        return await self._bodies.threads.run(self._lane, lambda: parse(bytes(self._read)))
