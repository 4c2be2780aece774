"""64 searches at once whose answers are as large as the contract allows: the memory they take.

Run: python -m bench.answers [--kinds json csv stream] [--text wide] [--searches 64]. Each kind is
run against a service of its own. `stream` has readers that take 1 MiB a second. Prints the answers,
how many are whole, the most memory of all processes of the service, and the time. Exits with 1 if
a search is not answered or the memory reaches AIM_MIB.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.world import World, github
from tests.properties.test_memory import MIB, memory_bytes
from tests.serving import Serving, serving

AIM_MIB = 400
GISTS = 11
LINES = 1000
TEXTS = {"ascii": "x", "wide": "\U0001f600", "none": ""}
"""What the lines consist of: the second takes four bytes a character, in memory as in UTF-8."""
ACCEPT = {
    "json": "application/json",
    "csv": "text/csv",
    "stream": "application/x-ndjson",
}
PIECE_BYTES = 64 * 1024
SLOW_SECONDS = PIECE_BYTES / MIB


@dataclass
class Load:
    """The answers of searches that run at once, and the most memory meanwhile. Thread-safe."""

    service: Serving
    kind: str
    body: dict[str, object]
    outcomes: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    peak_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, searches: int) -> None:
        """Search as often at once, and wait for all answers."""
        threads = [threading.Thread(target=self._search) for _ in range(searches)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.peak_bytes = max(self.peak_bytes, memory_bytes(self.service))
            time.sleep(0.1)
        for thread in threads:
            thread.join()

    def _search(self) -> None:
        try:
            outcome, size = self._ask()
        except (OSError, http.client.HTTPException) as error:
            outcome, size = f"no answer: {error!r}", 0
        with self._lock:
            self.outcomes[outcome] += 1
            self.size_bytes += size

    def _ask(self) -> tuple[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=200)
        headers = {"Content-Type": "application/json", "Accept": ACCEPT[self.kind]}
        connection.request("POST", "/api/v1/search", json.dumps(self.body), headers)
        answer = connection.getresponse()
        status = answer.headers.get("Search-Status", "")
        head, tail, size = b"", b"", 0
        while piece := answer.read(PIECE_BYTES):
            size += len(piece)
            head, tail = head or piece[:1000], (tail + piece)[-4000:]
            if self.kind == "stream":
                time.sleep(SLOW_SECONDS)
        connection.close()
        if answer.status != 200:
            return f"{answer.status} {head[:200]!r}", size
        if self.kind == "stream":
            last = json.loads(tail.strip().rpartition(b"\n")[2])
            status = f"{last['data']['matches']} {last['data']['status']}"
        if self.kind == "json":
            status = "success" if b'"status": "success"' in head else "partial"
            why = (
                tail.rpartition(b'"reason": "')[2].partition(b'"')[0].decode()
                if status == "partial"
                else ""
            )
            status = f"{status} {why}"
        return f"200 {status}", size


def populate(world: World, text: str) -> None:
    """Add gists that match as often as one answer shows."""
    width = 200 if text.isascii() else 50
    for number in range(GISTS):
        content = "".join(f"a{number}{line}{text * width}\n" for line in range(LINES))
        world.add_gist("octocat", {f"f{number}.txt": content})
    world.add_gist("hubot", {"a": "hay"})


def measure(kind: str, text: str, searches: int, context: int) -> bool:
    """One round; whether all is as it should be."""
    with github() as world:
        populate(world, TEXTS[text])
        with serving(
            github_api_url=world.api_url,
            github_content_hosts=world.raw_host,
            caller_searches=64,
            cache_url="memory:",
            log_level="warning",
        ) as service:
            service.search("x", username="hubot")
            service.search("nothing")  # warms the cache
            idle = memory_bytes(service)
            pattern = {"json": "^a", "csv": "^a", "stream": "^a"}[kind]
            body: dict[str, object] = {
                "username": "octocat",
                "pattern": pattern,
                "multiline": True,
                "max_count": 1000,
                "context": context,
            }
            load = Load(service, kind, body)
            began = time.monotonic()
            load.run(searches)
            seconds = time.monotonic() - began
            after = memory_bytes(service)
            alive = service.process.poll() is None
    print(
        f"{kind} {text}: {dict(load.outcomes)}; {load.size_bytes / MIB / searches:.1f} MiB each;"
        f" memory idle {idle / MIB:.0f}, most {load.peak_bytes / MIB:.0f},"
        f" afterwards {after / MIB:.0f} MiB;"
        f" {seconds:.1f} s; alive {alive}"
    )
    answered = sum(n for name, n in load.outcomes.items() if name.startswith("200"))
    return alive and answered == searches and load.peak_bytes < AIM_MIB * MIB


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all rounds; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.answers", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=list(ACCEPT), default=list(ACCEPT))
    parser.add_argument("--text", nargs="+", choices=list(TEXTS), default=list(TEXTS))
    parser.add_argument("--searches", type=int, default=64)
    parser.add_argument("--context", type=int, default=0)
    given = parser.parse_args(arguments)
    good = [
        measure(kind, text, given.searches, given.context)
        for kind in given.kinds
        for text in given.text
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
