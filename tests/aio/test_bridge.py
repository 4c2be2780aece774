"""A thread runs coroutines on the loop, and ends with the task that started it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gistapi.aio.bridge import Bridge
from gistapi.errors import CancelledError
from tests.aio.looping import run


def test_a_thread_gets_the_result_or_error_of_a_coroutine() -> None:
    """Both reach the thread as if it had called the coroutine itself."""

    async def double(number: int) -> int:
        await asyncio.sleep(0)
        if number < 0:
            raise ValueError(number)
        return 2 * number

    def work(bridge: Bridge) -> list[int]:
        with pytest.raises(ValueError, match="-1"):
            bridge.ask(double(-1))
        return [bridge.ask(double(number)) for number in range(3)]

    async def go(executor: ThreadPoolExecutor) -> list[int]:
        return await Bridge(executor).run(work)

    with ThreadPoolExecutor(1) as executor:
        assert run(go(executor), jumping=False) == [0, 2, 4]


def test_cancelling_the_task_ends_the_thread() -> None:
    """The pending call fails, later calls fail, and the task ends after the thread."""
    asking = threading.Event()
    raised: list[type[BaseException]] = []

    async def never() -> None:
        asking.set()
        await asyncio.Event().wait()

    def work(bridge: Bridge) -> None:
        for _ in range(2):
            try:
                bridge.ask(never())
            except BaseException as error:  # noqa: BLE001 - whichever comes is recorded
                raised.append(type(error))

    async def go(executor: ThreadPoolExecutor) -> None:
        task = asyncio.create_task(Bridge(executor).run(work))
        await asyncio.get_running_loop().run_in_executor(None, asking.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(raised) == 2
        assert raised[1] is CancelledError

    with ThreadPoolExecutor(1) as executor:
        run(go(executor), jumping=False)
