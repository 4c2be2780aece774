"""Measuring a running service: processor time, memory and response times."""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil
import requests

from bench.world import CONCURRENCY, World
from tests.serving import SERVE, Serving, serving

MIB = 2**20
LOOK_SECONDS = 0.25
SEARCH_SECONDS = 600
NEEDLE = "no file has this line"
CALLER_SEARCHES = 16
"""Searches of one caller at once: the service's default."""


@dataclass(frozen=True)
class Cost:
    """The cost of one search: time, the service's processor time, requests and bytes of GitHub."""

    seconds: float
    cpu_seconds: float
    matches: int
    api_requests: int
    raw_requests: int
    github_bytes: int


@dataclass
class Peak:
    """The largest memory use observed."""

    pss_bytes: int = 0


class Measured:
    """A running service, measured from outside."""

    def __init__(self, service: Serving, world: World) -> None:
        self.service = service
        self.world = world
        self._session = requests.Session()

    def search(self, login: str | None, pattern: str, **fields: object) -> Cost:
        """Run one search with a plain answer; `fields` are further fields of the request."""
        self.world.forget()
        cpu, began = self.cpu_seconds(), time.perf_counter()
        answer = self._post(login, pattern, "application/json", fields=fields).json()
        seconds = time.perf_counter() - began
        if answer["status"] != "success":
            raise SystemExit(f"not a whole answer: {answer}")
        spent = self.cpu_seconds() - cpu
        traffic = self.world.traffic()
        return Cost(
            seconds,
            spent,
            len(answer["matches"]),
            traffic.api_requests,
            traffic.raw_requests,
            traffic.sent_bytes,
        )

    def stream(self, login: str, pattern: str) -> tuple[float, float]:
        """Seconds until the first match and until the end of a streamed search."""
        began = time.perf_counter()
        first: float | None = None
        with self._post(login, pattern, "application/x-ndjson", stream=True) as response:
            for line in response.iter_lines():
                if first is None and json.loads(line)["type"] == "match":
                    first = time.perf_counter() - began
        if first is None:
            raise SystemExit(f"no match for {pattern}")
        return first, time.perf_counter() - began

    def cpu_seconds(self) -> float:
        """The processor time of all its processes so far."""
        total = 0.0
        for pid in self.service.look():
            with suppress(psutil.NoSuchProcess):
                times = psutil.Process(pid).cpu_times()
                total += times.user + times.system
        return total

    def idle_cpu_share(self, seconds: float) -> float:
        """The share of a processor used when idle; processor time is counted in steps of 10 ms."""
        spent, began = self.cpu_seconds(), time.perf_counter()
        time.sleep(seconds)
        return (self.cpu_seconds() - spent) / (time.perf_counter() - began)

    def pss_bytes(self) -> int:
        """The current memory of all its processes: their proportional set size."""
        total = 0
        for pid in self.service.look():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                total += psutil.Process(pid).memory_full_info().pss
        return total

    @contextmanager
    def watched(self) -> Iterator[Peak]:
        """Observe the largest memory use while the body of `with` runs."""
        peak, done = Peak(), threading.Event()

        def look() -> None:
            while True:
                peak.pss_bytes = max(peak.pss_bytes, self.pss_bytes())
                if done.wait(LOOK_SECONDS):
                    return

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield peak
        finally:
            done.set()
            looking.join()

    def _post(
        self,
        login: str | None,
        pattern: str,
        accept: str,
        *,
        fields: Mapping[str, object] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        where = {} if login is None else {"username": login}
        answer = self._session.post(
            f"{self.service.url}/api/v1/search",
            json={**where, "pattern": pattern, **(fields or {})},
            headers={"Accept": accept},
            timeout=SEARCH_SECONDS,
            stream=stream,
        )
        answer.raise_for_status()
        return answer


@contextmanager
def measured(
    world: World,
    cache_url: str,
    ttl_seconds: float = 3600,
    command: Sequence[str] = SERVE,
    at_once: int = CONCURRENCY,
    caller_searches: int = CALLER_SEARCHES,
) -> Iterator[Measured]:
    """A service of this GitHub, otherwise with default settings."""
    with serving(
        command=command,
        github_api_url=world.api_url,
        github_content_hosts=world.raw_host,
        search_deadline_seconds=SEARCH_SECONDS,
        cache_url=cache_url,
        listing_ttl_seconds=ttl_seconds,
        github_concurrency=at_once,
        caller_searches=caller_searches,
    ) as service:
        yield Measured(service, world)


def summary(readings: Sequence[float]) -> dict[str, float]:
    """The median, minimum and maximum of readings, with four digits."""
    found = {"median": statistics.median(readings), "min": min(readings), "max": max(readings)}
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median, 90th and 99th percentile and the maximum of times, in milliseconds."""
    ordered = [1e3 * each for each in sorted(seconds)]
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    found = {
        name: ordered[min(len(ordered) - 1, int(len(ordered) * share))]
        for name, share in shares.items()
    }
    return {**found, "max": ordered[-1]}


def note(words: str) -> None:
    """Print progress to standard error."""
    print(words, file=sys.stderr, flush=True)
