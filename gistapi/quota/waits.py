"""Waits that hosts asked for, shared by instances on one Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gistapi.cache.contract import StoreError
from gistapi.events import CacheFailed, Observer

if TYPE_CHECKING:
    from gistapi.cache.redis import RedisServer


class SharedWaits:
    """Records until when no requests are sent to hosts. Thread-safe; raises nothing.

    While Redis does not answer, each instance uses its own memory.
    """

    def __init__(self, server: RedisServer, observe: Observer) -> None:
        self._server = server
        self._observe = observe

    def put(self, key: str, seconds: float) -> None:
        """Record a wait, unless a longer one is known."""
        server = self._server
        if not server.writing.allows():
            return
        try:
            with server.asked(server.writing):
                milliseconds = max(1, int(seconds * 1000))
                name = server.prefix + "wait:" + key
                if not server.client.set(name, b"", nx=True, px=milliseconds):
                    server.client.pexpire(name, milliseconds, gt=True)
        except StoreError as error:
            self._observe(CacheFailed("wait", str(error)))

    def get(self, keys: Sequence[str]) -> list[float]:
        """The seconds left of each wait; 0 if there is none."""
        server = self._server
        if not keys or not server.reading.allows():
            return [0.0] * len(keys)
        try:
            with server.asked(server.reading):
                pipeline = server.client.pipeline(transaction=False)
                for key in keys:
                    pipeline.pttl(server.prefix + "wait:" + key)
                left: object = pipeline.execute()
                if not isinstance(left, list) or not all(type(one) is int for one in left):
                    raise TypeError("PTTL: not a number for each key")
                return [max(0, one) / 1000 for one in left]
        except StoreError as error:
            self._observe(CacheFailed("wait", str(error)))
            return [0.0] * len(keys)
