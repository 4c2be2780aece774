"""The contract, from a caller's socket to GitHub's and back; nothing in between is made up."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
import requests

from tests.fake_github import FakeGithub, Fault
from tests.fake_github.message import from_json, text
from tests.serving import Serving, serving

NDJSON = {"Accept": "application/x-ndjson"}
BODY = {"username": "octocat", "pattern": "needle"}


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeGithub]:
    """One fake GitHub for the module; each test begins with it as new."""
    with FakeGithub() as fake:
        yield fake


@pytest.fixture(scope="module")
def running(hub: FakeGithub) -> Iterator[Serving]:
    """One service for the module, on that GitHub, that remembers nothing."""
    with serving(
        hub,
        cache_url="off",
        listing_ttl_seconds=0,
        github_timeout_seconds=2,
        search_deadline_seconds=6,
    ) as service:
        yield service


@pytest.fixture
def service(running: Serving, hub: FakeGithub) -> Serving:
    """The service, with a GitHub on which nothing has happened yet."""
    hub.reset()
    return running


def post(service: Serving, **more: object) -> requests.Response:
    """Ask for a plain answer."""
    return requests.post(f"{service.url}/api/v1/search", json=BODY | more, timeout=30)


def stream(service: Serving, **more: object) -> Iterator[dict[str, Any]]:
    """Ask for a stream; its lines as they come."""
    url = f"{service.url}/api/v1/search"
    with requests.post(url, json=BODY | more, headers=NDJSON, timeout=30, stream=True) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines(chunk_size=1):
            yield json.loads(line)


def test_the_plain_answer_and_the_stream_tell_the_same(service: Serving, hub: FakeGithub) -> None:
    """Matches, details and filters agree, and are the true ones."""
    user = hub.add_user("octocat")
    for number in range(230):
        name = f"f{number}.{'py' if number % 3 else 'txt'}"
        user.add_gist({name: f"# {number}\nneedle\n" if number % 5 else f"# {number}\n"})
    asked: dict[str, object] = {"details": True, "files": ["*.py"]}
    plain = post(service, **asked).json()
    told = list(stream(service, **asked))
    found = [line["data"] for line in told if line["type"] == "match"]
    expected = [gist.html_url for gist in user.gists if any("py" in name for name in gist.files)]
    assert plain["matches"] == [url for url in user.matching("needle") if url in expected]
    assert 100 < len(plain["matches"]) < 150
    assert [detail["gist"] for detail in plain["details"]] == plain["matches"]
    assert all(detail["file"].endswith(".py") for detail in plain["details"])
    assert {(detail["line"], detail["column"], detail["text"]) for detail in found} == {
        (2, 1, "needle")
    }
    assert {detail["gist"] for detail in found} == set(plain["matches"])
    assert told[0] == {"type": "begin", "data": BODY}
    assert told[-1]["type"] == "end"
    assert told[-1]["data"]["matches"] == len(found)


def test_a_line_is_sent_when_it_is_known_as_a_chunk_of_its_own(
    service: Serving, hub: FakeGithub
) -> None:
    """A match arrives while other files are still being read; every chunk is one whole line."""
    user = hub.add_user("octocat")
    user.add_gist({"slow": "needle in slow"})
    user.add_gist({"fast": "needle in fast"})
    hub.faults.inject(Fault(latency_seconds=1.5), path="/slow")
    body = json.dumps(BODY).encode()
    head = (
        "POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
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
    kinds = [line["type"] for line in lines]
    assert kinds[:2] == ["begin", "match"]
    assert kinds[-2:] == ["match", "end"]
    assert "progress" in kinds[2:-2]
    assert lines[1]["data"]["file"] == "fast"


def test_progress_comes_while_nothing_else_does(service: Serving, hub: FakeGithub) -> None:
    """At least every second (here: two, on a busy machine) the stream says that it lives."""
    hub.add_user("octocat").add_gist({"slow": "x"})
    hub.faults.inject(Fault(bytes_per_second=0.3), path="/slow")
    came_at = [time.monotonic() for _ in stream(service)]
    pauses = [later - earlier for earlier, later in pairwise(came_at)]
    assert len(pauses) >= 3
    assert max(pauses) < 2


def test_a_client_that_leaves_stops_the_search_and_its_downloads(
    service: Serving, hub: FakeGithub
) -> None:
    """A few seconds after it left, GitHub is asked for nothing any more."""
    user = hub.add_user("octocat")
    for number in range(400):
        user.add_gist({"f": f"text {number}"})
    hub.traffic["raw"].latency_seconds = 0.3
    lines = stream(service)
    assert next(lines)["type"] == "begin"
    time.sleep(0.5)
    lines.close()  # type: ignore[attr-defined]
    time.sleep(2.5)
    asked = len(hub.requests)
    assert asked < 300
    hub.wait_quiet(1)
    time.sleep(1)
    assert len(hub.requests) == asked


def test_following_next_gives_every_match_once(service: Serving, hub: FakeGithub) -> None:
    """Page after page, plain or streamed, in GitHub's order."""
    user = hub.add_user("octocat")
    for number in range(60):
        user.add_gist({"f": "needle" if number % 4 == 0 else f"text {number}"})
    expected = user.matching("needle")
    found: list[str] = []
    more: dict[str, object] = {"limit": 3}
    while True:
        if len(found) % 2:
            told = list(stream(service, **more))
            found += [line["data"]["gist"] for line in told if line["type"] == "match"]
            following = told[-1]["data"].get("next")
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


def test_a_deadline_makes_the_answer_partial(service: Serving, hub: FakeGithub) -> None:
    """What could not be read in time is said, and where to go on."""
    user = hub.add_user("octocat")
    user.add_gist({"slow": "needle slow"})
    user.add_gist({"fast": "needle fast"})
    hub.faults.inject(Fault(bytes_per_second=1), path="/slow")
    body = post(service).json()
    assert body["status"] == "partial"
    assert body["matches"] == user.matching("fast")
    assert [gap["reason"] for gap in body["incomplete"]] == ["deadline"]
    assert body["next"]


@pytest.mark.parametrize(
    ("pattern", "good", "fuel"),
    [
        (r"(a|a)*(\1)[bc]", "aab", "a" * 60),
        ("[ab]*a[ab]{400}c", "a" * 401 + "c", "".join(random.Random(1).choices("ab", k=1 << 20))),
    ],
    ids=["re", "re2"],
)
def test_a_bomb_is_a_gap_and_pings_are_answered_meanwhile(
    service: Serving, hub: FakeGithub, pattern: str, good: str, fuel: str
) -> None:
    """Whichever engine it overcomes; the other file is searched, and so is whatever comes next."""
    user = hub.add_user("octocat")
    user.add_gist({"good": good})
    bad = user.add_gist({"bad": fuel})
    pings = 0
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(post, service, pattern=pattern)
        while not asked.done():
            assert requests.get(f"{service.url}/ping", timeout=2).text == "pong"
            pings += 1
        answer = asked.result().json()
    assert pings > 5
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
        (Fault(hang=True, cut_head_at=0), 504, "github_timeout"),
    ],
)
def test_a_failure_of_github_before_the_first_page_has_its_status(
    service: Serving, hub: FakeGithub, fault: Fault, status: int, code: str, accept: str
) -> None:
    """Whether an object or a stream was asked for, the error shape is the same."""
    hub.add_user("octocat").add_gist({"a": "needle"})
    hub.faults.inject(fault, origin="api")
    answer = requests.post(
        f"{service.url}/api/v1/search",
        json=BODY,
        headers={"Accept": accept, "X-Request-ID": "mine"},
        timeout=30,
    )
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert answer.headers["X-Request-ID"] == body["request_id"] == "mine"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_spent_budget_is_a_503_that_says_until_when(github: FakeGithub) -> None:
    """GitHub's reset becomes Retry-After; GitHub is not asked again before it."""
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
