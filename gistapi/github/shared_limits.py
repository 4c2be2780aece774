"""Shares the waits that GitHub's hosts ask for with other instances."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gistapi.github.host_limits import Host

READ_SECONDS = 1.0
"""How long waits that were read from the store are used before they are read again."""


class Waits(Protocol):
    """A store of waits that instances share. Called from a thread; raises nothing."""

    def put(self, key: str, seconds: float) -> None:
        """Store a wait, unless a longer one is stored."""

    def get(self, keys: Sequence[str]) -> list[float]:
        """Return the remaining seconds of each wait, 0 without one."""


class SharedLimits:
    """Exchanges hosts' waits with the other instances. Used only on the loop."""

    def __init__(self, waits: Waits, token: str | None) -> None:
        self._waits = waits
        self._token_digest = hashlib.sha256((token or "").encode()).hexdigest()[:16]
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="gistapi-limits")
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._known: set[Host] = set()
        self._tasks: set[asyncio.Future[None]] = set()

    async def learn(self, hosts: tuple[Host, ...]) -> None:
        """Apply the waits of the other instances; reads them at most once in READ_SECONDS."""
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
        """Store a wait for the other instances, in the background."""
        loop = asyncio.get_running_loop()
        task = loop.run_in_executor(self._executor, self._waits.put, self._key(host), seconds)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _key(self, host: Host) -> str:
        """Return the store's key for a host; limits of the API are per token."""
        of_token = host.resource in {"api", "graphql"}
        return f"{host.name}:{host.resource}" + (f":{self._token_digest}" if of_token else "")

    def close(self) -> None:
        """Stop the thread."""
        self._executor.shutdown(wait=False)
