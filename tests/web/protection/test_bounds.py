"""What a stranger can make big or slow on his connection, and what becomes of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from gistapi.web.protection.write_timeout import WriteTimeout

from gistapi.app import THREADS
from gistapi.cli.server import MAX_HEAD_BYTES
from gistapi.web.protection.body_limits import MAX_BODIES_OF_ONE_ADDRESS
from tests.fake_github import FakeGithub
from tests.serving import Serving, serving
from tests.waiting import HANG_SECONDS, until
from tests.web.operations.test_operation import counted

HEAD = b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n"
END = b"Connection: close\r\n\r\n"
BODY = b'{"username": "octocat", "pattern": "needle"}'
SEARCHES = "gistapi_searches_in_progress"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    """Give a service with something to find."""
    with FakeGithub() as github:
        github.add_user("octocat").add_gist({"a.txt": "needle"})
        with serving(github) as running:
            yield running


def everything(connection: socket.socket) -> bytes:
    """What comes until the connection ends."""
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def chunk(size: int) -> bytes:
    """The first line of a chunk of this size."""
    return b"%x\r\n" % size


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (PING + END, 200),
        (b"GET /ping?" + b"a=b&" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n" + END, 200),
        (PING + b"X: " + b"y" * (MAX_HEAD_BYTES // 2) + b"\r\n" + END, 200),
        (PING + b"X: " + b"y" * 2 * MAX_HEAD_BYTES + b"\r\n" + END, 431),
        (PING + b"X: y\r\n" * 101 + END, 431),
        (b"GET /" + b"a" * (2 * MAX_HEAD_BYTES) + b" HTTP/1.1\r\nHost: x\r\n" + END, 431),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n" + END, 400),
        (b"GET /%ff%00%0d%0a HTTP/1.1\r\nHost: x\r\n" + END, 404),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n" + END, 400),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n" + END + b"{    }", 400),
        (HEAD + b"Content-Length: 99999999999999999999\r\n" + END, 400),
        (HEAD + b"Content-Length: 65537\r\n" + END, 413),
        (HEAD + b"Content-Length: 1000000000000\r\n" + END, 413),
        (HEAD + b"Transfer-Encoding: xchunked\r\n" + END + b"0\r\n\r\n", 400),
        (HEAD + b"Content-Length: 9\r\nTransfer-Encoding: chunked\r\n" + END + b"0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n" + END + chunk(140_000) + b"x" * 140_000, 413),
        (HEAD + b"Transfer-Encoding: chunked\r\n" + END + b"zz\r\n", 400),
        (HEAD + b"Content-Length: 200002\r\n" + END + b"[" * 100_001 + b"]" * 100_001, 413),
        (HEAD + b"Content-Length: 60000\r\n" + END + b"[" * 30_000 + b"]" * 30_000, 400),
    ],
)
def test_what_is_too_large_or_makes_no_sense_is_refused(
    service: Serving, sent: bytes, status: int
) -> None:
    """Heads, fields, lengths and nesting; the service goes on."""
    with service.connect(sent) as connection:
        connection.settimeout(HANG_SECONDS)
        assert int(connection.recv(65536).split()[1]) == status
    assert requests.get(f"{service.url}/ping", timeout=HANG_SECONDS).text == "pong"


def test_pipelined_requests_are_answered_one_after_the_other(service: Serving) -> None:
    """Hundreds on one connection take one thread at a time."""
    with service.connect((PING + b"\r\n") * 299 + PING + END) as connection:
        connection.settimeout(HANG_SECONDS)
        assert everything(connection).count(b"pong") == 300


def test_a_body_that_is_shorter_than_said_is_no_search(service: Serving) -> None:
    """Who ends his connection before the body does gets nothing searched."""
    began = counted(service, 'gistapi_searches_total{outcome="success"}')
    with service.connect(HEAD + b"Content-Length: 99\r\n" + END + BODY) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(HANG_SECONDS)
        assert b" 200 " not in everything(connection)[:20]
    assert counted(service, 'gistapi_searches_total{outcome="success"}') == began


def test_bodies_that_do_not_come_are_in_nobody_elses_way(service: Serving) -> None:
    """One address that half sends all it may is refused more; others search."""
    begun = HEAD + b"Content-Length: 99\r\n\r\n{"
    with ExitStack() as stack:
        for _ in range(MAX_BODIES_OF_ONE_ADDRESS):
            stack.enter_context(_from("127.0.0.2", service, begun))
        whole = HEAD + b"Content-Length: %d\r\n" % len(BODY) + END + BODY
        until(lambda: status(_from("127.0.0.2", service, whole)) == 503)
        assert status(_from("127.0.0.3", service, whole)) == 200
        assert service.search("needle").status_code == 200
    until(lambda: status(_from("127.0.0.2", service, whole)) == 200)


def _from(source: str, service: Serving, sent: bytes) -> socket.socket:
    """A connection from this address, over which `sent` was sent."""
    connection = socket.create_connection(
        ("127.0.0.1", service.port), timeout=HANG_SECONDS, source_address=(source, 0)
    )
    connection.sendall(sent)
    return connection


def status(connection: socket.socket) -> int:
    """The status of the answer; the connection is closed."""
    with connection:
        return int(connection.recv(65536).split()[1])


def hoarder(service: Serving, sent: bytes) -> socket.socket:
    """A connection that asks, and takes next to nothing of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(HANG_SECONDS)
    connection.connect(("127.0.0.1", service.port))
    connection.sendall(sent)
    return connection


def test_who_takes_no_answer_takes_no_threads(service: Serving) -> None:
    """While more than there are threads ask for large files and take nothing, /ping answers."""
    files = (b"GET /docs/swagger-ui-bundle.js", b"GET /static/altcha/altcha.min.js")
    held: list[socket.socket] = []
    with ExitStack() as stack:
        for number in range(THREADS + 40):
            asked = files[number % 2] + b" HTTP/1.1\r\nHost: x\r\n\r\n"
            held.append(stack.enter_context(hoarder(service, asked)))
        assert requests.get(f"{service.url}/ping", timeout=HANG_SECONDS).text == "pong"
        faults = [one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for one in held]
        assert faults == [0] * len(held)  # it was not because they had been given up
    answer = requests.get(f"{service.url}/docs/swagger-ui-bundle.js", timeout=HANG_SECONDS)
    assert len(answer.content) > 1_000_000


def test_a_stream_that_is_not_taken_ends(github: FakeGithub) -> None:
    """The connection is given up after a while, and the search with it."""
    user = github.add_user("octocat")
    for number in range(80):
        user.add_gist({"a.txt": f"needle {number}"}, description="long" * 50_000)
    accept = b"Accept: application/x-ndjson\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    with serving(github) as service, hoarder(service, HEAD + accept + BODY):
        until(lambda: counted(service, SEARCHES) == 1)
        until(lambda: counted(service, SEARCHES) == 0)
        assert counted(service, 'gistapi_searches_total{outcome="cancelled"}') == 1


def test_an_answer_that_is_taken_too_slowly_breaks_off() -> None:
    """What counts is the time that its reader took, not that of the search; it is closed."""
    closed = []

    class Chunks:
        """Three chunks."""

        def __iter__(self) -> Iterator[bytes]:
            yield from (b"1", b"2", b"3")

        def close(self) -> None:
            """Note it."""
            closed.append(self)

    for patience, taken in ((0.0, [b"1"]), (60.0, [b"1", b"2", b"3"])):
        chunks = Chunks()
        answer = WriteTimeout(lambda *_, chunks=chunks: chunks, patience)(
            {}, lambda *_: lambda _: None
        )
        assert list(answer) == taken
        answer.close()  # type: ignore[attr-defined]
        assert closed.pop() is chunks
