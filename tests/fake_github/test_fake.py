"""The fake GitHub as a server: its records, its process, its control addresses, its demo."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from tests.fake_github import FakeGithub, Fault, Request
from tests.waiting import HANG_SECONDS


@contextmanager
def process(*arguments: str) -> Iterator[dict[str, str]]:
    """Run the fake as a process; it has to end with exit code 0 on SIGTERM."""
    command = [sys.executable, "-m", "tests.fake_github", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            addresses: dict[str, str] = json.loads(running.stdout.readline())
            yield addresses
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


def socket_to(address: str) -> socket.socket:
    """A connection to `host:port`."""
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_requests_are_recorded(github: FakeGithub, http: requests.Session) -> None:
    """Each request is recorded as it arrived, with its outcome."""
    gist = github.add_user("octocat").add_gist({"a b": "text"})
    raw = gist.raw_path(gist.files["a b"])
    http.get(f"{github.api_url}/users/octocat/gists?per_page=5", timeout=10)
    http.get(github.raw_url + raw, headers={"X-Some": "Thing"}, timeout=10)
    github.wait_quiet()
    listed, read = github.requests
    assert github.requests_to("raw") == [read]
    assert (listed.origin, listed.method, listed.path) == ("api", "GET", "/users/octocat/gists")
    assert (listed.query, listed.status) == ({"per_page": "5"}, 200)
    assert (read.target, read.headers["x-some"]) == (raw, "Thing")
    assert read.ended is not None
    assert read.started <= read.ended
    assert not read.aborted
    assert read.sent_bytes == github.traffic["raw"].sent_bytes > len("text")


def test_concurrent_requests_are_counted(github: FakeGithub) -> None:
    """The peak of concurrent requests and an origin's connections are counted until reset."""
    gate = threading.Event()
    github.faults.inject(Fault(held=gate))
    github.on_request(lambda _: gate.set() if github.traffic["api"].in_flight == 4 else None)
    url = f"{github.api_url}/rate_limit"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: requests.get(url, timeout=HANG_SECONDS), range(4)))
    github.wait_quiet()
    counts = github.traffic["api"].counts()
    assert counts["requests"] == counts["peak_in_flight"] == counts["connections"] == 4
    assert counts["in_flight"] == 0
    github.forget()
    assert set(github.traffic["api"].counts().values()) == {0}
    assert github.requests == []


def test_a_connection_is_reused(github: FakeGithub, http: requests.Session) -> None:
    """The requests of one session share a connection, unless one asks to close it."""
    for headers in ({}, {}, {"Connection": "close"}, {}):
        http.get(f"{github.api_url}/rate_limit", headers=headers, timeout=10)
    numbers = [request.connection for request in github.requests]
    assert numbers[0] == numbers[1] == numbers[2] != numbers[3]


def test_wait_quiet_times_out(github: FakeGithub, http: requests.Session) -> None:
    """It raises an error for a request that is still being answered."""
    github.faults.inject(Fault(hang=True))
    with ThreadPoolExecutor(1) as pool:
        arrived = pool.submit(http.get, github.api_url, timeout=0.5)
        while not github.requests:
            pass
        with pytest.raises(TimeoutError):
            github.wait_quiet(0.01)
        assert isinstance(arrived.exception(), requests.ReadTimeout)
    github.wait_quiet()


def test_a_bug_in_the_fake_fails_the_test(http: requests.Session) -> None:
    """An error inside the server is raised where the fake is used."""

    def fail(request: Request) -> None:
        raise ValueError(request.path)

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="/here")), FakeGithub() as github:
        github.on_request(fail)
        with pytest.raises(requests.ConnectionError):
            http.get(f"{github.api_url}/here", timeout=10)


def test_reset_restores_the_initial_state(github: FakeGithub, http: requests.Session) -> None:
    """The addresses stay the same, and nothing else of the earlier state is left."""
    github.add_user("octocat").generate(3)
    github.faults.inject(Fault(hang=True))
    github.traffic["api"].latency_seconds = 60
    github.rate_limit.use_up()
    github.reset()
    assert http.get(f"{github.api_url}/users/octocat", timeout=10).status_code == 404
    assert len(github.requests) == 1


def test_a_bad_request_is_refused(github: FakeGithub) -> None:
    """A request that is not HTTP gets 400 and a closed connection."""
    with socket_to(github.raw_host) as client:
        client.sendall(b"what is this\r\n\r\n")
        received = b""
        while data := client.recv(1000):
            received += data
    assert received.startswith(b"HTTP/1.1 400 ")


def test_matching_gives_the_expected_answer(github: FakeGithub) -> None:
    """It lists the public gists that match in any file, newest first."""
    octocat = github.add_user("octocat")
    older = octocat.add_gist({"a": "x", "b": b"\xffneedle"})
    octocat.add_gist({"a": "needle"}, public=False)
    octocat.add_gist({"a": "need\nle"})
    wide = octocat.add_gist({"a": "needle".encode("utf-16")})
    newer = octocat.add_gist({"a": "NEEDLE"})
    assert octocat.matching("needle") == [wide.html_url, older.html_url]
    assert octocat.matching("needle", re.IGNORECASE) == [
        newer.html_url,
        wide.html_url,
        older.html_url,
    ]


def test_the_fake_runs_as_a_program(http: requests.Session) -> None:
    """It prints its addresses, serves the users given as options, and ends on SIGTERM."""
    with process("--demo", "--gists", "7", "--login", "tester", "--limit", "3") as addresses:
        handmade = http.get(addresses["api_url"] + "/users/octocat", timeout=10).json()
        response = http.get(addresses["api_url"] + "/users/tester/gists", timeout=10)
        files = [file for entry in response.json() for file in entry["files"].values()]
        assert (handmade["public_gists"], len(response.json())) == (5, 7)
        assert response.headers["X-RateLimit-Limit"] == "3"
        assert all(file["raw_url"].startswith(addresses["raw_url"]) for file in files)
        assert addresses["raw_url"] == "http://" + addresses["raw_host"]


def test_control_from_another_process(github: FakeGithub, http: requests.Session) -> None:
    """`/_fake/…` reads counts and sets switches, and is neither recorded nor counted."""

    def control(method: str, what: str, value: Any = None) -> Any:
        url = f"{github.api_url}/_fake/{what}"
        response = http.request(method, url, json=value, timeout=10)
        assert response.status_code == 200, response.text
        return response.json()

    big = {"block": "ab", "size": 9, "patches": {"3": "XYZ"}}
    control("POST", "gists", {"login": "mona", "files": {"a": "text", "big": big}})
    control("POST", "generate", {"login": "hubot", "gists": 5, "seed": 3})
    control("POST", "network", {"raw": {"latency_seconds": 0.01, "shared_bytes_per_second": 1e6}})
    answer = {"status": 503, "text": "down"}
    control("POST", "faults", {"answer": answer, "path": "hubot", "times": 1})
    codes = [http.get(f"{github.api_url}/users/hubot", timeout=10).status_code for _ in range(2)]
    entry = http.get(f"{github.api_url}/users/mona/gists", timeout=10).json()[0]
    assert http.get(entry["files"]["big"]["raw_url"], timeout=10).text == "abaXYZaba"
    control("POST", "edit", {"id": entry["id"], "files": {"a": "another"}})
    (edited,) = github.world.users["mona"].gists
    assert {file.name: file.content.size for file in edited.files.values()} == {"a": 7, "big": 9}
    assert codes == [503, 200]
    counts = control("GET", "traffic")
    assert (counts["api"]["requests"], counts["raw"]["requests"]) == (3, 1)
    assert len(github.requests) == 4
    assert github.traffic["raw"].latency_seconds == 0.01
    control("POST", "faults", {"hang": True})
    control("DELETE", "faults")
    assert http.get(f"{github.api_url}/users/hubot", timeout=10).status_code == 200
    control("POST", "forget")
    assert github.requests == []


def test_head_and_body_are_sent_without_delay(github: FakeGithub, http: requests.Session) -> None:
    """No connection waits for an acknowledgement before it sends more (RFC 896)."""
    http.get(github.api_url, timeout=10)
    http.get(github.raw_url, timeout=10)
    for site in github._sites.values():
        (connection,) = site.live
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("method", "what", "value"),
    [
        ("POST", "faults", {"no": "such"}),
        ("POST", "network", {"moon": {}}),
        ("POST", "gists", {}),
        ("GET", "nothing", {}),
    ],
)
def test_control_refuses_unknown_switches(
    github: FakeGithub, http: requests.Session, method: str, what: str, value: dict[str, Any]
) -> None:
    """A misspelt switch is an error, so no benchmark runs without it."""
    response = http.request(method, f"{github.api_url}/_fake/{what}", json=value, timeout=10)
    assert response.status_code == 400
