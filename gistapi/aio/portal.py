"""The event loop's thread, and its interface for threads that serve requests."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from gistapi.aio.waiting import waiting

T = TypeVar("T")

UNREAD = 256
"""Items that may wait for the reader before `Outbox.room` makes the sender wait."""
CANCEL_SECONDS = 2.0
"""How long a closed stream waits for its task to end."""


class Outbox(Generic[T]):
    """Items from one task to one thread. `send` and `room` are for the loop, `read` for the thread.

    The reader raises what the task raised, after all items. It wakes for each of them, or if not
    `prompt`, once for all that are sent in one round of the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, prompt: bool = True) -> None:
        self._loop = loop
        self._prompt = prompt
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._ended = False
        self._error: BaseException | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._wakes = False

    def send(self, item: T) -> None:
        """Append an item. Never waits."""
        with self._changed:
            self._items.append(item)
            if len(self._items) >= UNREAD:
                self._has_room.clear()
            if self._prompt:
                self._changed.notify()
        if not self._prompt and not self._wakes:
            self._wakes = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._wakes = False
        with self._changed:
            self._changed.notify()

    async def room(self) -> None:
        """Wait until the reader has taken what was sent, if UNREAD items or more wait for it."""
        await self._has_room.wait()

    def end(self, error: BaseException | None) -> None:
        """Mark the end of the items."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify()

    def read(self) -> Generator[T]:
        """Yield every item, then raise the task's error if it had one."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended)
                items, self._items = self._items, deque()
                ended = self._ended
            if not self._has_room.is_set():
                self._loop.call_soon_threadsafe(self._has_room.set)
            while items:
                yield items.popleft()  # popped first, so that only the reader keeps it alive
            if ended:
                break
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # or it would hold this frame, which holds it


class Portal:
    """One event loop in a thread of its own, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. If its thread cannot be started, the next caller tries again."""
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run, args=(loop,), name="gistapi-loop")
                thread.daemon = True
                try:
                    thread.start()
                except RuntimeError:
                    loop.close()
                    raise
                self._loop, self._thread = loop, thread
            return self._loop

    def stream(
        self,
        work: Callable[[Outbox[T]], Awaitable[None]],
        name: str = "stream",
        *,
        prompt: bool = True,
    ) -> Generator[T]:
        """Run `work` as a task and yield what it sends; `prompt` as in Outbox.

        Closing the generator cancels the task and waits up to CANCEL_SECONDS for its end. The task
        has a copy of the caller's context variables. Raises what the task raises.
        """
        loop = self.loop
        outbox: Outbox[T] = Outbox(loop, prompt=prompt)
        over = threading.Event()
        tasks: list[asyncio.Task[None]] = []

        async def run() -> None:
            error: BaseException | None = None
            try:
                await work(outbox)
            except asyncio.CancelledError as raised:
                error = raised.with_traceback(None)  # nobody needs it, and frames hold it
            except BaseException as raised:  # noqa: BLE001 - the reader raises it
                error = raised
            finally:
                over.set()
                outbox.end(error)
                del error  # or it would hold this frame, which holds it

        def start() -> None:
            tasks.append(loop.create_task(run(), name=name))

        def cancel() -> None:  # runs after `start`, wherever the generator was closed
            tasks[0].cancel()

        loop.call_soon_threadsafe(start, context=copy_context())
        try:
            yield from outbox.read()
        finally:
            if not over.is_set():
                loop.call_soon_threadsafe(cancel)
                over.wait(CANCEL_SECONDS)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result."""
        try:
            loop = self.loop
        except RuntimeError:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def soon(self, work: Callable[[], None]) -> None:
        """Run `work` on the loop, if it is running. Never waits, not even for a lock."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(work)

    def waiting(self) -> list[str]:
        """What the loop's tasks wait for; see `gistapi.aio.waiting`."""

        async def look() -> list[str]:
            return waiting(asyncio.get_running_loop())

        return self.call(look())

    def close(self) -> None:
        """Cancel what still runs, stop the loop and wait for its thread. Idempotent."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CANCEL_SECONDS)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
