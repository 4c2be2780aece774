"""The clients of bench.abuse: good ones and abusive ones."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

from bench.record import Record

GOOD_PATTERNS = ("import requests", r"def \w+\(self", "nowhere to be found", "(?i)todo")
EVIL_PATTERNS = (
    r"(a+)+$",
    r"(\w+\s?)+[=:]+$(?<!x)",
    r"(a*)*\1b",
    r"(?=(\w+))\1{50}$",
    "(" * 400 + "a" + ")" * 400,
    "(?:[ab]{1000}y|[ab]{999}z)",
    "(((x{100}){100}){100})",
)
BY_THE_BOOK = {"overloaded", "github_rate_limited"}
"""The codes that a 5xx may have."""
AT_ONCE = 4
"""Concurrent requests of one abusive address."""
HELD_AT_ONCE = 2
"""Unfinished requests that it keeps open as well."""
WAIT_SECONDS = 30


class Clients:
    """Threads that send requests, each at its pace and from its address, until they are stopped."""

    def __init__(self, port: int, record: Record, stop: threading.Event, *, users: int) -> None:
        self._port = port
        self._record = record
        self._stop = stop
        self._users = users

    def start(self, count: int, rate: int) -> list[threading.Thread]:
        """Start `count` clients, half of them abusive, which send `rate` requests a second in all.

        Each good one sends two requests a second, as a busy person might; the others send the rest.
        """
        good = count // 2
        pace = (rate - 2.0 * good) / (count - good) / AT_ONCE
        threads = []
        for number in range(count):
            kind, a_second, at_once = (Good, 2.0, 1) if number < good else (Abuser, pace, AT_ONCE)
            for each in range(at_once):
                client = kind(f"127.0.1.{number + 1}", self._port, self._record, self._users, each)
                threads.append(threading.Thread(target=client.run, args=(self._stop, 1 / a_second)))
        for thread in threads:
            thread.start()
        return threads


class Client:
    """A client with an address."""

    who = "good"

    def __init__(self, source: str, port: int, record: Record, users: int, each: int) -> None:
        self.source = source
        self.port = port
        self.record = record
        self.users = users
        self.chance = random.Random(f"{source} {each}")

    def run(self, stop: threading.Event, pause: float) -> None:
        """Send requests until stopped, on a schedule that a slow answer does not shift."""
        due = time.monotonic() + self.chance.random() * pause
        while not stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic() - pause)
            try:
                self.ask()
            except (OSError, http.client.HTTPException) as error:
                self.failed(error)
        self.end()

    def ask(self) -> None:
        """Send one request."""
        raise NotImplementedError

    def failed(self, error: Exception) -> None:
        """Handle an error of a connection."""
        raise NotImplementedError

    def end(self) -> None:
        """Close what is still open."""

    def get(self, path: str) -> None:
        """Request a page."""
        self._send("GET", path, None)

    def post(self, body: bytes, **headers: str) -> None:
        """Request a search."""
        sent = {"Content-Type": "application/json"} | headers
        self._send("POST", "/api/v1/search", body, sent)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one request on a connection of its own."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=WAIT_SECONDS, source_address=(self.source, 0)
        )
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        self.record.answer(self.who, response.status, body)
        if self.who == "good":
            self.record.took(time.perf_counter() - began)

    def query(self, user: str, pattern: str) -> bytes:
        """The body of a search."""
        return json.dumps({"username": user, "pattern": pattern}).encode()


class Good(Client):
    """A good client: searches a few users for sensible patterns, and looks at the page."""

    def ask(self) -> None:
        """Search in two of three cases, else request the page."""
        if self.chance.random() < 1 / 3:
            self.get(self.chance.choice(("/", "/ping")))
            return
        user = f"user{self.chance.randrange(1, self.users)}"  # the first has a file of 12 MiB
        self.post(self.query(user, self.chance.choice(GOOD_PATTERNS)))

    def failed(self, error: Exception) -> None:
        """Record a fault: a good client must not be cut off."""
        self.record.fault(f"good: {error!r}")


class Abuser(Client):
    """An abusive client, which sends everything that could do harm."""

    who = "abuser"

    def __init__(self, source: str, port: int, record: Record, users: int, each: int) -> None:
        super().__init__(source, port, record, users, each)
        self._held: deque[socket.socket] = deque()
        self._kinds: tuple[Callable[[], None], ...] = (
            self.wrong_key,
            self.huge_body,
            self.nonsense,
            self.deep,
            self.evil_pattern,
            self.random_user,
            self.half_head,
            self.half_body,
            self.flood,
        )

    def ask(self) -> None:
        """Send one of its kinds of request."""
        self.chance.choice(self._kinds)()

    def failed(self, error: Exception) -> None:
        """Count it: an abusive client may be cut off."""
        self.record.note(f"abuser cut off: {type(error).__name__}")

    def end(self) -> None:
        """Close unfinished requests."""
        for connection in self._held:
            connection.close()

    def wrong_key(self) -> None:
        """A key that does not exist."""
        self.post(self.query("user0", "x"), Authorization=f"Bearer gak_{self.chance.random()}")

    def huge_body(self) -> None:
        """A body over the limit."""
        self.post(b"x" * self.chance.choice((65_537, 200_000)))

    def nonsense(self) -> None:
        """A body that is not JSON, or not a search."""
        self.post(self.chance.choice((b"", b"{", b"[]", b'{"username": 1}', bytes(range(256)))))

    def deep(self) -> None:
        """Nesting too deep for any parser."""
        self.post(b"[" * 30_000 + b"]" * 30_000)

    def evil_pattern(self) -> None:
        """A pattern that keeps an engine busy or fills its memory."""
        self.post(self.query("user1", self.chance.choice(EVIL_PATTERNS)))

    def random_user(self) -> None:
        """A user that has not been searched before."""
        self.post(self.query(f"u{self.chance.randrange(10**9)}", "x"))

    def half_head(self) -> None:
        """An incomplete head."""
        self._hold(b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nX-")

    def half_body(self) -> None:
        """An incomplete body."""
        head = b"POST /api/v1/search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self._hold(head + b"Content-Length: 1000\r\n\r\n{")

    def flood(self) -> None:
        """The same request over and over."""
        self.post(self.query("user2", "import requests"))

    def _hold(self, sent: bytes) -> None:
        connection = socket.create_connection(
            ("127.0.0.1", self.port), timeout=WAIT_SECONDS, source_address=(self.source, 0)
        )
        connection.sendall(sent)
        self._held.append(connection)
        self.record.note("abuser half sent")
        if len(self._held) > HELD_AT_ONCE:
            self._held.popleft().close()
