"""Asking GitHub over real connections: whom, with what, how often, and what is left open."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gistapi.aio.deadline import Deadline
from gistapi.errors import (
    CancelledError,
    DeadlineError,
    GithubError,
    GithubRateLimitedError,
    IncompleteError,
)
from gistapi.events import Event, GithubRequestEnded
from gistapi.github.client import MAX_REDIRECTS, LimitedError, Retries
from gistapi.github.http import TransientError
from tests.fake_github import FakeGithub, Fault, Repeated, Response, answers
from tests.fake_github.message import Answer, text
from tests.github.asking import add_file, ask, client_of

TOKEN = "canary-token"


def test_an_answer_is_read(github: FakeGithub) -> None:
    """Status and body come as they are, unpacked."""
    file = add_file(github, "x" * 100_000)
    assert ask(client_of(github), file.raw_url) == (200, b"x" * 100_000)
    sent = github.requests[0].headers
    assert sent["user-agent"] == "gistapi"
    assert sent["accept-encoding"] == "gzip"


def test_the_token_goes_to_the_api_alone(github: FakeGithub) -> None:
    """Neither contents nor what a redirect leads to ever see the token."""
    file = add_file(github)
    client = client_of(github, token=TOKEN)
    moved = Fault(answer=answers.redirect(file.raw_url or ""))
    github.faults.inject(moved, path="/moved")
    ask(client, file.raw_url)
    ask(client, f"{github.raw_url}/moved")
    url = f"{github.api_url}/users/octocat/gists"
    with client.get(url, kind="list", deadline=Deadline(30), headers={}) as answer:
        assert answer.status == 200
    with client.post(
        f"{github.raw_url}/1.git/x", kind="git", deadline=Deadline(30), headers={}, body=b"1"
    ) as answer:
        assert answer.url.endswith("/1.git/x")
    seen = {(request.origin, request.headers.get("authorization")) for request in github.requests}
    assert seen == {("api", f"Bearer {TOKEN}"), ("raw", None), ("git", None)}
    assert not [r for r in github.requests if r.origin != "api" and TOKEN in repr(r)]


def test_a_listing_that_is_redirected_elsewhere_takes_no_token_there(github: FakeGithub) -> None:
    """The API's own redirect to a content host is refused: it has no listings."""
    github.faults.inject(Fault(answer=answers.redirect(f"{github.raw_url}/a")), origin="api")
    with (
        pytest.raises(IncompleteError, match="not allowed"),
        client_of(github, token=TOKEN).get(
            f"{github.api_url}/users/x/gists", kind="list", deadline=Deadline(30), headers={}
        ),
    ):
        pass
    assert not github.requests_to("raw")


@pytest.mark.parametrize(
    "name",
    [
        "with space.txt",
        "sharp#.c",
        "100%.md",
        "50%20off.md",
        "what?.txt",
        "\"quoted\" 'twice'.txt",
        "line\nbreak",
        "🦑 ünï.txt",
        "()*=;,+&$!~@:",
        "back\\slash",
        "[brackets]<angles>|^`{}",
    ],
)
def test_names_are_asked_for_as_they_are_listed(github: FakeGithub, name: str) -> None:
    """The address goes over the wire byte for byte: nothing is quoted again, nothing lost."""
    file = add_file(github, "found", name)
    assert ask(client_of(github), file.raw_url) == (200, b"found")
    assert github.raw_url + github.requests[0].target == file.raw_url


def test_what_an_address_can_not_carry_is_quoted(github: FakeGithub) -> None:
    """Letters that a mock left as they are go as UTF-8."""
    file = add_file(github, "found", "ü.txt")
    url = (file.raw_url or "").replace("%C3%BC", "ü")
    assert ask(client_of(github), url) == (200, b"found")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(github: FakeGithub, status: int) -> None:
    """To an allowed host, by its full address or a part of it."""
    file = add_file(github, "found")
    path = (file.raw_url or "").removeprefix(github.raw_url)
    github.faults.inject(Fault(answer=answers.redirect(file.raw_url or "", status)), path="/full")
    github.faults.inject(Fault(answer=answers.redirect(path, status)), path="/part")
    client = client_of(github)
    with client.get(
        f"{github.raw_url}/full", kind="raw", deadline=Deadline(30), headers={"X-A": "b"}
    ) as answer:
        assert (answer.url, answer.read(100)) == (file.raw_url, b"found")
    assert ask(client, f"{github.raw_url}/part") == (200, b"found")
    assert [request.headers.get("x-a") for request in github.requests] == ["b", "b", None, None]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/a",
        "//localhost/a",
        "https://evil.example/a",
        "ftp://x/a",
        "http://user@HOST/a",
        "http://[/a",
        "http://HOST/a b",
    ],
)
def test_a_redirect_elsewhere_is_a_gap(github: FakeGithub, location: str) -> None:
    """No request is sent to where only the answer leads, be it odd or not."""
    location = location.replace("HOST", github.raw_host)
    github.faults.inject(Fault(answer=answers.redirect(location)))
    with pytest.raises(IncompleteError) as raised:
        ask(client_of(github), f"{github.raw_url}/a")
    assert raised.value.reason == "host_not_allowed"
    assert len(github.requests) == 1


def test_redirects_in_a_circle_end(github: FakeGithub) -> None:
    """After so many redirects it is an error."""
    github.faults.inject(Fault(answer=lambda request: answers.redirect(request.target)))
    with pytest.raises(GithubError, match="redirected too often"):
        ask(client_of(github), f"{github.raw_url}/round")
    assert len(github.requests) == MAX_REDIRECTS + 1
    assert github.traffic["raw"].connections == 1


def test_a_redirect_to_nowhere_is_an_answer(github: FakeGithub) -> None:
    """Without `Location`, 302 is a status like any other."""
    github.faults.inject(Fault(answer=text(302, "somewhere")))
    assert ask(client_of(github), f"{github.raw_url}/a") == (302, b"somewhere")


def test_what_may_not_be_asked_is_not_asked(github: FakeGithub) -> None:
    """An address outside GitHub's hosts costs no request, and tells no event."""
    told: list[Event] = []
    with pytest.raises(IncompleteError):
        ask(client_of(github, observe=told.append), f"{github.api_url}/users/x/gists")
    assert (github.requests, told) == ([], [])


@pytest.mark.parametrize("size", [0, 10, 5000, 300_000])
def test_connections_are_used_again(github: FakeGithub, size: int) -> None:
    """Requests one after the other need one connection, whatever they are answered."""
    file, client = add_file(github, "x" * size), client_of(github)
    for _ in range(5):
        assert ask(client, file.raw_url)[0] == 200
        assert ask(client, f"{github.raw_url}/o/gone/raw/0/a")[0] == 404
    assert len(github.requests) == 10
    assert github.traffic["raw"].connections == 1


def test_a_connection_that_was_closed_meanwhile_is_replaced(github: FakeGithub) -> None:
    """A server that ends idle connections costs nothing but a new one."""
    github.faults.inject(Fault(close_after=True))
    file, client = add_file(github), client_of(github)
    for _ in range(3):
        assert ask(client, file.raw_url)[0] == 200
        github.wait_quiet()
        time.sleep(0.02)
    assert github.traffic["raw"].connections == 3


def test_a_body_that_is_not_read_is_closed(github: FakeGithub) -> None:
    """Who stops early has the server stop: nothing drains what nobody wants."""
    file, client = add_file(github, Repeated(b"abc", 50 * 2**20)), client_of(github)
    assert file.raw_url is not None
    identity = {"Accept-Encoding": "identity"}
    with client.get(file.raw_url, kind="raw", deadline=Deadline(30), headers=identity) as answer:
        assert next(iter(answer.chunks())).startswith(b"abcabc")
    github.wait_quiet()
    assert github.requests[0].aborted
    assert github.requests[0].sent_bytes < 8 * 2**20
    assert ask(client, f"{github.raw_url}/gone")[0] == 404
    assert github.traffic["raw"].connections == 2


def test_a_body_over_the_bound_is_an_error(github: FakeGithub) -> None:
    """`read` takes no more than it was told to."""
    file, client = add_file(github, "x" * 1000), client_of(github)
    assert file.raw_url is not None
    with client.get(file.raw_url, kind="raw", deadline=Deadline(30), headers={}) as answer:
        assert len(answer.read(1000)) == 1000
    with (
        client.get(file.raw_url, kind="raw", deadline=Deadline(30), headers={}) as answer,
        pytest.raises(GithubError, match="more than 999 bytes"),
    ):
        answer.read(999)


def test_an_endless_error_is_read_to_a_bound(github: FakeGithub) -> None:
    """Of an error only the beginning is read, and it can be asked for twice."""
    body = Response(404, {"Content-Type": "text/plain"}, Repeated(b"no ", 50 * 2**20))
    github.faults.inject(Fault(answer=body))
    with client_of(github).get(
        f"{github.raw_url}/a", kind="raw", deadline=Deadline(30), headers={}
    ) as answer:
        assert answer.error_message().startswith("GitHub answered 404: no no no")
        assert answer.read_error() is answer.read_error()
    github.wait_quiet()
    assert github.requests[0].sent_bytes < 8 * 2**20


def test_an_error_that_breaks_off_is_still_that_error(github: FakeGithub) -> None:
    """What came of its words is all there is to say."""
    github.faults.inject(Fault(answer=text(404, "Not Found"), cut_body_at=3))
    with client_of(github).get(
        f"{github.raw_url}/a", kind="raw", deadline=Deadline(30), headers={}
    ) as answer:
        assert answer.error_message() == "GitHub answered 404: Not"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 422, 451])
def test_what_is_final_is_an_answer(github: FakeGithub, status: int) -> None:
    """A refusal is for the caller to understand, with GitHub's words."""
    github.faults.inject(Fault(answer=text(status, "no")))
    with client_of(github).get(
        f"{github.raw_url}/a", kind="raw", deadline=Deadline(30), headers={}
    ) as answer:
        assert answer.status == status
        assert answer.error_message() == f"GitHub answered {status}: no"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_what_may_pass_is_transient(github: FakeGithub, status: int) -> None:
    """A failure of the server's, with its words, its status and the wait that it asks for."""
    github.faults.inject(Fault(answer=text(status, "wait", retry_after="7")))
    with pytest.raises(TransientError, match=f"GitHub answered {status}: wait") as raised:
        ask(client_of(github), f"{github.raw_url}/a")
    assert (raised.value.status, raised.value.retry_after_seconds) == (status, 7)


@pytest.mark.parametrize(
    "refusal",
    [
        lambda _: answers.primary_limit(403, reset_in=50),  # counts from now, not from collection
        lambda _: answers.primary_limit(429, reset_in=50),
        answers.secondary_limit(403, retry_after="50"),
        answers.secondary_limit(429, retry_after="50"),
        answers.secondary_limit(403, retry_after=None),
        answers.raw_limit(),
        answers.raw_limit("50"),
    ],
)
def test_a_limited_host_is_left_alone(github: FakeGithub, refusal: Answer) -> None:
    """After a limit no request is sent before its time, whoever asks; other hosts are asked."""
    client = client_of(github)
    rule = github.faults.inject(Fault(answer=refusal), origin="raw")
    with pytest.raises(LimitedError) as raised:
        ask(client, f"{github.raw_url}/a")
    assert 40 < raised.value.retry_after_seconds <= 61
    github.faults.remove(rule)
    for _ in range(3):
        with pytest.raises(GithubRateLimitedError) as again:
            ask(client, f"{github.raw_url}/b", Deadline(30))
        assert 40 < again.value.retry_after_seconds <= 61
    assert len(github.requests_to("raw")) == 1
    url = f"{github.api_url}/users/nobody/gists"
    with client.get(url, kind="list", deadline=Deadline(30), headers={}) as answer:
        assert answer.status == 404


def test_a_short_limit_is_waited_for(github: FakeGithub) -> None:
    """Within the deadline the request is sent when it may be."""
    github.faults.inject(Fault(answer=answers.raw_limit("1")), times=1)
    file, client = add_file(github), client_of(github)
    with pytest.raises(LimitedError):
        ask(client, file.raw_url)
    assert ask(client, file.raw_url)[0] == 200
    first, second = github.requests
    assert second.started - (first.ended or 0) > 0.9


def test_the_fakes_own_budget_is_obeyed(github: FakeGithub) -> None:
    """The last request of the budget succeeds, and the one after it is never sent."""
    github.add_user("octocat")
    github.rate_limit.limit = 2
    client = client_of(github)
    url = f"{github.api_url}/users/octocat/gists"
    for _ in range(2):
        with client.get(url, kind="list", deadline=Deadline(30), headers={}) as answer:
            assert answer.status == 200
    with (
        pytest.raises(GithubRateLimitedError) as raised,
        client.get(url, kind="list", deadline=Deadline(30), headers={}),
    ):
        pass
    assert raised.value.retry_after_seconds == pytest.approx(3600, abs=5)
    assert len(github.requests) == 2


def test_every_request_is_told(github: FakeGithub) -> None:
    """Host, status, error and size of each request; a redirect is two."""
    file = add_file(github, "x" * 100)
    told: list[Event] = []
    client = client_of(github, observe=told.append)
    github.faults.inject(Fault(answer=answers.redirect(file.raw_url or "")), path="/moved")
    github.faults.inject(Fault(answer=text(502, "bad")), path="/bad")
    github.faults.inject(Fault(cut_head_at=0), path="/cut")
    ask(client, f"{github.raw_url}/moved")
    for path in ("/bad", "/cut"):
        with pytest.raises(TransientError):
            ask(client, github.raw_url + path)
    seen = [e for e in told if isinstance(e, GithubRequestEnded)]
    assert [(e.kind, e.host) for e in seen] == [("raw", github.raw_host)] * 4
    error = "TransientError"
    assert [(e.status, e.error) for e in seen] == [
        (302, None),
        (200, None),
        (502, error),
        (None, error),
    ]
    assert 0 < seen[1].size_bytes < 100  # as on the wire: packed
    assert seen[2].size_bytes == 3
    assert all(e.duration_seconds >= 0 for e in seen)


def test_stopping_early_is_no_error(github: FakeGithub) -> None:
    """Whoever has read enough did not fail."""
    file = add_file(github, Repeated(b"abc", 2**20))
    told: list[Any] = []
    client = client_of(github, observe=told.append)

    def beginning() -> bytes:
        with client.get(
            file.raw_url or "", kind="raw", deadline=Deadline(30), headers={}
        ) as answer:
            return next(iter(answer.chunks()))[:3]

    assert beginning() == b"abc"
    assert [(event.status, event.error) for event in told] == [(200, None)]


@pytest.mark.parametrize("over", ["deadline", "cancelled"])
def test_work_that_is_over_asks_nothing(github: FakeGithub, over: str) -> None:
    """No request is begun for nobody."""
    deadline = Deadline(0 if over == "deadline" else 30)
    if over == "cancelled":
        deadline.cancel()
    with pytest.raises(DeadlineError if over == "deadline" else CancelledError):
        ask(client_of(github), f"{github.raw_url}/a", deadline)
    assert not github.requests


def test_a_post_sends_its_body(github: FakeGithub) -> None:
    """A POST has its length, and its redirect is an answer."""
    github.faults.inject(Fault(answer=answers.redirect("/elsewhere")))
    with client_of(github).post(
        f"{github.raw_url}/1.git/x", kind="git", deadline=Deadline(30), headers={}, body=b"0000"
    ) as answer:
        assert answer.status == 302
    (request,) = github.requests
    assert (request.method, request.body) == ("POST", b"0000")
    assert request.headers["content-length"] == "4"


def test_closing_ends_the_idle_connections(github: FakeGithub) -> None:
    """After `close` the next request needs a new connection."""
    client = client_of(github)
    ask(client, f"{github.raw_url}/a")
    client.close()
    ask(client, f"{github.raw_url}/a")
    assert github.traffic["raw"].connections == 2


def test_three_retries_and_no_more() -> None:
    """The fourth failure in a row is raised as it is; progress begins the count anew."""
    retries = Retries(Deadline(60))
    error = TransientError("broken")
    retries.again(error)
    retries.again(error)
    retries.progressed()
    for _ in range(3):
        retries.again(error)
    with pytest.raises(TransientError, match="broken"):
        retries.again(error)


def test_a_retry_waits_as_long_as_it_was_asked_to() -> None:
    """`Retry-After` of a failure is kept, if the deadline leaves room for it."""
    began = time.monotonic()
    Retries(Deadline(60)).again(TransientError("busy", 503, 0.3))
    assert time.monotonic() - began >= 0.3
    with pytest.raises(TransientError, match="busy"):
        Retries(Deadline(5)).again(TransientError("busy", 503, 10))
    assert time.monotonic() - began < 5


def test_limits_are_tried_again_as_often() -> None:
    """A host that limits four times in a row says when to come back."""
    retries = Retries(Deadline(60))
    for _ in range(3):
        retries.again(LimitedError("slow down", 429, 0))
    with pytest.raises(GithubRateLimitedError, match="slow down") as raised:
        retries.again(LimitedError("slow down", 429, 40))
    assert raised.value.retry_after_seconds == 40


def test_no_retry_for_work_that_is_over() -> None:
    """Work that was called off is not tried again, it ends."""
    deadline = Deadline(60)
    deadline.cancel()
    with pytest.raises(CancelledError):
        Retries(deadline).again(TransientError("broken"))
