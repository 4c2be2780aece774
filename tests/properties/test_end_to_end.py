"""The contract, from a caller's socket to GitHub's and back; nothing in between is replaced."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests

from tests.fake_github import FakeGithub, Fault
from tests.fake_github.message import from_json, text
from tests.serving import SECONDS, Serving, serving
from tests.waiting import until
from tests.web.operations.test_operation import counted

NDJSON = {"Accept": "application/x-ndjson"}
BODY = {"username": "octocat", "pattern": "needle"}
FUEL = random.Random(1).randbytes(1 << 23).translate(b"ab" * 128).decode()
"""Random letters a and b."""
CANCELLED = 'gistapi_searches_total{outcome="cancelled"}'


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeGithub]:
    """One fake GitHub for the module; each test starts with its initial state."""
    with FakeGithub() as fake:
        yield fake


def forgetful(
    hub: FakeGithub, *, wait_seconds: int, deadline_seconds: int
) -> AbstractContextManager[Serving]:
    """Run a service on that GitHub without a cache."""
    return serving(
        hub,
        cache_url="off",
        listing_ttl_seconds=0,
        github_timeout_seconds=wait_seconds,
        search_deadline_seconds=deadline_seconds,
    )


@pytest.fixture(scope="module")
def running(hub: FakeGithub) -> Iterator[Serving]:
    """One service for the module, with timeouts that no machine reaches."""
    with forgetful(hub, wait_seconds=100, deadline_seconds=100) as service:
        yield service


@pytest.fixture(scope="module")
def impatient(hub: FakeGithub) -> Iterator[Serving]:
    """One service for the module that gives a silent GitHub up after four seconds."""
    with forgetful(hub, wait_seconds=2, deadline_seconds=60) as service:
        yield service


@pytest.fixture
def service(running: Serving, hub: FakeGithub) -> Serving:
    """Return the service, with a GitHub in its initial state."""
    hub.reset()
    return running


def post(service: Serving, **more: object) -> requests.Response:
    """Request a plain answer."""
    return requests.post(f"{service.url}/api/v1/search", json=BODY | more, timeout=SECONDS)


def stream(service: Serving, **more: object) -> Iterator[dict[str, Any]]:
    """Request a stream; yield its lines as they arrive."""
    url = f"{service.url}/api/v1/search"
    with requests.post(
        url, json=BODY | more, headers=NDJSON, timeout=SECONDS, stream=True
    ) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines(chunk_size=1):
            yield json.loads(line)


def test_the_plain_answer_and_the_stream_have_the_same_matches(
    service: Serving, hub: FakeGithub
) -> None:
    """Matches, details and filters agree with each other and with the truth."""
    user = hub.add_user("octocat")
    for number in range(230):
        name = f"f{number}.{'py' if number % 3 else 'txt'}"
        user.add_gist({name: f"# {number}\nneedle\n" if number % 5 else f"# {number}\n"})
    asked: dict[str, object] = {"details": True, "files": ["*.py"]}
    plain = post(service, **asked).json()
    lines = list(stream(service, **asked))
    found = [line["data"] for line in lines if line["type"] == "match"]
    expected = [gist.html_url for gist in user.gists if any("py" in name for name in gist.files)]
    assert plain["matches"] == [url for url in user.matching("needle") if url in expected]
    assert 100 < len(plain["matches"]) < 150
    assert [detail["gist"] for detail in plain["details"]] == plain["matches"]
    files = [file for detail in found for file in detail["files"]]
    assert all(file["file"].endswith(".py") for file in files)
    matches = [match for file in files for match in file["matches"]]
    assert {(match["line"], match["column"], match["text"]) for match in matches} == {
        (2, 1, "needle")
    }
    assert {detail["gist"] for detail in found} == set(plain["matches"])
    assert lines[0] == {"type": "begin", "data": BODY}
    assert lines[-1]["type"] == "end"
    assert lines[-1]["data"]["matches"] == len(found)


def test_a_line_is_sent_when_it_is_known_as_a_chunk_of_its_own(
    service: Serving, hub: FakeGithub
) -> None:
    """A match arrives while other files are still being read; each chunk is one whole line."""
    user = hub.add_user("octocat")
    user.add_gist({"slow": "needle in slow"})
    user.add_gist({"fast": "needle in fast"})
    gate = threading.Event()
    hub.faults.inject(Fault(held=gate), path="/slow")
    body = json.dumps(BODY).encode()
    head = (
        "POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with service.connect(head.encode() + body) as connection, connection.makefile("rb") as answer:
        headers = {line.strip().lower() for line in iter(answer.readline, b"\r\n")}
        assert b"transfer-encoding: chunked" in headers
        assert b"x-accel-buffering: no" in headers
        lines = []
        while size := int(answer.readline(), 16):
            chunk = answer.read(size)
            assert answer.read(2) == b"\r\n"
            assert chunk.endswith(b"\n")
            assert chunk.count(b"\n") == 1
            lines.append(json.loads(chunk))
            if lines[-1]["type"] == "match":
                gate.set()
    lines = [line for line in lines if line["type"] != "progress"]
    assert [line["type"] for line in lines] == ["begin", "match", "match", "end"]
    assert [line["data"]["files"][0]["file"] for line in lines[1:3]] == ["fast", "slow"]


def test_progress_comes_while_nothing_else_does(service: Serving, hub: FakeGithub) -> None:
    """The stream sends progress for as long as GitHub is silent."""
    hub.add_user("octocat").add_gist({"slow": "x"})
    gate = threading.Event()
    hub.faults.inject(Fault(held=gate), path="/slow")
    kinds = []
    for line in stream(service):
        kinds.append(line["type"])
        if kinds.count("progress") == 3:
            gate.set()
    assert kinds[:4] == ["begin", "progress", "progress", "progress"]
    assert kinds[-1] == "end"


def test_a_client_that_leaves_stops_the_search_and_its_downloads(
    service: Serving, hub: FakeGithub
) -> None:
    """Soon after the client has left, its downloads end and GitHub receives nothing more."""
    user = hub.add_user("octocat")
    for number in range(400):
        user.add_gist({"f": f"text {number}"})
    hub.faults.inject(Fault(held=threading.Event()), origin="raw")
    before = counted(service, CANCELLED)
    lines = stream(service)
    assert next(lines)["type"] == "begin"
    until(lambda: hub.traffic["raw"].in_flight > 0)
    lines.close()  # type: ignore[attr-defined]
    until(lambda: counted(service, CANCELLED) == before + 1)
    hub.wait_quiet(SECONDS)
    asked = len(hub.requests_to("raw"))
    assert asked <= 16
    hub.faults.clear()
    hub.add_user("hubot").add_gist({"f": "needle"})
    assert post(service, username="hubot").json()["matches"]
    assert len(hub.requests_to("raw")) == asked + 1


def test_following_next_gives_every_match_once(service: Serving, hub: FakeGithub) -> None:
    """The pages, plain or streamed, follow GitHub's order."""
    user = hub.add_user("octocat")
    for number in range(60):
        user.add_gist({"f": "needle" if number % 4 == 0 else f"text {number}"})
    expected = user.matching("needle")
    found: list[str] = []
    more: dict[str, object] = {"limit": 3}
    while True:
        if len(found) % 2:
            lines = list(stream(service, **more))
            found += [line["data"]["gist"] for line in lines if line["type"] == "match"]
            following = lines[-1]["data"].get("next")
        else:
            answer = post(service, **more).json()
            assert answer["status"] == "success"
            found += answer["matches"]
            following = answer.get("next")
        if following is None:
            break
        more["cursor"] = following
    assert found == expected
    assert len(expected) > 6


def test_a_deadline_makes_the_answer_partial(hub: FakeGithub) -> None:
    """The answer says what could not be read in time, and where to continue."""
    hub.reset()
    user = hub.add_user("octocat")
    user.add_gist({"slow": "needle slow"})
    user.add_gist({"fast": "needle fast"})
    hub.faults.inject(Fault(cut_body_at=1, hang=True), path="/slow")
    with forgetful(hub, wait_seconds=60, deadline_seconds=10) as service:
        body = post(service).json()
    assert body["status"] == "partial"
    assert body["matches"] == user.matching("fast")
    assert [gap["reason"] for gap in body["incomplete"]] == ["deadline"]
    assert body["next"]


@pytest.mark.parametrize(
    ("pattern", "good", "fuel"),
    [
        # 2**60 ways to match; and at least a minute of RE2
        (r"(a|a)*(\1)[bc]", "aab", "a" * 60),
        ("[ab]*a[ab]{900}c", "a" * 901 + "c", FUEL),
    ],
    ids=["re", "re2"],
)
def test_a_bomb_is_a_gap_and_pings_are_answered_meanwhile(
    service: Serving, hub: FakeGithub, pattern: str, good: str, fuel: str
) -> None:
    """Whichever engine it overcomes: the other file is searched, and so is the next search."""
    user = hub.add_user("octocat")
    user.add_gist({"good": good})
    bad = user.add_gist({"bad": fuel})
    meanwhile = 0
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(post, service, pattern=pattern)
        while not asked.done():
            assert requests.get(f"{service.url}/ping", timeout=SECONDS).text == "pong"
            meanwhile += not asked.done()
        answer = asked.result().json()
    assert meanwhile > 0
    assert answer["matches"] == [gist.html_url for gist in user.gists if gist is not bad]
    gaps = [(gap["gist"], gap["file"], gap["reason"]) for gap in answer["incomplete"]]
    assert gaps == [(bad.html_url, "bad", "pattern_timeout")]
    assert post(service, pattern=r"(a)\1").json()["status"] == "success"


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(answer=from_json(404, {"message": "Not Found"})), 404, "user_not_found"),
        (Fault(answer=from_json(401, {"message": "Bad credentials"})), 502, "github_error"),
        (Fault(answer=text(200, "<html>")), 502, "github_error"),
        (Fault(answer=from_json(451, {"message": "Blocked"})), 502, "github_error"),
    ],
)
def test_a_failure_of_github_before_the_first_page_has_its_status(
    impatient: Serving, hub: FakeGithub, fault: Fault, status: int, code: str, accept: str
) -> None:
    """The error shape is the same for an object and for a stream."""
    hub.reset()
    hub.add_user("octocat").add_gist({"a": "needle"})
    hub.faults.inject(fault, origin="api")
    answer = requests.post(
        f"{impatient.url}/api/v1/search",
        json=BODY,
        headers={"Accept": accept, "X-Request-ID": "mine"},
        timeout=SECONDS,
    )
    assert answer.headers["X-Request-ID"] == "mine"
    if accept == "application/x-ndjson" and answer.status_code == 200:  # it had begun by then
        last = json.loads(answer.text.splitlines()[-1])
        assert (last["type"], last["data"]["code"]) == ("error", code)
        return
    body = answer.json()
    assert (answer.status_code, body["code"], body["request_id"]) == (status, code, "mine")
    assert answer.headers["Content-Type"] == "application/json"


def test_a_silent_github_is_a_timeout_in_either_form(impatient: Serving, hub: FakeGithub) -> None:
    """A status for an object; the last line of a stream, which has begun by then."""
    hub.reset()
    hub.add_user("octocat").add_gist({"a": "needle"})
    hub.faults.inject(Fault(hang=True, cut_head_at=0), origin="api")
    answer = post(impatient)
    assert (answer.status_code, answer.json()["code"]) == (504, "github_timeout")
    last = list(stream(impatient))[-1]
    assert (last["type"], last["data"]["code"]) == ("error", "github_timeout")


def test_a_spent_budget_is_a_503_that_says_until_when(github: FakeGithub) -> None:
    """GitHub's reset becomes Retry-After; GitHub receives no request before it."""
    github.add_user("octocat")
    github.rate_limit.use_up()
    with serving(github) as service:
        answers = [post(service) for _ in range(2)]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "github_rate_limited")
        assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert len(github.requests) == 1


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"pattern": "(a"}, "invalid_pattern"),
        ({"pattern": "x" * 1001}, "invalid_pattern"),
        ({"cursor": "no"}, "invalid_cursor"),
        ({"files": ["{" + "a,b}{" * 12 + "a,b}"]}, "invalid_request"),
        ({"limit": 0}, "invalid_request"),
    ],
)
def test_a_request_that_makes_no_sense_costs_github_nothing(
    service: Serving, hub: FakeGithub, more: dict[str, object], code: str
) -> None:
    """All checks come before the first request to GitHub."""
    hub.add_user("octocat").add_gist({"a": "needle"})
    answer = post(service, **more)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert hub.requests == []
