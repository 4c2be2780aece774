"""Shares with other instances the waits that GitHub's hosts ask for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gistapi.github.host_limits import Host

READ_SECONDS = 1.0
"""How long the waits of other instances are used before they are read again."""


class Waits(Protocol):
    """A store of waits, shared by instances. Called from a thread; raises nothing."""

    def put(self, key: str, seconds: float) -> None:
        """Remember a wait, unless a longer one is known."""

    def get(self, keys: Sequence[str]) -> list[float]:
        """Return the seconds that are left of each wait."""


class SharedLimits:
    """Keeps hosts' waits in step with the other instances. For the loop alone."""

    def __init__(self, waits: Waits, token: str | None) -> None:
        self._waits = waits
        self._token_digest = hashlib.sha256((token or "").encode()).hexdigest()[:16]
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="gistapi-limits")
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._known: set[Host] = set()
        self._tasks: set[asyncio.Future[None]] = set()

    async def learn(self, hosts: tuple[Host, ...]) -> None:
        """Learn the waits of the other instances, at most once in READ_SECONDS for each host."""
        loop = asyncio.get_running_loop()
        if self._reading is None:
            is_known = self._known.issuperset(hosts)
            if is_known and loop.time() < self._read_at + READ_SECONDS:
                return
            self._reading = loop.create_task(self._learn(hosts), name="limits")
        await asyncio.shield(self._reading)

    async def _learn(self, hosts: tuple[Host, ...]) -> None:
        loop = asyncio.get_running_loop()
        try:
            keys = [self._key(host) for host in hosts]
            found = await loop.run_in_executor(self._executor, self._waits.get, keys)
            for host, seconds in zip(hosts, found, strict=True):
                if seconds > 0:
                    host.leave_alone(seconds)
            self._known, self._read_at = set(hosts), loop.time()
        finally:
            self._reading = None

    def share(self, host: Host, seconds: float) -> None:
        """Share a wait with the other instances, in the background."""
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._executor, self._waits.put, self._key(host), seconds)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _key(self, host: Host) -> str:
        """The store's key for a host: the API's limits belong to a token."""
        of_token = host.resource in {"api", "graphql"}
        return f"{host.name}:{host.resource}" + (f":{self._token_digest}" if of_token else "")

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(wait=False)
