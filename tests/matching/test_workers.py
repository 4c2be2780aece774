"""The worker processes: killed, replaced, shared fairly, gone when their parent is gone."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest

from gistapi.deadline import Deadline
from gistapi.errors import CancelledError, DeadlineError, OverloadedError, PatternTimeoutError
from gistapi.matching import Matcher, Matching, compile_pattern, worker, workers
from gistapi.matching import matcher as matchers
from gistapi.matching.workers import Share
from gistapi.models import Flags, Hit
from gistapi.observe import Event, FileScanned, WorkerKilled
from tests.waiting import HANG_SECONDS, until

PLAIN = Flags()
BOMB = r"(a|a)*(\1)[bc]"
FUEL = b"a" * 60
BACKREFERENCE = r"(a)\1"


@pytest.fixture
def events() -> list[Event]:
    """Give what the matching of this test has told."""
    return []


@pytest.fixture
def hasty(events: list[Event]) -> Iterator[Matching]:
    """Give a matching that loses patience after 0.3 s: too little for a bomb on any machine."""
    matching = Matching(pattern_timeout_seconds=0.3, observe=events.append)
    yield matching
    matching.close()


@pytest.fixture
def patient(events: list[Event]) -> Iterator[Matching]:
    """Give a matching whose patience is enough for all but bombs on any machine."""
    matching = Matching(pattern_timeout_seconds=HANG_SECONDS, observe=events.append)
    yield matching
    matching.close()


def matcher(matching: Matching, pattern: str) -> Matcher:
    """A search for the pattern."""
    return matching.matcher(compile_pattern(pattern, PLAIN))


def scan(matcher: Matcher, content: bytes, seconds: float = 2 * HANG_SECONDS) -> Hit | None:
    """Scan a whole content."""
    with matcher.scanner(Deadline(seconds)) as scanner:
        return scanner.feed(content) or scanner.finish()


def ended(pid: int) -> bool:
    """Whether the process is no more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_building_starts_no_process() -> None:
    """Processes start when first needed, or by `start`; `close` ends them, twice is fine."""
    matching = Matching()
    assert scan(matcher(matching, "b"), b"ab") == Hit(1, 2, "ab")
    assert matching.workers.pids == []
    matching.start()
    pids = matching.workers.pids
    assert len(pids) == 2
    matching.close()
    matching.close()
    until(lambda: all(ended(pid) for pid in pids))
    with pytest.raises(OverloadedError):
        scan(matcher(matching, BACKREFERENCE), b"aa")


def test_a_bomb_is_a_gap_and_the_worker_is_replaced(hasty: Matching, events: list[Event]) -> None:
    """Stopped at its time, told, and the next text is searched as if nothing had been."""
    with pytest.raises(PatternTimeoutError):
        scan(matcher(hasty, BOMB), FUEL)
    assert events == [WorkerKilled("timeout")]
    hasty.pattern_timeout_seconds = HANG_SECONDS
    assert scan(matcher(hasty, BACKREFERENCE), b"xaa") == Hit(1, 2, "xaa")


@pytest.mark.parametrize(
    "pattern",
    ["(?:[ab]{1000}y|[ab]{999}z|[ab]{998}w)", "a[ab]{900}c", "[ab]*a[ab]{400}c"],
)
def test_what_outgrows_re2_is_stopped(hasty: Matching, pattern: str) -> None:
    """A pattern that is linear and yet takes a minute is stopped as well."""
    content = bytes(random.Random(1).choices(b"ab", k=1 << 23))
    with pytest.raises(PatternTimeoutError):
        scan(matcher(hasty, pattern), content)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(.*)*x", r"(\w+\s?)*$"])
def test_classical_bombs_are_none(patient: Matching, pattern: str) -> None:
    """What makes a backtracking engine hang over a megabyte is nothing to RE2."""
    content = b"a" * (1 << 20) + (b"!" if "$" in pattern else b"")
    hit = scan(matcher(patient, pattern), content)
    expected = len(content) + 1 if pattern.startswith(r"(\w") else None  # empty, at the end
    assert (None if hit is None else hit.column) == expected


def test_a_search_gives_up_after_three_timeouts(hasty: Matching, events: list[Event]) -> None:
    """The rest of its files are gaps at once, for this search alone."""
    search = matcher(hasty, BOMB)
    results = search.search_many([FUEL] * 40 + [b"aab"], Deadline(60))
    assert sum(isinstance(result, PatternTimeoutError) for result in results) >= 40
    with pytest.raises(PatternTimeoutError, match="given up"):
        scan(search, b"aab")
    assert len([e for e in events if isinstance(e, WorkerKilled)]) < 10
    hasty.pattern_timeout_seconds = HANG_SECONDS
    assert scan(matcher(hasty, BOMB), b"aab") is not None


def test_a_search_gives_up_what_costs_its_threads_too_much(
    patient: Matching, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts small enough for RE2 in a thread, each of them slow: the patience is the same."""
    monkeypatch.setattr(workers, "MAX_SECONDS", 10.0)
    spent = itertools.count(step=1.0)  # by the thread's clock, each look is a second later
    monkeypatch.setattr(matchers, "time", SimpleNamespace(thread_time=lambda: next(spent)))
    results = matcher(patient, "[ab]+[cd]").search_many([b"abab"] * 20, Deadline(HANG_SECONDS))
    assert results[:10] == [None] * 10
    assert all(isinstance(result, PatternTimeoutError) for result in results[10:])
    (scanned,) = [event for event in events if isinstance(event, FileScanned)]
    assert scanned.duration_seconds == 10.0
    assert patient.workers.pids == []


def test_a_bad_text_does_not_spoil_its_batch(patient: Matching) -> None:
    """The texts that travelled with it are answered all the same."""
    patient.pattern_timeout_seconds = 4
    contents = [b"aab", b"x", FUEL, b"yaab"] + [b"aab"] * 50
    results = matcher(patient, BOMB).search_many(contents, Deadline(60))
    assert isinstance(results[2], PatternTimeoutError)
    assert [type(result) for result in results[:2]] == [Hit, type(None)]
    assert all(isinstance(result, Hit) for result in results[3:])


def test_a_dead_worker_costs_nothing(patient: Matching, events: list[Event]) -> None:
    """A worker that somebody killed is replaced, and its text searched again."""
    search = matcher(patient, BACKREFERENCE)
    assert scan(search, b"aa") is not None
    for pid in patient.workers.pids:
        os.kill(pid, signal.SIGKILL)
    assert scan(search, b"aa") is not None
    assert WorkerKilled("died") in events


def test_memory_bombs_are_gaps(hasty: Matching) -> None:
    """Backtracking that would keep gigabytes fails in the worker, not in the machine."""
    content = b"ab" * (2 << 20)
    with pytest.raises(PatternTimeoutError):
        scan(matcher(hasty, r"(?:(a)|(b))*(?!\1)(?<=q)$"), content)


def test_a_text_that_python_fails_on_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """As 3.13.0 does with some groups in possessive repeats; the batch's other texts are not."""

    def fail(text: bytes, _start: int, _end: int) -> None:
        if text == b"bad":
            raise SystemError("The span of capturing group is wrong, please report a bug")

    monkeypatch.setattr(worker, "searcher", lambda *_: fail)
    request = (worker.RE, "a", 0, False, 1.0, 2.0, [(3, 0, 3)] * 2)
    assert worker.answer(request, [b"bad", b"fit"]) == ["Python's engine fails on this text", None]


def test_the_deadline_and_cancelling_end_a_worker_at_once() -> None:
    """Nobody waits for a worker once the search has to stop."""
    matching = Matching(pattern_timeout_seconds=3600)
    search = matcher(matching, BOMB)
    with pytest.raises(DeadlineError):
        scan(search, FUEL, seconds=0.2)
    deadline = Deadline(3600)
    threading.Timer(0.2, deadline.cancel).start()
    with search.scanner(deadline) as scanner, pytest.raises(CancelledError):
        _ = scanner.feed(FUEL) or scanner.finish()
    threading.Timer(0.2, matching.close).start()
    with pytest.raises(OverloadedError):
        scan(search, FUEL, seconds=3600)


def test_who_leaves_gives_back_what_he_was_given() -> None:
    """A search called off in the moment in which it gets a worker costs the others none."""
    matching = Matching(workers=1, pattern_timeout_seconds=HANG_SECONDS)
    off = Deadline(30)
    off.cancel()
    engine = compile_pattern(BACKREFERENCE, PLAIN).engine(is_ascii=True, is_empty=False)
    for _ in range(3):
        job = Matcher.job(engine, b"a", 0, 1)
        with pytest.raises(CancelledError):
            matching.workers.run(Share(), [job], off)
    assert scan(matcher(matching, BACKREFERENCE), b"xaa") == Hit(1, 2, "xaa")
    matching.close()


def test_threads_that_leave_at_any_moment_take_no_worker_with_them(patient: Matching) -> None:
    """After hundreds of deadlines that end while threads wait, both workers still work."""
    dice = random.Random(7)

    def search(seconds: float) -> None:
        with suppress(DeadlineError, PatternTimeoutError):
            scan(matcher(patient, BACKREFERENCE), b"xy" * 5000, seconds)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(search, [dice.random() * 0.02 for _ in range(600)]))
    assert patient.workers._free == 2
    assert scan(matcher(patient, BACKREFERENCE), b"xaa") == Hit(1, 2, "xaa")


def test_many_threads_and_searches_share_the_workers(patient: Matching) -> None:
    """Sixty-four scans at once, of several searches, are all answered right."""
    searches = [matcher(patient, rf"({letter})\1") for letter in "abcd"]

    def one(number: int) -> bool:
        letter = "abcd"[number % 4]
        content = b"x" * (number % 7) + (letter * 2).encode() * (number % 3 > 0)
        return (scan(searches[number % 4], content) is not None) == (number % 3 > 0)

    with ThreadPoolExecutor(64) as threads:
        assert all(threads.map(one, range(2_000)))
    assert len(patient.workers.pids) <= 2


def test_small_texts_of_many_threads_travel_together(
    patient: Matching, events: list[Event]
) -> None:
    """The worker is asked far fewer times than there are texts, when they come at once."""
    search = matcher(patient, BACKREFERENCE)
    asked: list[int] = []
    right = patient.workers._search
    patient.workers._search = lambda p, batch, d: (asked.append(len(batch)), right(p, batch, d))[1]  # type: ignore[method-assign,assignment,func-returns-value]
    with ThreadPoolExecutor(64) as threads:
        assert all(threads.map(lambda _: scan(search, b"aa" * 5_000), range(640)))
    assert sum(asked) == 640
    assert max(asked) > 1
    assert len([e for e in events if isinstance(e, FileScanned)]) == 640


def test_a_greedy_search_does_not_starve_another(
    hasty: Matching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one search has bombs waiting on every worker, another still gets its turn."""
    monkeypatch.setattr(workers, "MAX_TIMEOUTS", 1000)
    greedy = matcher(hasty, BOMB)
    with ThreadPoolExecutor(16) as threads:
        futures = [threads.submit(scan, greedy, FUEL + bytes([i])) for i in range(16)]
        until(lambda: greedy._share.running == 2 and len(greedy._share.tickets) == 16)
        hasty.pattern_timeout_seconds = HANG_SECONDS
        assert scan(matcher(hasty, BACKREFERENCE), b"aa") is not None
        assert len([future for future in futures if not future.done()]) > 8
        for future in futures:
            assert isinstance(future.exception(), PatternTimeoutError)


def test_workers_do_not_outlive_a_killed_parent() -> None:
    """Idle or in the middle of a bomb: gone soon after their parent."""
    program = (
        "import sys, threading, time\n"
        "from gistapi.deadline import Deadline\n"
        "from gistapi.matching import Matching, compile_pattern\n"
        "from gistapi.models import Flags\n"
        "m = Matching(pattern_timeout_seconds=1.5); m.start()\n"
        f"s = m.matcher(compile_pattern({BOMB!r}, Flags()))\n"
        f"run = lambda: s.search_many([{FUEL!r}], Deadline(60))\n"
        "threading.Thread(target=run, daemon=True).start(); time.sleep(0.5)\n"
        "print(*m.workers.pids, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    until(lambda: all(ended(pid) for pid in pids))
