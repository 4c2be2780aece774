"""HTTP/1.1 connections: keep-alive, pacing, and the faults of answers."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

import httptools

from tests.fake_github.faults import Fault
from tests.fake_github.framing import Wire, frame
from tests.fake_github.message import Request, Response
from tests.fake_github.traffic import Pace, Traffic

_BUFFER_BYTES = 65536
_LATE_SECONDS = 0.0005
"""How late the event loop's timers are on average: they count in whole milliseconds."""
_HELD_SECONDS = 0.002
"""How often a held answer is checked."""

_numbers = count(1)

Handler = Callable[[Request], Awaitable[tuple[Response, Fault]]]


@dataclass(slots=True)
class Site:
    """What the connections of one port share: the origin of a request, and its answer."""

    origin_of: Callable[[str], Traffic]
    handle: Handler
    record: Callable[[Request], None]
    failed: Callable[[Exception], None]
    live: set[Connection] = field(default_factory=set)
    reset_on_accept: int = 0


class Connection(asyncio.Protocol):
    """One connection; its requests are answered one after the other, in a task of its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._closed = asyncio.Event()
        self._number = 0
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = b""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)
        self._writable.set()
        self._site.live.add(self)
        self._site.origin_of("").connections += 1
        self._number = next(_numbers)
        if self._site.reset_on_accept > 0:
            self._site.reset_on_accept -= 1
            self._reset()

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived from the client."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than the server sends."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is lost: drop what was being sent."""
        del exc
        self._site.live.discard(self)
        self._closed.set()
        if self._task is not None:
            self._task.cancel()

    async def abort(self) -> None:
        """Close the connection at once, with everything that is being done for it."""
        self._transport.abort()
        await self._closed.wait()
        if self._task is not None:
            await asyncio.wait([self._task])

    # httptools

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._headers, self._body = b"", {}, b""

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """A request is complete."""
        target = self._url.decode("latin-1")
        request = Request(
            origin=self._site.origin_of(target).name,
            method=self._parser.get_method().decode(),
            target=target,
            headers=self._headers,
            body=self._body,
            connection=self._number,
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    # answers

    async def _run(self) -> None:
        while self._waiting and not self._transport.is_closing():
            request, keep_alive = self._waiting.popleft()
            await self._exchange(request, keep_alive=keep_alive)

    async def _exchange(self, request: Request, *, keep_alive: bool) -> None:
        arrived = time.monotonic()
        traffic = self._site.origin_of(request.target)
        traffic.begin()
        self._site.record(request)
        try:
            response, fault = await self._site.handle(request)
            wire = frame(request, response, fault, keep_alive=keep_alive)
            if latency := traffic.latency_seconds + fault.latency_seconds:
                # from its arrival on: the time to make the answer is not part of the network's
                await asyncio.sleep(arrived + latency - time.monotonic() - _LATE_SECONDS)
            while fault.held is not None and not fault.held.is_set():  # noqa: ASYNC110 - another thread's
                await asyncio.sleep(_HELD_SECONDS)
            request.status = response.status if wire.head else None
            await self._send(wire, request, traffic, fault)
            await self._end(wire, fault)
        except asyncio.CancelledError:
            request.aborted = True
            raise
        except Exception as error:  # noqa: BLE001 - a bug of the fake fails the test that uses it
            self._site.failed(error)
            self._transport.abort()
        finally:
            request.ended = time.monotonic()
            traffic.end(request.sent_bytes)

    async def _send(self, wire: Wire, request: Request, traffic: Traffic, fault: Fault) -> None:
        head = [Pace(fault.head_bytes_per_second)] if fault.head_bytes_per_second else []
        rate = fault.bytes_per_second or traffic.bytes_per_second
        body = [Pace(rate)] if rate else []
        if traffic.shared_pace is not None:
            body.append(traffic.shared_pace)
        pieces = iter(wire.body)
        if head or body:
            await self._write(wire.head, request, head)
        else:  # one packet for a small answer
            await self._write(wire.head + next(pieces, b""), request, [])
        for piece in pieces:
            await self._write(piece, request, body)

    async def _write(self, data: bytes, request: Request, paces: list[Pace]) -> None:
        step = min((pace.piece_bytes for pace in paces), default=_BUFFER_BYTES)
        for start in range(0, len(data), step):
            part = data[start : start + step]
            for pace in paces:
                await pace.take(len(part))
            request.sent_bytes += len(part)
            self._transport.write(part)
            if not self._writable.is_set():
                # not accepted yet: counted once it is
                request.sent_bytes -= len(part)
                await self._writable.wait()
                request.sent_bytes += len(part)
            elif len(part) == _BUFFER_BYTES:
                await asyncio.sleep(0)  # a fast client must not keep the loop busy

    async def _end(self, wire: Wire, fault: Fault) -> None:
        if not wire.close:
            return
        if fault.hang:
            await asyncio.Event().wait()
        if fault.reset:
            await self._delivered()
            self._reset()
        else:
            self._transport.close()

    async def _delivered(self) -> None:
        """Wait until the client's system has received all bytes: a reset would discard the rest."""
        handle = self._transport.get_extra_info("socket").fileno()
        while struct.unpack("i", fcntl.ioctl(handle, termios.TIOCOUTQ, bytes(4)))[0]:  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.001)

    def _reset(self) -> None:
        """End the connection by RST."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
