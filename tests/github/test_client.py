"""One request to GitHub: where it goes, what it carries, what its answer becomes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from gistapi.deadline import Deadline
from gistapi.errors import (
    DeadlineError,
    GapError,
    GithubError,
    GithubRateLimitedError,
)
from gistapi.github.client import (
    ERROR_BODY_BYTES,
    MAX_REDIRECTS,
    MAX_RETRIES,
    LimitedError,
    Retries,
)
from gistapi.github.transport import TransientError
from gistapi.observe import Event, GithubRequestEnded
from tests.fake_github import FakeGithub, Fault, Literal, Repeated, Request, Response, answers
from tests.github.asking import add_file, ask, client_of, whole

TOKEN = "ghp_canary"
REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize(
    "name",
    ["a b", "#hash", "100%", "%2520", 'it\'s "q"', "new\nline", "😀.md", "(*=;,&)", "..", "a\\b"],
)
def test_an_address_is_sent_as_it_was_listed(github: FakeGithub, name: str) -> None:
    """No name is quoted anew, unquoted or resolved."""
    file = add_file(github, "text", name)
    assert ask(client_of(github), file.raw_url) == (200, b"text")
    (request,) = github.requests
    assert github.raw_url + request.target == file.raw_url


def test_what_cannot_be_sent_is_quoted(github: FakeGithub) -> None:
    """Letters beyond ASCII travel as UTF-8 in percent signs; what is quoted stays as it is."""
    assert ask(client_of(github), f"{github.raw_url}/é/%2525/'(x)'")[0] == 404
    assert github.requests[0].target == "/%C3%A9/%2525/'(x)'"


def test_the_token_goes_to_the_api_alone(github: FakeGithub) -> None:
    """No request for a content carries it, nor one that the API's host gets by a redirect."""
    file = add_file(github)
    client = client_of(github, token=TOKEN, content_hosts=(github.api_url.removeprefix("http://"),))
    to_api = answers.redirect(f"{github.api_url}/users/octocat/gists")
    github.faults.inject(Fault(answer=to_api), origin="raw", times=1)
    ask(client, file.raw_url)
    ask(client, file.raw_url)
    assert [request.origin for request in github.requests] == ["raw", "api", "raw"]
    assert not any("authorization" in request.headers for request in github.requests)
    github.forget()
    url = f"{github.api_url}/users/octocat/gists"
    with client.get(url, kind="list", deadline=Deadline(10), headers={}) as answer:
        assert answer.status == 200
    assert github.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_api_leads_the_token_nowhere(github: FakeGithub) -> None:
    """A redirect of the API to another host, one for contents too, is not followed."""
    moved = answers.redirect(f"{github.raw_url}/users/octocat/gists")
    github.faults.inject(Fault(answer=moved), origin="api")
    client = client_of(github, token=TOKEN)
    url = f"{github.api_url}/users/octocat/gists"
    with (
        pytest.raises(GapError, match="not allowed") as raised,
        client.get(url, kind="list", deadline=Deadline(10), headers={}),
    ):
        pass
    assert raised.value.reason == "host_not_allowed"
    assert [request.origin for request in github.requests] == ["api"]


def test_netrc_is_never_read(
    github: FakeGithub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that lie about in the home directory are nobody's business."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n", "utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    ask(client_of(github), add_file(github).raw_url)
    assert "authorization" not in github.requests[0].headers


def test_cookies_are_not_kept(github: FakeGithub) -> None:
    """What a host wants remembered is forgotten."""
    file = add_file(github)
    cookie = Response(200, {"Set-Cookie": "a=b; Path=/"}, Literal(b"x"))
    github.faults.inject(Fault(answer=cookie), times=1)
    client = client_of(github)
    ask(client, file.raw_url)
    ask(client, file.raw_url)
    assert not any("cookie" in request.headers for request in github.requests)


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_to_an_allowed_host_is_followed(github: FakeGithub, status: int) -> None:
    """The answer is that of the place that was moved to, and says where it came from."""
    file = add_file(github, "moved")
    to = str(file.raw_url).removeprefix(github.raw_url)
    github.faults.inject(Fault(answer=answers.redirect(to, status)), path="/old")
    url, deadline = f"{github.raw_url}/old", Deadline(10)
    with client_of(github).get(url, kind="raw", deadline=deadline, headers={}) as answer:
        assert (answer.url, whole(answer)) == (file.raw_url, b"moved")


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.example/x",
        "//evil.example/x",
        "http://127.0.0.1:1/x",
        "ftp://127.0.0.1/x",
        "//[",
    ],
)
def test_a_redirect_elsewhere_is_refused(github: FakeGithub, location: str) -> None:
    """Another host is not asked; that it was named is said."""
    github.faults.inject(Fault(answer=answers.redirect(location)), path="/old")
    with pytest.raises(GapError) as raised:
        ask(client_of(github), f"{github.raw_url}/old")
    assert raised.value.reason == "host_not_allowed"
    assert len(github.requests) == 1


def test_redirects_end(github: FakeGithub) -> None:
    """A loop is given up after a few rounds."""
    github.faults.inject(Fault(answer=answers.redirect("/old")))
    with pytest.raises(GithubError, match="redirected too often"):
        ask(client_of(github), f"{github.raw_url}/old")
    assert len(github.requests) == MAX_REDIRECTS + 1


def test_a_redirect_without_a_target_is_an_answer(github: FakeGithub) -> None:
    """Nothing is followed where nothing is named."""
    github.faults.inject(Fault(answer=Response(302)))
    assert ask(client_of(github), f"{github.raw_url}/old") == (302, b"")


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_a_failing_server_may_be_asked_again(github: FakeGithub, status: int) -> None:
    """The error has GitHub's words and status, and asks for no wait that was not asked for."""
    github.faults.inject(Fault(answer=answers.server_error(status)))
    with pytest.raises(TransientError, match=f"GitHub answered {status}: Server Error") as raised:
        ask(client_of(github), f"{github.raw_url}/x")
    assert (raised.value.status, raised.value.retry_after_seconds) == (status, 0)
    assert len(github.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 422, 451])
def test_a_refusal_is_an_answer(github: FakeGithub, status: int) -> None:
    """What the caller must judge is handed over, with GitHub's words and its body twice alike."""
    github.faults.inject(Fault(answer=answers.error(status, "No way")))
    url, deadline = f"{github.raw_url}/x", Deadline(10)
    with client_of(github).get(url, kind="raw", deadline=deadline, headers={}) as answer:
        assert answer.status == status
        assert answer.error_message() == f"GitHub answered {status}: No way"
        assert answer.read_error() == answer.read_error() != b""


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_holds_for_a_failing_server(github: FakeGithub, *, as_date: bool) -> None:
    """Seconds and dates are both read, on a 503 too."""
    after = formatdate(time() + 300, usegmt=True) if as_date else "300"
    github.faults.inject(Fault(answer=Response(503, {"Retry-After": after})))
    with pytest.raises(TransientError) as raised:
        ask(client_of(github), f"{github.raw_url}/x")
    assert raised.value.retry_after_seconds == pytest.approx(300, abs=3)


@pytest.mark.parametrize(
    ("limited", "seconds"),
    [
        (lambda: answers.primary_limit(403, reset_in=50), 50),
        (lambda: answers.primary_limit(429, reset_in=50), 50),
        (lambda: answers.secondary_limit(403, retry_after="40"), 40),
        (lambda: answers.secondary_limit(429, retry_after=None), 60),
        (lambda: answers.secondary_limit(403, retry_after=None), 60),
        (answers.raw_limit, 60),
    ],
)
def test_a_limited_host_is_left_alone(
    github: FakeGithub, limited: Callable[[], Response], seconds: float
) -> None:
    """After a refusal the host gets no request; the other host is asked as before."""
    file = add_file(github)
    client = client_of(github)
    url = f"{github.api_url}/users/octocat/gists"
    github.faults.inject(Fault(answer=limited()), origin="api", times=1)
    with (
        pytest.raises(LimitedError, match="GitHub answered 4") as first,
        client.get(url, kind="list", deadline=Deadline(10), headers={}),
    ):
        pass
    assert first.value.retry_after_seconds == pytest.approx(seconds, abs=3)
    with (
        pytest.raises(GithubRateLimitedError) as second,
        client.get(url, kind="list", deadline=Deadline(10), headers={}),
    ):
        pass
    assert second.value.retry_after_seconds == pytest.approx(seconds, abs=5)
    assert len(github.requests_to("api")) == 1
    assert ask(client, file.raw_url)[0] == 200


def test_a_limit_within_the_deadline_is_waited_for(github: FakeGithub) -> None:
    """The next request is sent when the host's time has come, not a moment before."""
    file = add_file(github, "text")
    client = client_of(github)
    github.faults.inject(Fault(answer=answers.raw_limit("1")), times=1)
    with pytest.raises(LimitedError):
        ask(client, file.raw_url)
    assert ask(client, file.raw_url) == (200, b"text")
    first, second = github.requests
    assert second.started - first.started >= 1


def test_the_last_of_a_budget_is_the_last_request(github: FakeGithub) -> None:
    """An answer that leaves nothing is good; the next request is not sent."""
    github.rate_limit.limit = 1
    github.add_user("octocat")
    client, url = client_of(github), f"{github.api_url}/users/octocat/gists"
    with client.get(url, kind="list", deadline=Deadline(10), headers={}) as answer:
        assert whole(answer) == b"[]"
    with (
        pytest.raises(GithubRateLimitedError),
        client.get(url, kind="list", deadline=Deadline(10), headers={}),
    ):
        pass
    assert len(github.requests) == 1


def test_requests_are_told(github: FakeGithub) -> None:
    """Each request is an event: its status and bytes, or why there was no answer."""
    told: list[Event] = []
    file = add_file(github, "text")
    client = client_of(github, observe=told.append)
    ask(client, file.raw_url)
    github.faults.inject(Fault(answer=answers.server_error(500)), times=1)
    with pytest.raises(TransientError):
        ask(client, file.raw_url)
    with github.refusing("raw"), pytest.raises(TransientError):
        ask(client, file.raw_url)
    ended = [event for event in told if isinstance(event, GithubRequestEnded)]
    assert [(event.status, event.error) for event in ended] == [
        (200, None),
        (500, "TransientError"),
        (None, "TransientError"),
    ]
    assert [event.size_bytes > 0 for event in ended] == [True, True, False]
    assert {(event.kind, event.host) for event in ended} == {("raw", github.raw_host)}
    assert all(event.duration_seconds > 0 for event in ended)


def test_connections_are_used_again(github: FakeGithub) -> None:
    """Requests one after the other need one connection, whatever the answers were."""
    file = add_file(github)
    client = client_of(github)
    for url in [file.raw_url, f"{github.raw_url}/no", file.raw_url] * 3:
        ask(client, url)
    assert len({request.connection for request in github.requests}) == 1


def test_a_body_that_is_not_read_is_closed(github: FakeGithub) -> None:
    """Nothing is drained: the server notices, and the next request has a connection of its own."""
    file = add_file(github, Repeated(b"noise " * 1000, 50_000_000))
    client = client_of(github)
    url = str(file.raw_url)
    identity = {"Accept-Encoding": "identity"}
    with client.get(url, kind="raw", deadline=Deadline(10), headers=identity) as answer:
        assert next(iter(answer.chunks()))
    github.wait_quiet()
    assert github.requests[0].aborted
    assert github.requests[0].sent_bytes < 10_000_000
    ask(client, f"{github.raw_url}/no")
    assert len({request.connection for request in github.requests}) == 2


def test_a_client_that_was_closed_connects_anew(github: FakeGithub) -> None:
    """Closing ends the idle connections, no more."""
    file = add_file(github, "text")
    client = client_of(github)
    ask(client, file.raw_url)
    client.close()
    assert ask(client, file.raw_url) == (200, b"text")
    assert len({request.connection for request in github.requests}) == 2


def test_a_body_has_its_bounds(github: FakeGithub) -> None:
    """Who names a largest size gets no more; an error's body is read no further than of use."""
    file = add_file(github, b"x" * 1000)
    client = client_of(github)
    url, deadline = str(file.raw_url), Deadline(10)
    with client.get(url, kind="raw", deadline=deadline, headers={}) as answer:
        assert len(answer.read(1000)) == 1000
    with (
        pytest.raises(GithubError, match="more than 999 bytes"),
        client.get(url, kind="raw", deadline=deadline, headers={}) as answer,
    ):
        answer.read(999)
    endless = Response(404, {"Content-Type": "text/plain"}, Repeated(b"no ", 50_000_000))
    github.faults.inject(Fault(answer=endless))
    with client.get(url, kind="raw", deadline=deadline, headers={}) as answer:
        assert ERROR_BODY_BYTES <= len(answer.read_error()) < 2 * ERROR_BODY_BYTES


def test_an_error_whose_body_breaks_is_still_told(github: FakeGithub) -> None:
    """The status counts; of the words there is what came."""
    refused = Response(403, {"Content-Type": "text/plain"}, Literal(b"too big to show"))
    github.faults.inject(Fault(answer=refused, cut_body_at=7, reset=True))
    url, deadline = f"{github.raw_url}/x", Deadline(10)
    with client_of(github).get(url, kind="raw", deadline=deadline, headers={}) as answer:
        assert answer.status == 403
        assert answer.error_message().startswith("GitHub answered 403")


def test_a_bomb_is_read_in_small_pieces(github: FakeGithub) -> None:
    """A gigabyte in a megabyte of gzip is never there at once."""
    file = add_file(github)
    github.faults.inject(Fault(gzip="bomb"))
    url, deadline = str(file.raw_url), Deadline(30)
    tracemalloc.start()
    try:
        with client_of(github).get(url, kind="raw", deadline=deadline, headers={}) as answer:
            chunks = answer.chunks()
            sizes = [len(next(chunks)) for _ in range(200)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert max(sizes) <= 64 * 1024
    assert peak < 8 * 2**20


def test_a_post_sends_its_body(github: FakeGithub) -> None:
    """A POST has a length, and its answer is handed over, a redirect too."""

    def echo(request: Request) -> Response:
        return Response(307, {"Location": "/elsewhere"}, Literal(request.body))

    github.faults.inject(Fault(answer=echo))
    with client_of(github).post(
        f"{github.raw_url}/x", kind="git", deadline=Deadline(10), headers={"A": "b"}, body=b"want"
    ) as answer:
        assert (answer.status, whole(answer)) == (307, b"want")
    (request,) = github.requests
    assert (request.method, request.headers["content-length"]) == ("POST", "4")
    assert request.headers["a"] == "b"


def test_no_request_is_sent_after_the_deadline(github: FakeGithub) -> None:
    """Work that has to stop asks for nothing."""
    with pytest.raises(DeadlineError):
        ask(client_of(github), f"{github.raw_url}/x", Deadline(0))
    assert github.requests == []


def test_retries_are_counted() -> None:
    """Three more tries, and the last error is the one that is told."""
    retries = Retries(Deadline(60))
    for _ in range(MAX_RETRIES):
        retries.again(TransientError("before"))
    with pytest.raises(TransientError, match="last"):
        retries.again(TransientError("last"))


def test_progress_gives_new_retries() -> None:
    """A try that got further starts the count anew."""
    retries = Retries(Deadline(60))
    for _ in range(2 * MAX_RETRIES):
        retries.again(TransientError("broken"))
        retries.progressed()


def test_a_wait_beyond_the_deadline_is_an_error_at_once() -> None:
    """Who can't wait as long as was asked is told why."""
    with pytest.raises(TransientError, match="503"):
        Retries(Deadline(10)).again(TransientError("503", 503, retry_after_seconds=20))


def test_limits_are_retried_without_a_wait_of_their_own() -> None:
    """The wait is the host's, and in the end there is how long it is."""
    retries = Retries(Deadline(60))
    for _ in range(MAX_RETRIES):
        retries.again(LimitedError("slow down", 429, 30))
    with pytest.raises(GithubRateLimitedError, match="slow down") as raised:
        retries.again(LimitedError("slow down", 429, 30))
    assert raised.value.retry_after_seconds == 30
