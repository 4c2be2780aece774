"""Limits by caller, through a whole service with the fake GitHub."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gistapi.app import create_app, service_of
from gistapi.quota.keys import KeyFile
from gistapi.web.protection.rate_limits import caller_of
from tests.fake_github import FakeGithub, Repeated
from tests.test_app import settings
from tests.web.searches import NDJSON, SEARCH

MIB = 2**20


class Client:
    """Sends requests to a service; each address is another caller."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def ask(
        self,
        username: str = "octocat",
        *,
        address: str = "192.0.2.1",
        headers: dict[str, str] | None = None,
        buffered: bool = True,
        **body: object,
    ) -> TestResponse:
        """Send a search that matches nothing, unless the body says otherwise."""
        return self._client.post(
            SEARCH,
            json={"username": username, "pattern": "nowhere"} | body,
            headers=headers,
            environ_base={"REMOTE_ADDR": address},
            buffered=buffered,
        )


@contextmanager
def serving(github: FakeGithub, **limits: object) -> Iterator[Client]:
    """A service with these settings."""
    app = create_app(settings(github, **{"keys_file": Path("no-keys.json")} | limits))
    try:
        yield Client(app.test_client())
    finally:
        service_of(app).close()


def limits_of(answer: TestResponse) -> dict[str, dict[str, int]]:
    """The RateLimit fields by name: quota and window (q, w), and what is left (r, t)."""
    found: dict[str, dict[str, int]] = {}
    for header in ("RateLimit-Policy", "RateLimit"):
        for member in answer.headers.get(header, "").split(", "):
            if named := re.fullmatch(r'"(\w+)"((?:;[qwrt]=\d+)+)', member):
                values = dict(pair.split("=") for pair in named[2][1:].split(";"))
                found.setdefault(named[1], {}).update({k: int(v) for k, v in values.items()})
    return found


def refused(answer: TestResponse) -> tuple[int, str, int]:
    """Status, code and wait of a refusal."""
    return answer.status_code, answer.get_json()["code"], int(answer.headers["Retry-After"])


@pytest.fixture(autouse=True)
def _octocat(github: FakeGithub) -> None:
    github.add_user("octocat").add_gist({"a.txt": "text"})


def test_without_settings_nobody_is_limited(github: FakeGithub) -> None:
    """No answer has RateLimit fields."""
    with serving(github) as client:
        answers = [client.ask() for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert limits_of(answers[-1]) == {}


def test_requests_over_the_limit_are_refused(github: FakeGithub) -> None:
    """The answer is a 429 with the wait; every answer says how many are left."""
    with serving(github, rate_limit="3/minute") as client:
        answers = [client.ask() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [limits_of(answer)["search"]["r"] for answer in answers] == [2, 1, 0, 0, 0]
    for answer in answers:
        limit = limits_of(answer)["search"]
        assert (limit["q"], limit["w"]) == (3, 60)
        assert 0 < limit["t"] <= 60
    status, code, wait = refused(answers[-1])
    assert (status, code) == (429, "rate_limited")
    assert 0 < wait <= 60


def test_after_the_period_requests_are_accepted_again(github: FakeGithub) -> None:
    """The period starts with the caller's first request."""
    with serving(github, rate_limit="1/second") as client:
        statuses: list[int] = []
        while statuses[-2:] != [429, 200]:
            statuses.append(client.ask().status_code)
            assert len(statuses) < 10_000
    assert statuses[0] == 200


def test_every_request_counts(github: FakeGithub) -> None:
    """This includes an invalid body and an unknown user."""
    with serving(github, rate_limit="2/minute") as client:
        assert client.ask(limit="x").status_code == 400
        answer = client.ask("nobody")
        assert (answer.status_code, limits_of(answer)["search"]["r"]) == (404, 0)
        assert client.ask().status_code == 429


def test_a_daily_limit_applies_too(github: FakeGithub) -> None:
    """Both are reported; a request that one of them refuses does not count for the other."""
    with serving(github, rate_limit="2/minute", daily_limit=3) as client:
        answers = [client.ask() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert limits_of(answers[1])["day"].items() >= {"q": 3, "w": 86400, "r": 1}.items()
    with serving(github, daily_limit=2) as client:
        answers = [client.ask() for _ in range(3)]
        status, code, wait = refused(answers[-1])
    assert (status, code) == (429, "rate_limited")
    assert 86_000 < wait <= 86_400


def test_a_key_may_have_a_total(github: FakeGithub, tmp_path: Path) -> None:
    """It is never reset; another key, even with the same name, has its own."""
    file = KeyFile(tmp_path / "keys.json")
    key, other = file.create("ci"), file.create("phone")
    with serving(github, key_total_limit=2, keys_file=tmp_path / "keys.json") as client:
        answers = [client.ask(headers={"X-API-Key": key}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [limits_of(answer)["total"] for answer in answers] == [
            {"q": 2, "r": left} for left in (1, 0, 0)
        ]
        assert client.ask(headers={"X-API-Key": other}).status_code == 200
        file.revoke("ci")
        assert client.ask(headers={"X-API-Key": file.create("ci")}).status_code == 200


def test_a_key_is_one_caller_from_any_address(github: FakeGithub, tmp_path: Path) -> None:
    """Without a key, the address is the caller."""
    key = {"X-API-Key": KeyFile(tmp_path / "keys.json").create("ci")}
    keys = {"keys_file": tmp_path / "keys.json", "keys_optional": True}
    with serving(github, rate_limit="2/minute", **keys) as client:
        statuses = [client.ask(address=f"192.0.2.{n}", headers=key).status_code for n in range(3)]
        assert statuses == [200, 200, 429]
        assert client.ask(address="192.0.2.1").status_code == 200


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:0:ffff::2", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
    ],
)
def test_an_ipv6_caller_is_a_network(address: str, same: str, other: str) -> None:
    """A subscriber has a /64, and could be a new caller with each request."""
    assert caller_of(address, None) == caller_of(same, None) != caller_of(other, None)
    assert caller_of(address, "0" * 64) == caller_of(other, "0" * 64) != caller_of(address, None)


def test_callers_without_an_address_are_one_caller() -> None:
    """They use a Unix socket of this machine."""
    assert caller_of("", None) == "address:"


def test_concurrent_searches_are_limited(github: FakeGithub) -> None:
    """Another one gets a 503 with a wait of a second; a stream counts until it is closed."""
    github.traffic["raw"].latency_seconds = 60
    with serving(github, caller_searches=2, search_deadline_seconds=50) as client:
        first, second = (client.ask(headers=NDJSON, buffered=False) for _ in range(2))
        for stream in (first, second):
            assert b'"begin"' in next(iter(stream.response))
        assert refused(client.ask()) == (503, "overloaded", 1)
        assert client.ask("nobody", address="192.0.2.2").status_code == 404
        second.close()
        assert client.ask("nobody").status_code == 404
        assert client.ask("nobody").status_code == 404
        third = client.ask(headers=NDJSON, buffered=False)
        assert third.status_code == 200
        assert client.ask().status_code == 503
        first.close()
        third.close()


def test_a_failed_search_frees_its_place(github: FakeGithub) -> None:
    """The cause may be a body, a limit or an error of GitHub."""
    with serving(github, caller_searches=1, rate_limit="6/minute") as client:
        statuses = [client.ask(limit="x").status_code for _ in range(3)]
        statuses += [client.ask("nobody").status_code for _ in range(3)]
        statuses += [client.ask().status_code for _ in range(3)]
    assert statuses == [400] * 3 + [404] * 3 + [429] * 3


def test_concurrent_requests_lose_no_place(github: FakeGithub) -> None:
    """In the end there are as many as before."""
    with serving(github, caller_searches=3) as client:
        threads = [threading.Thread(target=client.ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        github.traffic["raw"].latency_seconds = 60
        streams = [client.ask(headers=NDJSON, buffered=False, pattern=f"x{n}") for n in range(4)]
        assert sorted(stream.status_code for stream in streams) == [200, 200, 200, 503]
        for stream in streams:
            stream.close()


def incomplete(answer: TestResponse) -> list[str]:
    """The reasons of a partial answer."""
    body = answer.get_json()
    assert body["status"] == "partial", body
    return [gap["reason"] for gap in body["incomplete"]]


def test_a_spent_byte_quota_ends_a_search_with_a_cursor(github: FakeGithub) -> None:
    """With the cursor another caller gets the rest, and no match twice."""
    user = github.add_user("many")
    for number in range(30):
        user.add_gist({f"f{number}": f"needle {number} " + "x" * 200_000})
    with serving(github, caller_github_bytes=2 * MIB, github_concurrency=2) as client:
        first = client.ask("many", pattern="needle")
        assert incomplete(first) == ["byte_quota"]
        assert limits_of(first)["bytes"].items() >= {"q": 2 * MIB, "w": 86400, "r": 0}.items()
        matches, following = first.get_json()["matches"], first.get_json()["next"]
        assert 5 < len(matches) < 15
        for number in range(2, 9):
            address = f"192.0.2.{number}"
            answer = client.ask("many", pattern="needle", cursor=following, address=address)
            matches += answer.get_json()["matches"]
            following = answer.get_json().get("next")
            if following is None:
                break
    assert sorted(matches) == sorted(user.matching("needle"))


def test_a_large_download_stops_when_the_quota_is_spent(github: FakeGithub) -> None:
    """It stops in the middle: little more is read than the quota has left."""
    block = random.Random(0).randbytes(2**17)  # incompressible
    github.add_user("large").add_gist({"a": Repeated(block, 90 * MIB)})
    with serving(github, caller_github_bytes=2 * MIB) as client:
        answer = client.ask("large")
        assert refused(answer)[:2] == (429, "byte_quota_exceeded")
        again = client.ask("large")
    assert 86_000 < refused(again)[2] <= 86_400
    assert github.traffic["raw"].requests == 1
    assert github.traffic["raw"].sent_bytes < 30 * MIB  # including bytes in transit
    assert (
        again.get_json()["message"]
        == "Daily download quota exceeded (2 MB). It resets in 24 hours."
    )


def test_with_a_spent_quota_the_cache_can_be_searched(
    github: FakeGithub,
) -> None:
    """GitHub gets no request, cached searches cost nothing, and others have their own quota."""
    known = github.add_user("known")
    known.add_gist({"a": "needle"})
    github.add_user("large").add_gist({"a": "x" * 3 * MIB})
    with serving(github, caller_github_bytes=MIB, caller_github_requests="50/hour") as client:
        warm = client.ask("known", pattern="needle")
        assert limits_of(warm)["github"]["r"] == 48
        assert 0 < limits_of(warm)["bytes"]["r"] < MIB
        assert client.ask("large").status_code == 429
        github.forget()
        again = client.ask("known", pattern="needle")
        assert again.get_json() == warm.get_json()
        assert limits_of(again)["bytes"]["r"] == 0
        refused_ones = [client.ask(user) for user in ("octocat", "nobody")]
        assert [answer.status_code for answer in refused_ones] == [429, 429]
        assert github.requests == []
        assert client.ask("octocat", address="192.0.2.2").status_code == 200


def test_bytes_read_by_git_count(github: FakeGithub) -> None:
    """A gist that is cloned uses as much of the quota as any other."""
    block = random.Random(0).randbytes(3 * MIB)
    files: dict[str, str | bytes] = {f"f{number}": f"{number}" for number in range(320)}
    github.add_user("git").add_gist(files | {"large": block})
    with serving(github, caller_github_bytes=MIB) as client:
        assert refused(client.ask("git"))[:2] == (429, "byte_quota_exceeded")
        assert refused(client.ask("octocat"))[:2] == (429, "byte_quota_exceeded")
    assert len(github.requests_to("git")) > 0


def test_small_downloads_add_up(github: FakeGithub) -> None:
    """Small searches together spend the quota, although use is counted in batches."""
    for number in range(12):
        github.add_user(f"user{number}").add_gist({"a": f"{number}" * 150_000})
    with serving(github, caller_github_bytes=MIB) as client:
        statuses = [client.ask(f"user{number}").status_code for number in range(12)]
    assert statuses[:5] == [200] * 5
    assert statuses[-3:] == [429] * 3


def test_a_quota_of_requests_to_github_is_exact(github: FakeGithub) -> None:
    """No request is sent beyond it, from any thread; the matches found so far are returned."""
    user = github.add_user("many")
    for number in range(40):
        user.add_gist({"a": f"needle {number}"})
    with serving(github, caller_github_requests="25/hour") as client:
        first = client.ask("many", pattern="needle")
        assert incomplete(first) == ["github_rate_limited"]
        assert limits_of(first)["github"].items() >= {"q": 25, "w": 3600, "r": 0}.items()
        assert len(github.requests) == 25
        matches, cursor = first.get_json()["matches"], first.get_json()["next"]
        assert 8 < len(matches) <= 24
        status, code, wait = refused(client.ask("many", pattern="needle", cursor=cursor))
        assert (status, code) == (429, "rate_limited")
        assert 3000 < wait <= 3600
        assert len(github.requests) == 25
        rest = client.ask("many", pattern="needle", cursor=cursor, address="192.0.2.2")
    assert sorted(matches + rest.get_json()["matches"]) == sorted(user.matching("needle"))


def test_a_stream_ends_with_the_reason(github: FakeGithub) -> None:
    """It has an `incomplete` line for the whole search, and `next`."""
    user = github.add_user("many")
    for number in range(40):
        user.add_gist({"a": f"needle {number}"})
    with serving(github, caller_github_requests="25/hour") as client:
        answer = client.ask("many", pattern="needle", headers=NDJSON)
    lines: list[dict[str, Any]] = [json.loads(line) for line in answer.text.splitlines()]
    gaps = [line["data"] for line in lines if line["type"] == "incomplete"]
    assert [(gap["gist"], gap["reason"]) for gap in gaps] == [(None, "github_rate_limited")]
    assert lines[-1]["data"]["next"]


def test_a_store_that_is_down_fails_open_or_closed(github: FakeGithub) -> None:
    """A setting decides; if closed, the answer is a 503 and no request is sent to GitHub."""
    gone: dict[str, object] = {"cache_url": "redis://127.0.0.1:1", "rate_limit": "1/minute"}
    with serving(github, **gone) as client:
        answers = [client.ask() for _ in range(3)]
        assert {answer.status_code for answer in answers} == {200}
        assert limits_of(answers[-1]) == {"search": {"q": 1, "w": 60}}
    github.forget()
    with serving(github, **gone, limits_fail_closed=True) as client:
        assert refused(client.ask())[:2] == (503, "overloaded")
        assert github.requests == []
    del gone["rate_limit"]
    gone |= {"caller_github_bytes": MIB, "caller_github_requests": "5/hour"}
    with serving(github, **gone) as client:
        assert client.ask().status_code == 200
    github.forget()
    with serving(github, **gone, limits_fail_closed=True) as client:
        assert refused(client.ask())[:2] == (503, "overloaded")
        assert github.requests == []
