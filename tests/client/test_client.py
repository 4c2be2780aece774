"""`gistapi.client` with a service over HTTP: real, broken and hostile."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gistapi.client import ClientError, Match, search
from gistapi.client.following import MAX_ANSWERS
from tests.cli.stub_service import (
    Answer,
    begin,
    end,
    incomplete,
    simple_match,
    stub,
)
from tests.fake_github import FakeGithub
from tests.fake_github.demo import populate
from tests.serving import serving


def found(answer: Answer, **fields: Any) -> list[str]:
    """Return the gists that a search of a stub finds."""
    with stub(answer) as service:
        matches = search(service.url, **({"username": "octocat", "pattern": "x"} | fields))
        return [match.gist.rpartition("/")[2] for match in matches]


def script(*answers: list[Any]) -> Answer:
    """Return one answer after another."""
    left = iter(answers)
    return lambda _: iter(next(left))


LATE = incomplete("deadline")


def test_a_match_says_where(github: FakeGithub) -> None:
    """It has all of the contract's `details`, from a real service."""
    populate(github.world)
    with serving(github, cache_url="off") as service:
        matches = search(
            service.url,
            username="octocat",
            pattern="import (re)quests",
            max_count=2,
            context=1,
            files=["*.py"],
        )
        match = next(match for match in matches if match.description == "Are the sites up?")
        assert next(matches, None) is None or matches.end is None
    (file,) = match.files
    (hit,) = file.matches
    assert (match.owner, match.created_at) == ("octocat", "2014-10-01T09:30:00Z")
    assert (file.file, file.language, file.more) == ("status.py", "Python", False)
    assert (hit.line, hit.column, hit.end_column) == (3, 1, 16)
    assert hit.text[hit.start : hit.end] == "import requests"
    assert (hit.before, hit.after) == (("",), ("",))
    assert hit.url == f"{match.gist}#file-status-py-L3"


def test_the_search_has_a_summary() -> None:
    """`end`, `incomplete` and `targets` are set once the matches have been iterated."""
    target = {"username": "a", "status": "error", "code": "user_not_found", "message": "no such"}
    lines = [
        begin(),
        incomplete("file_unavailable", "https://gist.github.com/b"),
        {"type": "unknown", "data": {}},
        {"type": "target", "data": {**target, "gists": 0, "matches": 0}},
        end(gists=3),
    ]
    with stub(script(lines)) as service:
        results = search(service.url, usernames=["a", "b"], pattern="x")
        assert list(results) == []
    assert results.incomplete[0].reason == "file_unavailable"
    assert (results.targets[0].name, results.targets[0].code) == ("a", "user_not_found")
    assert results.end is not None
    assert (results.end.status, results.end.searched.gists) == ("partial", 3)


def test_a_search_continues_after_a_deadline() -> None:
    """It follows each answer's cursor; a gist that is sent again is no second match."""
    answer = script(
        [begin(), simple_match("a"), LATE, end(1, next="c1")],
        [begin(), simple_match("a"), simple_match("b"), LATE, end(2, next="c2")],
        [begin(), simple_match("c"), end(1)],
    )
    with stub(answer) as service:
        results = search(service.url, username="octocat", pattern="x", limit=5)
        assert [match.gist[-1] for match in results] == ["a", "b", "c"]
        asked = [(body.get("cursor"), body.get("limit")) for body in service.asked]
    assert asked == [(None, 5), ("c1", 4), ("c2", 3)]
    assert results.end is not None
    assert (results.end.matches, results.end.status, results.end.next) == (3, "success", None)
    assert results.end.searched.gists == 3


def test_a_limit_ends_the_search() -> None:
    """The cursor is for another search."""
    answer = script([begin(), simple_match("a"), LATE, end(1, next="c1")])
    with stub(answer) as service:
        results = search(service.url, username="octocat", pattern="x", limit=1)
        assert len(list(results)) == 1
    assert results.end is not None
    assert (results.end.status, results.end.next) == ("success", "c1")


def test_another_reason_ends_the_search() -> None:
    """After a spent budget the caller decides when to continue."""
    spent = incomplete("github_rate_limited")
    with stub(script([begin(), simple_match("a"), spent, end(1, next="c")])) as service:
        results = search(service.url, username="octocat", pattern="x")
        assert len(list(results)) == 1
    assert [gap.reason for gap in results.incomplete] == ["github_rate_limited"]
    assert results.end is not None
    assert (results.end.status, results.end.next) == ("partial", "c")


def progress(**counts: int) -> dict[str, Any]:
    """A line of progress."""
    data = {"gists_done": 1, "gists_total": 2, "files_done": 3, "bytes_done": 4}
    return {"type": "progress", "data": data | counts}


BROKEN: dict[str, list[list[Any]]] = {
    "no end": [[begin(), simple_match("a")]],
    "a continuation without end": [
        [begin(), simple_match("a"), LATE, end(1, next="c")],
        [begin(), simple_match("b")],
    ],
    "nothing": [[]],
    "the same cursor": [
        [begin(), simple_match("a"), LATE, end(1, next="c")],
        [begin(), simple_match("b"), LATE, end(1, next="c")],
    ],
    "no progress": [
        [begin(), simple_match("a"), LATE, end(1, next="c1")],
        [begin(), simple_match("a"), LATE, end(1, gists=0, next="c2")],
    ],
    "not JSON": [[b"nonsense\n"]],
    "deep JSON": [[b"[" * 100_000 + b"\n"]],
    "a huge number": [[b'{"type": "end", "data": {"matches": ' + b"9" * 5000 + b"}}\n"]],
    "a count beyond reason": [[begin(), end(2**63)]],
    "bytes that are no float": [[begin(), progress(bytes_done=10**400), end(0)]],
    "seconds that are no float": [[begin(), end(0, elapsed_seconds=10**400)]],
    "seconds without end": [[begin(), end(0, elapsed_seconds=float("inf"))]],
    "seconds that are no number": [[begin(), end(0, elapsed_seconds=float("nan"))]],
    "a list": [[[]]],
    "no data": [[{"type": "begin"}]],
    "a wrong type": [[begin(), simple_match("a", description={})]],
    "a missing field": [[begin(), simple_match("a", created_at=None)]],
    "a negative count": [[begin(), end(-1)]],
    "a boolean for a number": [[begin(), end(matches=True)]],
    "an error": [[begin(), {"type": "error", "data": {"code": "x", "message": "failed"}}]],
    "an error without a message": [[begin(), {"type": "error", "data": {}}]],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_an_error(name: str) -> None:
    """The search never looks complete."""
    with pytest.raises(ClientError):
        found(script(*BROKEN[name]))


def test_endless_cursors_end() -> None:
    """A service that always sends another cursor is given up."""
    count = itertools.count()

    def answer(_: dict[str, Any]) -> Iterator[Any]:
        number = next(count)
        return iter([begin(), LATE, end(0, next=f"c{number}")])

    with pytest.raises(ClientError, match="has not ended"):
        found(answer)
    assert next(count) == MAX_ANSWERS


def test_offsets_outside_the_text_are_refused() -> None:
    """Callers need not check them."""
    wrong = simple_match("a")
    wrong["data"]["files"][0]["matches"][0]["end"] = 1000
    with pytest.raises(ClientError, match="end"):
        found(script([begin(), wrong, end(1)]))


def test_an_error_has_its_code_and_status() -> None:
    """Its message is the service's."""
    fault = {"field": "pattern", "message": "missing )", "position": 4}
    refusal = {"code": "invalid_pattern", "message": "The pattern is faulty", "errors": [fault]}
    refusing = stub(lambda _: iter([refusal]), status=400)
    with refusing as service, pytest.raises(ClientError, match=r"missing \)") as caught:
        list(search(service.url, username="octocat", pattern="x"))
    assert (caught.value.code, caught.value.status) == ("invalid_pattern", 400)
    assert caught.value.position == 4


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_of_another_server_is_an_error(status: int) -> None:
    """A redirect is not followed, since the key would be sent along."""
    odd = stub(lambda _: iter([b"<html>" * 1000]), status=status, reason="Odd")
    with odd as service, pytest.raises(ClientError, match=f"answered {status} Odd"):
        list(search(service.url, username="octocat", pattern="x"))


def test_secrets_are_sent_as_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Key and token are sent; a password in `.netrc` is not."""
    (tmp_path / ".netrc").write_text("default login canary password canary")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with stub(lambda _: iter([begin(), end()])) as service:
        list(search(service.url, key="gak_1", github_token="ghp_2", username="o", pattern="x"))
        list(search(service.url, username="o", pattern="x"))
    assert service.headers[0]["Authorization"] == "Bearer gak_1"
    assert service.headers[0]["X-GitHub-Token"] == "ghp_2"
    assert not {"Authorization", "X-GitHub-Token"} & set(service.headers[1])


def test_closing_a_search_closes_its_connection() -> None:
    """The service notices, and stops."""
    gone = threading.Event()

    def answer(_: dict[str, Any]) -> Iterator[Any]:
        try:
            yield begin()
            while True:
                yield simple_match("a" * 10_000)
        except (OSError, GeneratorExit):
            gone.set()
            raise

    with stub(answer) as service:
        results = search(service.url, username="octocat", pattern="x")
        assert isinstance(next(results), Match)
        results.close()
        assert gone.wait(30)


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("nonsense", "not an address"),
        ("ftp://x", "not an address"),
        ("http://", "not an address"),
        ("http://a b", "not"),
        ("http://[::1", "not"),
        ("http://x.invalid", "cannot be reached"),
    ],
)
def test_an_unreachable_server_is_an_error(server: str, message: str) -> None:
    """The message is plain, without a library's text or a class name."""
    with pytest.raises(ClientError, match=message) as caught:
        list(search(server, username="octocat", pattern="x"))
    for word in ("urllib3", "requests", "Errno", "HTTPConnection", "object at", "Max retries"):
        assert word not in str(caught.value)


def test_a_server_that_closes_at_once_is_an_error() -> None:
    """It closes the connection without an answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def close() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=close)
        thread.start()
        with pytest.raises(ClientError, match="cannot be reached"):
            list(search(f"http://127.0.0.1:{port}", username="octocat", pattern="x"))
        thread.join()
