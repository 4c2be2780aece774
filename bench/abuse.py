"""Half of the callers abuse the service: the others must not notice.

Run: python -m bench.abuse [--seconds 20] [--clients 50] [--rate 300]. Each client has a loopback
address of its own, and so a share of its own. Prints what both halves were told and how long the
good ones waited; exits 1 when a good one was refused or waited a second (one in a hundred may),
when an answer was against the contract, or when the service's memory has grown.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from bench.soak import MIB, made_up_github
from bench.soak_load import USERS
from tests.serving import Serving, serving

GOOD_SHARE = 0.3
"""Of all requests: each abuser asks more than twice as often as a good one."""
BY_THE_BOOK = {200, 400, 401, 403, 404, 405, 413, 415, 429, 503}
LONGEST_SECONDS = 1.0
GROWTH_MIB = 40.0
SEARCH = "/api/v1/search"
PATTERNS = ("import requests", r"(?i)\bdef \w+\(self", r"[a-z]{3,}\d+$", "nowhere to be found")
COSTLY = (r"(\w+\s?)+=+$(?<!x)", r"(?:[ab]{1000}y|[ab]{999}z|[ab]{998}w)", r"((a?){30}){30}\1")


@dataclass
class Told:
    """What clients of one kind were told. For any thread."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """Asks at a steady pace from an address of its own until the end."""

    def __init__(self, port: int, number: int, pace: float, ends_at: float, told: Told) -> None:
        super().__init__()
        self._port = port
        self._address = f"127.0.0.{number + 2}"
        self._pace = pace
        self._ends_at = ends_at
        self._told = told
        self._random = random.Random(number)
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Ask; who is late asks at once, and does not catch up."""
        due = time.monotonic() + self._random.uniform(0, self._pace)
        while (now := time.monotonic()) < self._ends_at:
            time.sleep(max(0.0, due - now))
            due = max(due, now) + self._pace
            try:
                self.ask()
            except (OSError, http.client.HTTPException) as error:
                self._told.answers[type(error).__name__] += 1
                self._leave()
        self._leave()

    def ask(self) -> None:
        """What a good client asks: known users, plain patterns, now and then the page."""
        path = self._random.choice((SEARCH, SEARCH, SEARCH, "/ping", "/"))
        user = f"user{self._random.randrange(1, USERS)}"
        began = time.monotonic()
        self._send(path, {"username": user, "pattern": self._random.choice(PATTERNS)})
        self._told.seconds.append(time.monotonic() - began)

    def _send(self, path: str, body: object = None, headers: dict[str, str] | None = None) -> None:
        method = "POST" if path == SEARCH else "GET"
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | (headers or {})
        if self._connection is None:
            self._connection = _connection(self._port, self._address)
        self._connection.request(method, path, text if method == "POST" else None, sent)
        answer = self._connection.getresponse()
        content = answer.read()
        code = "" if answer.status < 400 else f" {json.loads(content)['code']}"
        self._told.answers[f"{answer.status}{code}"] += 1
        if answer.status not in BY_THE_BOOK:
            self._told.wrong.append(f"{answer.status} {content[:200]!r}")

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Abuser(Client):
    """Asks too often, for too much, with made-up headers, and leaves early."""

    def ask(self) -> None:
        """One of the ways."""
        self._random.choice(
            (self._costly, self._costly, self._unknown, self._garbage, self._huge, self._half)
        )()

    def _costly(self) -> None:
        pattern = self._random.choice(COSTLY)
        self._send(SEARCH, {"username": "user0", "pattern": pattern}, self._made_up())

    def _unknown(self) -> None:
        user = f"nobody{self._random.randrange(10**6)}"
        self._send(SEARCH, {"username": user, "pattern": "x"}, self._made_up())

    def _garbage(self) -> None:
        self._send(SEARCH, b'{"username": ' + b"[" * self._random.randrange(60_000))

    def _huge(self) -> None:
        self._leave()  # the service answers before it has read all, and closes
        self._send(SEARCH, b" " * 200_000)
        self._leave()

    def _half(self) -> None:
        """Begin a stream, and go."""
        self._leave()
        self._connection = _connection(self._port, self._address)
        body = json.dumps({"username": "user0", "pattern": self._random.choice(PATTERNS)})
        headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
        self._connection.request("POST", SEARCH, body, headers)
        self._leave()

    def _made_up(self) -> dict[str, str]:
        address = ".".join(str(self._random.randrange(256)) for _ in range(4))
        return {"X-Forwarded-For": address, "Forwarded": f"for={address}"}


def main() -> int:
    """Abuse; the exit code."""
    parser = argparse.ArgumentParser(prog="bench.abuse", description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rate", type=float, default=300.0)
    given = parser.parse_args()
    half = given.clients // 2
    good_pace = half / (given.rate * GOOD_SHARE)
    with (
        made_up_github() as github,
        serving(
            github_api_url=github["api_url"],
            github_content_hosts=github["raw_host"],
            search_deadline_seconds=10,
            pattern_timeout_seconds=0.5,
            # Room for a good client; an abuser asks more than twice as often.
            rate_limit=f"{math.ceil(5 / good_pace * 1.4)} per 5 seconds",
            caller_searches=1,
            caller_github_requests="3000/hour",
            caller_github_bytes=5 * MIB,
        ) as service,
    ):
        _warm(service)
        ends_at = time.monotonic() + given.seconds
        good, bad = Told(), Told()
        clients: list[Client] = [
            Client(service.port, number, good_pace, ends_at, good) for number in range(half)
        ]
        bad_pace = half / (given.rate * (1 - GOOD_SHARE))
        clients += [
            Abuser(service.port, half + number, bad_pace, ends_at, bad) for number in range(half)
        ]
        memory = _run(service, clients, ends_at)
    return _verdict(good, bad, memory)


def _warm(service: Serving) -> None:
    """Have the good ones' gists read, each user's for another address."""
    for number in range(1, USERS):
        connection = _connection(service.port, f"127.0.1.{number}")
        body = json.dumps({"username": f"user{number}", "pattern": "x"})
        connection.request("POST", SEARCH, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()


def _connection(port: int, address: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))


def _run(service: Serving, clients: Sequence[Client], ends_at: float) -> list[float]:
    """Let them ask; the service's memory in MiB through the time."""
    for client in clients:
        client.start()
    memory = []
    while time.monotonic() < ends_at:
        time.sleep(0.5)
        total = 0
        for pid in service.look():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                total += psutil.Process(pid).memory_info().rss
        memory.append(total / MIB)
    for client in clients:
        client.join()
    return memory


def _verdict(good: Told, bad: Told, memory: Sequence[float]) -> int:
    waited = sorted(good.seconds)
    p99 = waited[len(waited) * 99 // 100]
    half = len(memory) // 2
    grown = max(memory[half:]) - max(memory[:half])
    report = {
        "good": dict(good.answers),
        "good_ms": {"p50": round(waited[len(waited) // 2] * 1e3), "p99": round(p99 * 1e3)},
        "abusive": dict(bad.answers),
        "memory_mib": {"first half": round(max(memory[:half])), "grown": round(grown)},
        "wrong": [*good.wrong, *bad.wrong][:20],
    }
    print(json.dumps(report, indent=2))
    refused = set(good.answers) - {"200"}
    failed = refused or p99 > LONGEST_SECONDS or good.wrong or bad.wrong or grown > GROWTH_MIB
    print("FAILED" if failed else "the good ones did not notice")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
