"""Concurrent callers of one key share a load, even if some of them are cancelled."""

from __future__ import annotations

import asyncio

import pytest

from gistapi.aio.singleflight import SingleFlight
from tests.aio.looping import run


def test_concurrent_callers_share_a_load() -> None:
    """Ten callers of a key cause one load; another key is loaded separately."""

    async def go() -> None:
        flights: SingleFlight[bytes] = SingleFlight()
        loads: list[str] = []

        async def load(key: str) -> bytes:
            loads.append(key)
            await asyncio.sleep(1)
            return key.encode()

        calls = [flights.fetch(key, lambda key=key: load(key)) for key in "aaaaab"]  # type: ignore[misc]
        assert await asyncio.gather(*calls) == [b"a"] * 5 + [b"b"]
        assert loads == ["a", "b"]
        await flights.fetch("a", lambda: load("a"))
        assert loads == ["a", "b", "a"]

    run(go())


def test_a_follower_replaces_a_cancelled_leader() -> None:
    """The other callers still get the content."""

    async def go() -> None:
        flights: SingleFlight[bytes] = SingleFlight()
        loads = 0

        async def load() -> bytes:
            nonlocal loads
            loads += 1
            await asyncio.sleep(1)
            return b"x"

        leader = asyncio.create_task(flights.fetch("k", load))
        await asyncio.sleep(0)
        others = [asyncio.create_task(flights.fetch("k", load)) for _ in range(10)]
        await asyncio.sleep(0.5)
        leader.cancel()
        assert await asyncio.gather(*others) == [b"x"] * 10
        assert loads == 2

    run(go())


def test_only_the_leader_gets_its_failure() -> None:
    """A follower loads again, and may succeed."""

    async def go() -> None:
        flights: SingleFlight[bytes] = SingleFlight()
        loads = 0

        async def load() -> bytes:
            nonlocal loads
            loads += 1
            await asyncio.sleep(1)
            if loads == 1:
                raise OSError("cut")
            return b"x"

        leader = asyncio.create_task(flights.fetch("k", load))
        await asyncio.sleep(0)
        follower = asyncio.create_task(flights.fetch("k", load))
        with pytest.raises(OSError, match="cut"):
            await leader
        assert await follower == b"x"

    run(go())
