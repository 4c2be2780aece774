"""Windows share one bound of memory: never above it, never stuck."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gistapi.aio.deadline import Deadline
from gistapi.errors import CancelledError, DeadlineError
from gistapi.matching import Matching, Sizes, compile_pattern
from gistapi.matching.memory_budget import WindowBudget
from gistapi.models import Flags


def test_holders_that_grow_never_lock_each_other() -> None:
    """Many holders growing to the largest claim by random steps all end, within the bound."""
    budget = WindowBudget(40, 16)
    held = {"now": 0, "most": 0}
    lock = threading.Lock()

    def grow(seed: int) -> None:
        sizes = sorted(random.Random(seed).choices(range(1, 17), k=4))
        mine = 0
        for size in sizes:
            budget.hold(seed, size, Deadline(30))
            with lock:
                held["now"] += size - mine
                held["most"] = max(held["most"], held["now"])
            mine = size
            time.sleep(0.0002)
        with lock:
            held["now"] -= mine
        budget.release(seed)

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(grow, range(400)))
    assert 16 < held["most"] <= 40


def test_waiting_ends_with_the_deadline_or_a_cancel() -> None:
    """Who waits for memory is woken by its deadline, by a cancel and by a release."""
    budget = WindowBudget(10, 10)
    budget.hold("a", 10, Deadline(1))
    with pytest.raises(DeadlineError):
        budget.hold("b", 1, Deadline(0.05))
    deadline = Deadline(60)
    threading.Timer(0.05, deadline.cancel).start()
    with pytest.raises(CancelledError):
        budget.hold("b", 1, deadline)
    threading.Timer(0.05, budget.release, ["a"]).start()
    budget.hold("b", 10, Deadline(30))
    budget.release("b")
    budget.release("b")


def test_a_budget_smaller_than_a_window_is_refused() -> None:
    """It could never be enough for one file."""
    with pytest.raises(ValueError, match="smaller"):
        WindowBudget(1, 2)


def test_scanners_of_large_windows_all_end() -> None:
    """Thirty-two files that each need a whole window pass through a budget of two and a half."""
    sizes = Sizes(overlap_bytes=1 << 16, first_bytes=1 << 10)
    matching = Matching(sizes=sizes, budget_bytes=sizes.window_bytes * 5 // 2)
    search = matching.matcher(compile_pattern("(?s)<.*>", Flags()))

    def one(number: int) -> bool:
        with search.scanner(Deadline(60)) as scanner:
            for _ in range(10):
                hit = scanner.feed(b"x" * 50_000)
            hit = hit or scanner.feed(b"<" + b"y" * 60_000 + b">" * (number % 2))
            return (hit or scanner.finish()) is not None

    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(one, range(64))) == [bool(n % 2) for n in range(64)]
    assert matching.budget._held == {}
    matching.close()
