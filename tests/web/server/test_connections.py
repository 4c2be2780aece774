"""Limits on the number of connections and on their idle time."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web

from gistapi.web.server import Bounds, connections
from tests.web.server.hosting import CLOSE, GET, SECONDS, everything, hosting, plain

PING = GET.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n") % b"/"


def status(answer: bytes) -> int:
    """The status of an answer; unless it is 200, the body has the JSON error shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    code = int(head.split()[1])
    if code != 200:
        shape = json.loads(body)
        assert (shape["status"], bool(shape["request_id"])) == ("error", True)
    return code


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
@pytest.mark.parametrize("bounds", [Bounds(10, None), Bounds(100, 10)])
def test_idle_connections_make_room_for_new_ones(bounds: Bounds, begun: bytes) -> None:
    """At either bound the oldest connection without a whole head is closed for the new one."""
    with hosting(plain(b"pong"), bounds=bounds) as host, ExitStack() as stack:
        silent = [stack.enter_context(host.connect(begun)) for _ in range(50)]
        assert status(host.ask(PING)) == 200
        assert everything(silent[0]) == b""
        silent[-1].sendall(b"1\r\n" + CLOSE + b"\r\n" if begun else PING)
        assert status(everything(silent[-1])) == 200


def test_if_all_connections_are_busy_a_new_one_gets_503() -> None:
    """None of them is closed; when one has its answer, a new connection is accepted."""
    go_on = threading.Event()
    began: SimpleQueue[None] = SimpleQueue()

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        began.put(None)
        go_on.wait(SECONDS)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with hosting(app, bounds=Bounds(3, 3)) as host, ExitStack() as stack:
        busy = [stack.enter_context(host.connect(PING)) for _ in range(3)]
        for _ in busy:
            began.get(timeout=SECONDS)
        refused = host.ask(b"")
        assert status(refused) == 503
        assert b"Retry-After: 1\r\n" in refused
        go_on.set()
        assert [status(everything(connection)) for connection in busy] == [200] * 3
        assert status(host.ask(PING)) == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_that_sends_no_head_is_closed(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed after SILENT_SECONDS, whatever part of a head has arrived."""
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.2)
    with hosting(plain(b"")) as host, host.connect(sent) as connection:
        assert everything(connection) == b""


def test_a_connection_that_sends_no_next_head_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the same after an answer."""
    monkeypatch.setattr(connections, "SILENT_SECONDS", 0.2)
    with hosting(plain(b"pong")) as host, host.connect(GET % b"/") as connection:
        assert status(everything(connection)) == 200


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (PING.replace(b"Host", b"Ho st"), 400),
        (PING.replace(b"Host", b"Content-Length: 1\r\nContent-Length: 2\r\nHost"), 400),
        (PING.replace(b"Host", b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\nHost"), 400),
        (PING.replace(b"Host", b"X: y\r\n" * 101 + b"Host"), 431),
        (PING.replace(b"Host", b"X: " + b"y" * 70_000 + b"\r\nHost"), 431),
        (PING.replace(b"GET /", b"GET /" + b"a" * 70_000), 431),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 2000 + b"\r\n") * 90, 431),
    ],
)
def test_oversized_and_invalid_heads_get_json_errors(sent: bytes, expected: int) -> None:
    """Heads and their fields are bounded one by one and in total."""
    with hosting(plain(b"")) as host:
        assert status(host.ask(sent)) == expected


def test_stopping_lets_answers_finish() -> None:
    """Idle connections are closed at once, others when their answer is sent."""
    go_on = threading.Event()
    began = threading.Event()

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        began.set()
        go_on.wait(SECONDS)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    with hosting(app) as host, host.connect() as idle, host.connect(GET % b"/") as busy:
        assert began.wait(SECONDS)
        host.loop.call_soon_threadsafe(host.server.stop_accepting)
        assert everything(idle) == b""
        go_on.set()
        assert everything(busy).endswith(b"\r\n\r\nok")
        with pytest.raises(OSError, match="refused"), socket.socket() as late:
            late.connect(("127.0.0.1", host.port))


def test_connections_are_bounded_per_64() -> None:
    """The owner of an IPv6 network has any number of addresses."""

    async def handle(_request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError("nothing is asked")

    async def connect() -> list[Mock]:
        server = connections.Connections(handle, Bounds(9, 2))
        peers = [(f"2001:db8::{number}", 1) for number in range(1, 4)]
        transports = [Mock(get_extra_info={"peername": peer}.get) for peer in peers]
        for transport in transports:
            server().connection_made(transport)
        return transports

    dropped = [transport.abort.called for transport in asyncio.run(connect())]
    assert dropped == [True, False, False]
