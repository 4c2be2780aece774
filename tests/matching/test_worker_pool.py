"""The worker processes: killed at a deadline, replaced, shared fairly, ended with their parent."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest

from gistapi.errors import OverloadedError, PatternTimeoutError
from gistapi.events import Event, FileScanned, WorkerKilled, ignore
from gistapi.matching import Matcher, Matching, Wanted, compile_pattern, jobs, worker
from gistapi.matching.pattern import Engine
from gistapi.matching.process import Process
from gistapi.models import Flags, Hits
from tests.aio.looping import run

PLAIN = Flags()
BOMB = r"(a|a)*(\1)[bc]"
FUEL = b"a" * 60
BACKREFERENCE = r"(a)\1"
Body = Callable[[Matching], Awaitable[None]]


def matched(
    body: Body, events: list[Event] | None = None, *, seconds: float = 0.3, workers: int = 2
) -> None:
    """Run a test with a matching of its own, on a loop with the real clock."""
    observe = ignore if events is None else events.append

    async def main() -> None:
        matching = Matching(pattern_timeout_seconds=seconds, workers=workers, observe=observe)
        try:
            await body(matching)
        finally:
            await matching.close()

    run(main(), jumping=False)


def matcher(matching: Matching, pattern: str, wanted: Wanted = Wanted()) -> Matcher:  # noqa: B008 - frozen
    """A matcher for the pattern."""
    return matching.matcher(compile_pattern(pattern, PLAIN), wanted)


async def scan(matcher: Matcher, content: bytes) -> Hits | None:
    """Scan a whole content."""
    async with matcher.scanner() as scanner:
        return await scanner.feed(content) or await scanner.finish()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds, if only for one of its rounds."""
    while not condition():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


def ended(pid: int) -> bool:
    """Whether the process ends within a few seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_building_starts_no_process() -> None:
    """Processes start when first needed, or by `start`; `close` ends them, and may be repeated."""

    async def body(matching: Matching) -> None:
        assert await scan(matcher(matching, "b"), b"ab") is not None
        assert matching.workers.pids == []
        await matching.start()
        pids = matching.workers.pids
        assert len(pids) == 2
        await matching.close()
        await matching.close()
        assert all(ended(pid) for pid in pids)
        with pytest.raises(OverloadedError):
            await scan(matcher(matching, BACKREFERENCE), b"aa")

    matched(body)


def test_a_worker_that_cannot_be_interrupted_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not stop by itself is killed at its deadline."""
    events: list[Event] = []
    right = Process.ask

    async def overdue(self: Process, engine: Any, work: Any, _: float, limit: float) -> Any:
        return await right(self, engine, work, 3600.0, limit)

    monkeypatch.setattr(Process, "ask", overdue)

    async def body(matching: Matching) -> None:
        with pytest.raises(PatternTimeoutError):
            await scan(matcher(matching, BOMB), FUEL)

    matched(body, events)
    assert WorkerKilled("timeout") in events


@pytest.mark.parametrize(
    "pattern",
    ["(?:[ab]{1000}y|[ab]{999}z|[ab]{998}w)", "a[ab]{900}c", "[ab]*a[ab]{400}c"],
)
def test_a_slow_linear_pattern_is_stopped(pattern: str) -> None:
    """A pattern in linear time that is still too slow ends at about its deadline."""
    content = bytes(random.Random(1).choices(b"ab", k=1 << 20))

    async def body(matching: Matching) -> None:
        with pytest.raises(PatternTimeoutError):
            await scan(matcher(matching, pattern), content)

    matched(body)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(.*)*x", r"(\w+\s?)*$"])
def test_classical_bombs_are_harmless(pattern: str) -> None:
    """RE2 searches a megabyte quickly where a backtracking engine would hang."""
    content = b"a" * (1 << 20) + (b"!" if "$" in pattern else b"")

    async def body(matching: Matching) -> None:
        found = await scan(matcher(matching, pattern), content)
        column = None if found is None else found.hits[0].column
        assert column == (len(content) + 1 if pattern.startswith(r"(\w") else None)

    matched(body)


def test_a_search_gives_up_after_three_timeouts() -> None:
    """The rest of its files are gaps at once; other searches are unaffected."""
    events: list[Event] = []

    async def body(matching: Matching) -> None:
        search = matcher(matching, BOMB)
        results = await search.search_many([FUEL] * 40 + [b"aab"])
        assert sum(isinstance(result, PatternTimeoutError) for result in results) >= 40
        with pytest.raises(PatternTimeoutError, match="not tried on this one"):
            await scan(search, b"aab")
        assert len([event for event in events if isinstance(event, WorkerKilled)]) < 10
        assert await scan(matcher(matching, BOMB), b"aab") is not None

    matched(body, events)


def test_a_search_gives_up_a_pattern_that_is_slow_in_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Texts small enough for a thread, each of them slow, count towards the same three timeouts."""
    monkeypatch.setattr(jobs, "MAX_SECONDS", 0.0)
    events: list[Event] = []
    content = bytes(random.Random(1).choices(b"ab", k=6_000))

    async def body(matching: Matching) -> None:
        search = matcher(matching, "(?:[ab]{1000}y|[ab]{999}z|[ab]{998}w)")
        search._work.share.charge(0.0)
        results = await search.search_many([content] * 20)
        assert isinstance(results[-1], PatternTimeoutError)
        assert matching.workers.pids == []

    matched(body, events)
    assert len([event for event in events if isinstance(event, FileScanned)]) < 20


def test_a_bad_text_does_not_spoil_its_batch() -> None:
    """The other texts are searched without a kill."""
    events: list[Event] = []

    async def body(matching: Matching) -> None:
        contents = [b"aab", b"x", FUEL, b"yaab"] + [b"aab"] * 50
        results = await matcher(matching, BOMB).search_many(contents)
        assert isinstance(results[2], PatternTimeoutError)
        assert [type(result) for result in results[:2]] == [Hits, type(None)]
        assert all(isinstance(result, Hits) for result in results[3:])

    matched(body, events)
    assert len([event for event in events if isinstance(event, FileScanned)]) == 53


def test_texts_prefiltered_in_a_thread_go_to_workers() -> None:
    """`re` searches every text that RE2 does not rule out."""

    async def body(matching: Matching) -> None:
        contents = [b"." * size + b"aa" * (size % 2) for size in (1, 2, 70_001, 70_002)]
        found = await matcher(matching, r"(a|\.)(?<=a)\1").search_many(contents)
        assert [isinstance(result, Hits) for result in found] == [True, False, True, False]

    matched(body)


def test_a_killed_worker_is_replaced() -> None:
    """The text of a killed worker is searched again by another one."""
    events: list[Event] = []

    async def body(matching: Matching) -> None:
        search = matcher(matching, BACKREFERENCE)
        assert await scan(search, b"aa") is not None
        for pid in matching.workers.pids:
            os.kill(pid, signal.SIGKILL)
        assert await scan(search, b"aa") is not None

    matched(body, events)
    assert WorkerKilled("died") in events


def test_memory_bombs_are_gaps() -> None:
    """Backtracking that would need gigabytes fails in the worker, not on the machine."""
    content = b"ab" * (2 << 20)

    async def body(matching: Matching) -> None:
        with pytest.raises(PatternTimeoutError):
            await scan(matcher(matching, r"(?:(a)|(b))*(?!\1)(?<=q)$"), content)

    matched(body)


def test_a_text_on_which_re_fails_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13.0 fails on some groups in possessive repeats; the batch's other texts succeed."""

    def fail(text: bytes, *_: object) -> list[worker.Span]:
        if text == b"bad":
            raise SystemError("The span of capturing group is wrong, please report a bug")
        return []

    monkeypatch.setattr(worker, "searcher", lambda *_: fail)
    request = (worker.RE, "a", False, 0, False, 1.0, 2.0, [(3, (0, 3, 4, 1, False))] * 2)
    answers = ["Python's engine fails on this text.", []]
    assert worker.answer(request, [b"bad", b"fit"]) == (answers, False)


def test_a_process_that_cannot_be_started_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search continues without it; later searches have processes when the system allows it."""
    events: list[Event] = []
    monkeypatch.setattr("gistapi.matching.worker_pool.RETRY_SECONDS", 0.0)

    async def body(matching: Matching) -> None:
        search = matcher(matching, BACKREFERENCE)
        with monkeypatch.context() as full:
            full.setattr(sys, "executable", "/nowhere/python")
            found = await search.search_many([b"aa"])
            assert isinstance(found[0], PatternTimeoutError)
        assert isinstance((await search.search_many([b"aa"]))[0], Hits)

    matched(body, events)
    assert WorkerKilled("not_started") in events


def test_closing_ends_waiting_searches() -> None:
    """A search that waits for a worker gets OverloadedError when the service stops."""

    async def body(matching: Matching) -> None:
        searches = [
            asyncio.create_task(scan(matcher(matching, BOMB), FUEL + bytes([i]))) for i in range(5)
        ]
        await until(lambda: len(matching.workers.pids) == 2)
        await matching.close()
        found = await asyncio.gather(*searches, return_exceptions=True)
        assert all(isinstance(error, OverloadedError) for error in found)
        assert matching.workers.pids == []

    matched(body, seconds=60)


def test_a_cancelled_search_frees_its_worker() -> None:
    """The running work of a cancelled search ends at once."""

    async def body(matching: Matching) -> None:
        bomb = asyncio.create_task(scan(matcher(matching, BOMB), FUEL))
        await until(lambda: any(batch.is_long for batch in matching.workers._batches))
        (pid,) = matching.workers.pids
        bomb.cancel()
        with suppress(asyncio.CancelledError):
            await bomb
        assert await asyncio.to_thread(ended, pid)
        assert await scan(matcher(matching, BACKREFERENCE), b"xaa") is not None

    matched(body, seconds=60, workers=1)


def test_a_cancelled_text_does_not_affect_its_batch() -> None:
    """A gist's match cancels its other files; the worker continues with other gists' texts."""
    events: list[Event] = []

    async def body(matching: Matching) -> None:
        await matching.start()
        search = matcher(matching, BACKREFERENCE)
        tasks = [asyncio.create_task(search.search(b"aa" * 1000)) for _ in range(20)]
        await until(lambda: bool(matching.workers._batches))
        for task in tasks[::2]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, Hits) for result in found[1::2])

    matched(body, events, workers=1)
    assert not [event for event in events if isinstance(event, WorkerKilled)]


def test_searches_cancelled_at_any_moment_lose_no_worker() -> None:
    """After hundreds of cancellations both workers still work, and there is no third."""
    dice = random.Random(7)
    most = 0

    async def search(matching: Matching, seconds: float) -> None:
        nonlocal most
        pattern = dice.choice([BACKREFERENCE, BOMB])
        with suppress(TimeoutError, PatternTimeoutError):
            async with asyncio.timeout(seconds):
                await scan(matcher(matching, pattern), b"xy" * 5000 + FUEL)
        most = max(most, len(matching.workers.pids))

    async def body(matching: Matching) -> None:
        await matching.start()
        await asyncio.gather(*(search(matching, dice.random() * 0.2) for _ in range(300)))
        await until(lambda: not matching.workers._batches)
        assert (matching.workers._free, matching.workers._free_for_long) == (2, 1)
        assert matching.workers._shares == []
        assert await scan(matcher(matching, BACKREFERENCE), b"xaa") is not None

    matched(body)
    assert 0 < most <= 2


def test_many_scans_of_several_searches_share_the_workers() -> None:
    """Two thousand concurrent scans get right results from two processes."""

    async def body(matching: Matching) -> None:
        searches = [matcher(matching, rf"({letter})\1") for letter in "abcd"]

        async def one(number: int) -> bool:
            letter = "abcd"[number % 4]
            content = b"x" * (number % 7) + (letter * 2).encode() * (number % 3 > 0)
            return (await scan(searches[number % 4], content) is not None) == (number % 3 > 0)

        assert all(await asyncio.gather(*map(one, range(2_000))))
        assert len(matching.workers.pids) <= 2

    matched(body)


def test_small_texts_of_one_search_are_batched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker gets far fewer requests than there are concurrent texts."""
    asked: list[int] = []
    right = Process.ask

    async def counted(self: Process, engine: Any, work: Any, *limits: float) -> Any:
        asked.append(len(work))
        return await right(self, engine, work, *limits)

    monkeypatch.setattr(Process, "ask", counted)
    events: list[Event] = []

    async def body(matching: Matching) -> None:
        search = matcher(matching, BACKREFERENCE)
        found = await asyncio.gather(*(scan(search, b"aa" * 5_000) for _ in range(640)))
        assert all(found)

    matched(body, events)
    assert sum(asked) == 640
    assert len(asked) < 100
    assert len([event for event in events if isinstance(event, FileScanned)]) == 640


@pytest.mark.parametrize("greedy", [1, 30])
def test_greedy_searches_do_not_starve_another(greedy: int) -> None:
    """While other searches want a minute of every worker, one that needs milliseconds gets them."""

    async def body(matching: Matching) -> None:
        bombs = [matcher(matching, BOMB) for _ in range(greedy)]
        tasks = [asyncio.create_task(scan(bombs[i % greedy], FUEL + bytes([i]))) for i in range(30)]
        await until(lambda: any(batch.is_long for batch in matching.workers._batches))
        search = matcher(matching, BACKREFERENCE)
        for _ in range(3):
            assert await scan(search, b"aa") is not None
        assert not any(task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    matched(body, seconds=60)


def test_a_worker_keeps_no_memory_of_a_large_text() -> None:
    """From the second one on, glibc would keep what it has freed: 10 MiB of these."""
    engine = Engine("re", r"(?<=x)needle")

    async def main() -> None:
        process = await Process.start()
        try:
            before = psutil.Process(process.pid).memory_full_info().uss
            for size in (12 << 20, 11 << 20, 10 << 20):
                text = b"x" * size
                answers = await process.ask(engine, [(text, (0, size, size + 1, 1, False))], 60, 60)
                assert answers == ([[]], False)
            kept = psutil.Process(process.pid).memory_full_info().uss - before
        finally:
            await process.close()
        assert kept < 4 << 20

    run(main(), jumping=False)


def test_workers_do_not_outlive_a_killed_parent() -> None:
    """Idle or busy, they end soon after their parent."""
    program = (
        "import asyncio\n"
        "from gistapi.matching import Matching, compile_pattern\n"
        "from gistapi.models import Flags\n"
        "async def main():\n"
        "    matching = Matching(pattern_timeout_seconds=1.5)\n"
        "    await matching.start()\n"
        f"    search = matching.matcher(compile_pattern({BOMB!r}, Flags()))\n"
        f"    task = asyncio.create_task(search.search({FUEL!r}))\n"
        "    await asyncio.sleep(0.5)\n"
        "    print(*matching.workers.pids, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    assert all(ended(pid) for pid in pids)
