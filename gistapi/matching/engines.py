"""The matching resources of the process: its workers, its threads, its memory for windows."""

from __future__ import annotations

from gistapi.aio.executors import Threads
from gistapi.aio.growing import GrowingBudget
from gistapi.events import Observer, ignore
from gistapi.matching import pattern as patterns
from gistapi.matching.matcher import Matcher
from gistapi.matching.pattern import CompiledPattern
from gistapi.matching.wanted import Wanted
from gistapi.matching.window import Sizes
from gistapi.matching.work import THREADS, Shared, Work
from gistapi.matching.worker_pool import Workers


class Matching:
    """One per process: the workers, threads and memory that all searches share.

    Building it opens nothing; the workers start when a pattern first needs one, or by `start`.
    For the loop alone.
    """

    def __init__(
        self,
        *,
        pattern_timeout_seconds: float = 2.0,
        workers: int = 2,
        observe: Observer = ignore,
        sizes: Sizes = Sizes(),  # noqa: B008 - frozen
        budget_bytes: int = 64 << 20,
    ) -> None:
        self.workers = Workers(workers, observe)
        self.budget = GrowingBudget(max(budget_bytes, sizes.window_bytes), sizes.window_bytes)
        self._threads = Threads(THREADS, "gistapi-matching")
        self._shared = Shared(
            pattern_timeout_seconds, sizes, self.workers, self._threads, self.budget, observe
        )

    async def start(self) -> None:
        """Build the tables and start the workers before the first search.

        Raises OSError if the system cannot start a process.
        """
        await self._threads.run(self._threads.lane(), patterns.warm)
        await self.workers.start()

    async def close(self) -> None:
        """End the workers and threads; searches that need one get OverloadedError. Idempotent."""
        self._threads.close()
        await self.workers.close()

    def matcher(
        self,
        pattern: CompiledPattern,
        wanted: Wanted = Wanted(),  # noqa: B008 - frozen
        caller: str = "",
    ) -> Matcher:
        """A matcher for one search of a caller."""
        return Matcher(Work(pattern, wanted, self._shared, self._threads.lane(caller)))
