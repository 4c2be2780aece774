"""One bound for the memory of all windows in the process, shared without deadlock."""

from __future__ import annotations

import threading

from gistapi.aio.deadline import Deadline


class WindowBudget:
    """Bytes that scanners may hold together; a scanner asks for more as its text grows.

    The banker's algorithm, for one resource and the same largest claim for all: a grant is safe
    when the one who holds most could still get all it may ever need. It will end, and what it
    gives back is enough for the next.
    """

    def __init__(self, total_bytes: int, largest_claim_bytes: int) -> None:
        if total_bytes < largest_claim_bytes:
            raise ValueError("the budget is smaller than one window")
        self._free = total_bytes
        self._largest_claim = largest_claim_bytes
        self._held: dict[object, int] = {}
        self._changed = threading.Condition()

    def hold(self, holder: object, size_bytes: int, deadline: Deadline) -> None:
        """Let `holder` have so many bytes in all; waits for them.

        Raises DeadlineError or CancelledError when the deadline ends the wait.
        """
        with deadline.on_cancel(self._wake), self._changed:
            while not self._grant(holder, min(size_bytes, self._largest_claim)):
                deadline.check()
                self._changed.wait(deadline.remaining())

    def release(self, holder: object) -> None:
        """Give back all that `holder` has."""
        with self._changed:
            self._free += self._held.pop(holder, 0)
            self._changed.notify_all()

    def _grant(self, holder: object, size_bytes: int) -> bool:
        more = size_bytes - self._held.get(holder, 0)
        if more <= 0:
            return True
        most = max(size_bytes, max(self._held.values(), default=0))
        if self._free - more < self._largest_claim - most:
            return False
        self._free -= more
        self._held[holder] = size_bytes
        return True

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
