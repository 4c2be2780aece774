"""Fetches that searches share."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from gistapi.aio import flights as module
from gistapi.aio.deadline import Deadline
from gistapi.aio.flights import Flights
from gistapi.cache import open_cache
from gistapi.errors import CancelledError, DeadlineError, GithubError

URL = "https://gist.githubusercontent.com/o/1/raw/2/a"
SHA = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"  # git's name of the blob b"hello"


def joined(flights: Flights, deadline: Deadline, answers: list[object]) -> threading.Thread:
    """A thread that wants the same content and must not have to fetch it; it notes what it got."""

    def want() -> None:
        try:
            answers.append(flights.fetch(URL, SHA, deadline, lambda: b"fetched anew"))
        except (CancelledError, DeadlineError) as error:
            answers.append(type(error))

    thread = threading.Thread(target=want)
    thread.start()
    return thread


def held(release: threading.Event, began: threading.Event) -> Callable[[], bytes]:
    """A fetch that takes until it is released."""

    def fetch() -> bytes:
        began.set()
        assert release.wait(10)
        return b"hello"

    return fetch


def test_a_content_on_its_way_is_waited_for() -> None:
    """Two that want the same address get the same bytes from one fetch."""
    flights = Flights(open_cache("off"))
    release, began = threading.Event(), threading.Event()
    answers: list[object] = []
    first = threading.Thread(
        target=lambda: answers.append(flights.fetch(URL, SHA, Deadline(10), held(release, began)))
    )
    first.start()
    assert began.wait(10)
    second = joined(flights, Deadline(10), answers)
    second.join(0.2)
    assert second.is_alive()
    release.set()
    first.join()
    second.join()
    assert answers == [b"hello", b"hello"]


def test_anothers_failure_is_not_ours() -> None:
    """When the one who fetches fails, the next one fetches for itself."""
    flights = Flights(open_cache("off"))
    answers: list[object] = []

    def fail() -> bytes:
        answers.append(joined(flights, Deadline(10), answers))
        raise GithubError("down")

    with pytest.raises(GithubError):
        flights.fetch(URL, SHA, Deadline(10), fail)
    thread = answers.pop(0)
    assert isinstance(thread, threading.Thread)
    thread.join()
    assert answers == [b"fetched anew"]


@pytest.mark.parametrize(("seconds", "error"), [(0.2, DeadlineError), (10, CancelledError)])
def test_waiting_ends_with_the_deadline_or_the_work(seconds: float, error: type[Exception]) -> None:
    """One that waits for another's fetch stops when its own work has to."""
    flights = Flights(open_cache("off"))
    release, began = threading.Event(), threading.Event()
    first = threading.Thread(
        target=lambda: flights.fetch(URL, SHA, Deadline(10), held(release, began))
    )
    first.start()
    assert began.wait(10)
    answers: list[object] = []
    deadline = Deadline(seconds)
    second = joined(flights, deadline, answers)
    if error is CancelledError:
        deadline.cancel()
    second.join()
    assert answers == [error]
    release.set()
    first.join()


def test_what_has_landed_comes_from_the_cache() -> None:
    """A content that arrived after the search looked into the cache is not fetched again."""
    flights = Flights(open_cache("memory:"))
    assert flights.fetch(URL, SHA, Deadline(10), lambda: b"hello") == b"hello"
    assert flights.fetch(URL, SHA, Deadline(10), lambda: b"again") == b"hello"


def test_only_the_last_blobs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of names is bounded; what was forgotten is fetched."""
    monkeypatch.setattr(module, "LANDED", 1)
    flights = Flights(open_cache("memory:"))
    flights._landed = type(flights._landed)(maxlen=1)
    assert flights.fetch(URL, SHA, Deadline(10), lambda: b"hello") == b"hello"
    assert flights.fetch(URL + "2", "0" * 40, Deadline(10), lambda: b"x") == b"x"
    assert flights.fetch(URL, SHA, Deadline(10), lambda: b"again") == b"again"
    assert flights._known == {SHA}
