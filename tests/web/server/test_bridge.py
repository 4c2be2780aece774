"""Passing requests from a connection to the application, and answers back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Any, cast

import pytest

from gistapi.web.server import bridge
from gistapi.web.server.bridge import WsgiBridge
from tests.web.server.hosting import CLOSE, GET, POST, SECONDS, everything, hosting

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
END_OF_CHUNKS = b"0\r\n\r\n"


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the body, or with the error that reading it raised."""
    try:
        body: bytes = environ["wsgi.input"].read()
    except OSError as error:
        body = repr(error).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class Streaming:
    """An application that streams what `produce` yields, and records when it is closed."""

    def __init__(self, produce: Any) -> None:
        self._produce = produce
        self.environ: dict[str, Any] = {}
        self.began, self.closed = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        self.environ = environ
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self._chunks()

    def _chunks(self) -> Iterator[bytes]:
        self.began.set()
        try:
            yield from self._produce()
        finally:
            self.closed.set()


def forever() -> Iterator[bytes]:
    """Yield large chunks without end."""
    while True:
        yield b"x" * 100_000


def test_a_stream_ends_with_the_last_chunk() -> None:
    """Then the application is closed."""
    app = Streaming(lambda: iter([b"one", b"two"]))
    with hosting(app) as host:
        answer = host.ask(GET.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n") % b"/")
    assert answer.endswith(b"3\r\none\r\n3\r\ntwo\r\n" + END_OF_CHUNKS)
    assert app.closed.wait(SECONDS)


def test_a_failing_stream_is_a_broken_message() -> None:
    """Clients see that it is incomplete: the last chunk is missing."""

    def fail() -> Iterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    app = Streaming(fail)
    with hosting(app) as host:
        answer = host.ask(GET % b"/")
    assert b"one" in answer
    assert not answer.endswith(END_OF_CHUNKS)
    assert app.closed.is_set()


@pytest.mark.parametrize("bound", ["STALL_SECONDS", "READ_SECONDS"])
def test_an_unread_stream_is_cut(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application is closed, and what was sent is a broken message."""
    monkeypatch.setattr(bridge, bound, 0.1)
    app = Streaming(forever)
    with hosting(app) as host, host.connect(GET % b"/", buffer=4096) as connection:
        assert app.closed.wait(SECONDS)
        assert not everything(connection).endswith(END_OF_CHUNKS)


def test_a_stream_that_outlives_the_server_is_cut() -> None:
    """A stream that the shutdown interrupts is a broken message too."""
    go_on = threading.Event()

    def wait() -> Iterator[bytes]:
        yield b"one"
        go_on.wait(SECONDS)
        yield b"two"

    app = Streaming(wait)
    with hosting(app) as host, host.connect(GET % b"/") as connection:
        assert app.began.wait(SECONDS)
        received = connection.recv(1000)
        host.loop.call_soon_threadsafe(host.server.stop_accepting)
        host.call(host.server.close(0.0))
        received += everything(connection)
        go_on.set()
        assert app.closed.wait(SECONDS)
    assert not received.endswith(END_OF_CHUNKS)


def test_a_large_unread_answer_holds_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a single thread, other requests are answered."""
    monkeypatch.setattr(bridge, "STALL_SECONDS", SECONDS)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = b"x" * (20_000_000 if environ["PATH_INFO"] == "/large" else 1)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with hosting(app, threads=1) as host, host.connect(GET % b"/large", buffer=4096) as slow:
        assert slow.recv(1)
        with host.connect(GET % b"/small") as other:
            assert other.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_liveness_probe_is_answered_while_no_thread_is_free() -> None:
    """The server's loop answers it."""
    began, go_on = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/search":
            began.set()
            assert go_on.wait(SECONDS)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"pong"]

    with hosting(app, threads=1) as host, host.connect(GET % b"/search") as searching:
        assert began.wait(SECONDS)
        last = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n"
        assert host.ask(GET % b"/ping" + last).count(b"pong") == 2
        go_on.set()
        assert searching.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_buffered_answer_is_closed_once_it_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search keeps its place while its large answer waits to be read."""
    monkeypatch.setattr(bridge, "STALL_SECONDS", SECONDS)
    closed = threading.Event()

    class Body(list[bytes]):
        """A large body in one part."""

        def close(self) -> None:
            """Record it."""
            closed.set()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["gistapi.hold"] = True
        start_response("200 OK", [("Content-Length", "20000000")])
        return Body([b"x" * 20_000_000])

    with hosting(app) as host, host.connect(GET % b"/", buffer=4096) as slow:
        assert slow.recv(1)
        assert not closed.is_set()
        slow.sendall(GET % b"/next")
        while not closed.is_set():
            assert slow.recv(65536)


def test_a_small_answer_is_sent_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread waits for it, also if larger ones are to be held."""
    real = bridge._Exchange._await

    def waiting(exchange: bridge._Exchange, coroutine: Any) -> None:
        if exchange._request.path != "/small":  # a thread of a test before this one
            real(exchange, coroutine)
            return
        coroutine.close()
        raise AssertionError

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["gistapi.hold"] = True
        start_response("200 OK", [("Content-Length", "3")])
        return [b"all"]

    monkeypatch.setattr(bridge._Exchange, "_await", waiting)
    with hosting(app) as host:
        assert host.ask(GET % b"/small").endswith(b"all")


def test_an_answer_after_the_end_of_the_server_is_dropped() -> None:
    """Its thread ends with an error, and nothing is left that was never awaited."""
    loop = asyncio.new_event_loop()

    async def exchange() -> bridge._Exchange:
        return bridge._Exchange(cast("Any", None))

    late = loop.run_until_complete(exchange())
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        late._await(late.send(cast("Any", None)))


def test_the_application_learns_of_a_disconnect() -> None:
    """It learns so while it works, not only when it sends."""
    began: SimpleQueue[Any] = SimpleQueue()
    saw: SimpleQueue[bool] = SimpleQueue()
    give_up = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        left = environ["gistapi.client_left"]
        began.put(left())
        while not left() and not give_up.is_set():
            give_up.wait(0.01)
        saw.put(left())
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with hosting(app) as host:
        with host.connect(GET % b"/"):
            assert began.get(timeout=SECONDS) is False
        assert saw.get(timeout=SECONDS) is True
        give_up.set()


@pytest.mark.parametrize(
    "sent",
    [
        CHUNKED + b"5\r\nab",
        CHUNKED + b"2\r\nab\r\n",
        POST + b"Content-Length: 10\r\n\r\nab",
    ],
)
def test_reading_an_incomplete_body_raises(sent: bytes) -> None:
    """The client, which may still be reading, gets an answer."""
    with hosting(echo) as host:
        assert host.ask(sent, end=True).endswith(b"OSError('the body broke off')")


@pytest.mark.parametrize("sent", [CHUNKED + b"5\r\nab", POST + b"Content-Length: 9\r\n\r\nab"])
def test_a_body_has_a_time_limit(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a body that does not arrive in time raises TimeoutError."""
    monkeypatch.setattr(bridge, "BODY_SECONDS", 0.1)
    with hosting(echo) as host, host.connect(sent) as connection:
        assert b"TimeoutError" in everything(connection)


def test_incomplete_bodies_hold_no_thread() -> None:
    """With a single thread, a request is answered beside many half bodies."""
    with hosting(echo, threads=1) as host:
        half = [host.connect(POST + b"Content-Length: 9\r\n\r\nab") for _ in range(50)]
        assert host.ask(POST + b"Content-Length: 2\r\n\r\nab").endswith(b"\r\n\r\nab")
        for connection in half:
            connection.close()


def test_of_an_oversized_body_one_extra_byte_is_read() -> None:
    """So the application can notice it; if Content-Length says so, nothing is read."""
    with hosting(echo) as host:
        chunk = b"11170\r\n" + b"x" * 70_000 + b"\r\n" + END_OF_CHUNKS
        answer = host.ask(CHUNKED + chunk)
        assert len(answer.partition(b"\r\n\r\n")[2]) == 65_537
        announced = host.ask(POST + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000)
        assert announced.partition(b"\r\n\r\n")[2] == b""


def test_100_continue_is_sent() -> None:
    """A client with `Expect: 100-continue` waits for it."""
    head = POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with hosting(echo) as host, host.connect(head) as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ab")
        assert everything(connection).endswith(b"\r\n\r\nab")


def environ_of(sent: bytes) -> dict[str, Any]:
    """The text values of a request's environ."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        body = json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with hosting(app) as host:
        found: dict[str, Any] = json.loads(host.ask(sent).partition(b"\r\n\r\n")[2])
        return found


def test_the_environ_has_the_request() -> None:
    """PEP 3333: decoded path, raw query, headers; REQUEST_URI has the path as sent."""
    environ = environ_of(
        b"QUERY /a%2fb//c?x=%20 HTTP/1.1\r\nHost: here\r\nX-A: 1\r\nX-A: 2\r\nx_a: 3\r\n"
        b"Content-Type: text/x\r\nX-Latin: \xe9\r\n" + CLOSE + b"\r\n"
    )
    expected = {
        "REQUEST_METHOD": "QUERY",
        "PATH_INFO": "/a/b//c",
        "QUERY_STRING": "x=%20",
        "REQUEST_URI": "/a%2fb//c?x=%20",
        "HTTP_HOST": "here",
        "HTTP_X_A": "1,2",  # without the field whose name has an underscore
        "HTTP_X_LATIN": "\xe9",
        "CONTENT_TYPE": "text/x",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    assert {name: environ.get(name) for name in expected} == expected


def test_a_target_may_be_an_absolute_url() -> None:
    """Its path and query are used (RFC 9112, 3.2.2)."""
    environ = environ_of(b"GET http://h/a?b HTTP/1.1\r\nHost: h\r\n" + CLOSE + b"\r\n")
    assert (environ["PATH_INFO"], environ["REQUEST_URI"]) == ("/a", "/a?b")


def test_a_failing_application_is_a_500() -> None:
    """It has the JSON error shape, without the exception's message."""

    def app(_environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        raise ZeroDivisionError("canary")

    with hosting(app) as host, suppress(ConnectionError):
        head, _, body = host.ask(GET % b"/").partition(b"\r\n\r\n")
        assert b" 500 " in head
        assert json.loads(body)["code"] == "internal_error"
        assert b"canary" not in body


def test_every_thread_is_started_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the system has no thread to give, as many requests as there are threads are answered."""
    together = threading.Barrier(4)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        together.wait(SECONDS)
        return echo(environ, start_response)

    with hosting(app, threads=4) as host, ExitStack() as stack:
        monkeypatch.setattr(threading.Thread, "start", no_thread)
        asked = GET.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n") % b"/"
        connections = [stack.enter_context(host.connect(asked)) for _ in range(4)]
        assert [everything(connection)[9:12] for connection in connections] == [b"200"] * 4
        monkeypatch.undo()


def test_a_server_without_its_threads_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and the threads that it has end."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def third_fails(thread: threading.Thread) -> None:
        if len(started) == 2:
            no_thread(thread)
        started.append(thread)
        start(thread)

    async def main() -> None:
        threads = WsgiBridge(echo, threads=4)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", third_fails)
            with pytest.raises(RuntimeError, match="new thread"):
                await threads.start()
        threads.close()

    asyncio.run(main())
    for thread in started:
        thread.join(SECONDS)
        assert not thread.is_alive()


def no_thread(_thread: threading.Thread) -> None:
    """Fail as at the limit of the process."""
    raise RuntimeError("can't start new thread")
