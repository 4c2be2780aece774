"""What others see of a service meanwhile: /ping, /readyz, and a good caller's warm searches.

`python -m bench.bystanders PORT SECONDS PATTERN` prints their times as JSON. Each has an address
and, for each request, a connection of its own, since a new one must be accepted too.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

GOOD = "good"
"""The user that the good caller searches."""
WAIT_SECONDS = 30
"""Only a service that hangs takes longer."""


def ask(
    between: tuple[str, int],
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str] | None = None,
    *,
    timeout: float,
) -> tuple[int, bytes]:
    """The status and body of an answer, on a connection `between` an address and a port."""
    source, port = between
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=timeout, source_address=(source, 0)
    )
    sent = {"Content-Type": "application/json"} if body else {}
    try:
        connection.request(method, path, body, sent | dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@dataclass
class Bystander:
    """One client; `seconds` are the times of its requests, `failed` what it got in place of one."""

    source: str
    pause_seconds: float
    method: str
    path: str
    body: bytes | None = None
    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def run(self, port: int, until: float) -> None:
        """Send requests until this time, each after a pause."""
        while time.perf_counter() < until:
            began = time.perf_counter()
            try:
                status, text = ask(
                    (self.source, port), self.method, self.path, self.body, timeout=WAIT_SECONDS
                )
                if not self._is_right(status, text):
                    self.failed.append(f"{status} {text[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"no answer: {type(error).__name__}")
            self.seconds.append(time.perf_counter() - began)
            time.sleep(self.pause_seconds)

    def _is_right(self, status: int, text: bytes) -> bool:
        if status != 200:
            return False
        return self.body is None or json.loads(text)["status"] == "success"


def main() -> None:
    """Run all of them, and print their times."""
    port, seconds, pattern = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    body = json.dumps({"username": GOOD, "pattern": pattern}).encode()
    clients = {
        "ping": Bystander("127.0.2.1", 0.05, "GET", "/ping"),
        "readyz": Bystander("127.0.2.2", 0.1, "GET", "/readyz"),
        "good": Bystander("127.0.2.3", 0.1, "POST", "/api/v1/search", body),
    }
    until = time.perf_counter() + seconds
    threads = [threading.Thread(target=each.run, args=(port, until)) for each in clients.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {
        name: {"seconds": each.seconds, "failed": each.failed} for name, each in clients.items()
    }
    json.dump(found | {"cpu_seconds": time.process_time()}, sys.stdout)


if __name__ == "__main__":
    main()
