"""Limits on what a client may send or leave unread on a connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from gistapi.app import CALLER_SEARCHES
from gistapi.cli.server import MAX_CONNECTIONS
from gistapi.web.server.connections import MAX_HEAD_BYTES
from tests.fake_github import FakeGithub, Fault
from tests.serving import Serving, serving
from tests.waiting import HANG_SECONDS, until
from tests.web.operations.test_operation import counted
from tests.web.server.hosting import everything

HEAD = b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n"
END = b"Connection: close\r\n\r\n"
BODY = b'{"username": "octocat", "pattern": "needle"}'
SEARCHES = "gistapi_searches_in_progress"


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    """Yield a service of a user with one gist."""
    with FakeGithub() as github:
        github.add_user("octocat").add_gist({"a.txt": "needle"})
        with serving(github) as running:
            yield running


def chunk(size: int) -> bytes:
    """The first line of a chunk of this size."""
    return b"%x\r\n" % size


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (PING + END, 200),
        (b"GET /ping?" + b"a=b&" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n" + END, 200),
        (PING + b"X: " + b"y" * (MAX_HEAD_BYTES // 2) + b"\r\n" + END, 200),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n" + END, 400),
        (b"GET /%ff%00%0d%0a HTTP/1.1\r\nHost: localhost\r\n" + END, 404),
        (HEAD + b"Content-Length: -1\r\n" + END, 400),
        (HEAD + b"Content-Length: 99999999999999999999\r\n" + END, 400),
        (HEAD + b"Content-Length: 65537\r\n" + END, 413),
        (HEAD + b"Content-Length: 1000000000000\r\n" + END, 413),
        (HEAD + b"Transfer-Encoding: xchunked\r\n" + END + b"0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n" + END + chunk(140_000) + b"x" * 140_000, 413),
        (HEAD + b"Transfer-Encoding: chunked\r\n" + END + b"zz\r\n", 400),
        (HEAD + b"Content-Length: 200002\r\n" + END + b"[" * 100_001 + b"]" * 100_001, 413),
        (HEAD + b"Content-Length: 60000\r\n" + END + b"[" * 30_000 + b"]" * 30_000, 400),
    ],
)
def test_oversized_and_malformed_requests_are_refused(
    service: Serving, sent: bytes, status: int
) -> None:
    """This covers heads, fields, lengths and nesting; the service continues to answer."""
    with service.connect(sent) as connection:
        connection.settimeout(HANG_SECONDS)
        assert int(connection.recv(65536).split()[1]) == status
    assert requests.get(f"{service.url}/ping", timeout=HANG_SECONDS).text == "pong"


def test_pipelined_requests_are_answered_in_turn(service: Serving) -> None:
    """Hundreds on one connection use one thread at a time."""
    with service.connect((PING + b"\r\n") * 299 + PING + END) as connection:
        connection.settimeout(HANG_SECONDS)
        assert everything(connection).count(b"pong") == 300


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 99\r\n" + END + BODY,
        HEAD + b"Transfer-Encoding: chunked\r\n" + END + b"2c\r\n" + BODY + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n" + END + b"2c\r\n" + BODY,
    ],
)
def test_an_incomplete_body_is_a_400(service: Serving, sent: bytes) -> None:
    """Nothing is searched, even if the part received is a valid request."""
    began = counted(service, 'gistapi_searches_total{outcome="success"}')
    with service.connect(sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(HANG_SECONDS)
        assert b" 400 " in everything(connection)[:20]
    assert counted(service, 'gistapi_searches_total{outcome="success"}') == began


def _from(source: str, service: Serving, sent: bytes) -> socket.socket:
    """A connection from this address, over which `sent` was sent."""
    connection = socket.create_connection(
        ("127.0.0.1", service.port), timeout=HANG_SECONDS, source_address=(source, 0)
    )
    connection.sendall(sent)
    return connection


def status(connection: socket.socket) -> int:
    """The status of the answer; the connection is closed then."""
    with connection:
        return int(connection.recv(65536).split()[1])


@pytest.mark.parametrize("begun", [b"", HEAD, HEAD + b"Content-Length: 99\r\n\r\n{"])
def test_idle_connections_block_nobody(service: Serving, begun: bytes) -> None:
    """There are more than allowed: silent, half a head, half a body. New ones are accepted."""
    whole = HEAD + b"Content-Length: %d\r\n" % len(BODY) + END + BODY
    with ExitStack() as stack:
        for number in range(MAX_CONNECTIONS + 76):
            source = f"127.0.0.{2 + number % 5}"
            stack.enter_context(_from(source, service, begun))
        assert status(_from("127.0.0.2", service, whole)) == 200
        assert status(_from("127.0.0.9", service, whole)) == 200
        assert requests.get(f"{service.url}/ping", timeout=HANG_SECONDS).text == "pong"


@pytest.mark.parametrize("accept", [b"", b"Accept: application/x-ndjson\r\n"])
def test_a_disconnect_ends_the_search(github: FakeGithub, accept: bytes) -> None:
    """This holds for plain answers too, while GitHub is silent and long before the deadline."""
    user = github.add_user("octocat")
    for number in range(3):
        user.add_gist({f"f{number}": f"needle {number}"})
    github.faults.inject(Fault(latency_seconds=600), path="/f0")
    sent = HEAD + accept + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    with serving(github, github_timeout_seconds=600, search_deadline_seconds=600) as service:
        with service.connect(sent):
            until(lambda: counted(service, SEARCHES) == 1)
        until(lambda: counted(service, SEARCHES) == 0)
        assert counted(service, 'gistapi_searches_total{outcome="cancelled"}') == 1
        until(lambda: counted(service, "gistapi_http_requests_in_progress") == 1)


def test_one_address_has_at_most_a_quarter_of_the_searches(github: FakeGithub) -> None:
    """This is the default; a search from another address is answered meanwhile."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    github.add_user("slow").add_gist({"f0": "needle"})
    github.faults.inject(Fault(latency_seconds=600), path="/f0")
    slow = BODY.replace(b"octocat", b"slow")
    whole = HEAD + b"Content-Length: %d\r\n" % len(BODY) + END + BODY
    with serving(github, github_timeout_seconds=600) as service, ExitStack() as stack:
        sent = HEAD + b"Content-Length: %d\r\n" % len(slow) + END + slow
        for _ in range(CALLER_SEARCHES):
            stack.enter_context(_from("127.0.0.2", service, sent))
        until(lambda: counted(service, SEARCHES) == CALLER_SEARCHES)
        assert status(_from("127.0.0.2", service, whole)) == 503
        assert status(_from("127.0.0.3", service, whole)) == 200
