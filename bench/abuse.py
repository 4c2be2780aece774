"""The service on the open internet: 300 requests a second from 50 addresses, half of them abusive.

Run: python -m bench.abuse [--seconds 20] [--rate 300] [--clients 50]. The limits are OPERATORS',
unless GISTAPI_ variables set others. Each client has a loopback address of its own; the good ones
search a few users, the others send the requests of abuse_load.py. Prints a table of the answers,
the good clients' times, and the service's memory over time. Exits with 1 if an aim is missed:
the good clients' 99th percentile is under a second, none of them is refused, memory does not grow,
and every answer follows the contract.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import requests

from bench.abuse_load import BY_THE_BOOK, Clients
from bench.record import Record
from bench.soak import populate
from bench.world import github
from gistapi.quota.keys import KeyFile
from tests.serving import Serving, serving

MIB = 2**20
USERS = 20
OPERATORS = {
    "pattern_timeout_seconds": "0.5",
    "log_level": "warning",
    "rate_limit": "11 per 5 seconds",
    "caller_searches": "2",
    "caller_github_requests": "600/hour",
    "caller_github_bytes": "5MB",
    "keys_optional": "true",
}
"""Limits that an operator might set. A key exists, so that wrong ones are refused."""
P99_SECONDS = 1.0
GROWTH_MIB = 48.0
"""How much more memory the last third may use than the first, while buffers still fill."""


def main() -> int:
    """Run the load; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.abuse", description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--clients", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, github() as world:
        populate(world)
        keys = Path(folder) / "keys.json"
        KeyFile(keys).create("operator")
        settings = _settings() | {
            "github_api_url": world.api_url,
            "github_content_hosts": world.raw_host,
            "keys_file": keys,
        }
        with serving(**settings) as service:
            _warm(service.port)
            return _load(service, given)


def _warm(port: int) -> None:
    """Read the popular users into the cache, each from another address."""
    for number in range(1, USERS):
        connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=30, source_address=(f"127.0.2.{number}", 0)
        )
        body = json.dumps({"username": f"user{number}", "pattern": "warm"})
        connection.request("POST", "/api/v1/search", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()


def _settings() -> dict[str, Any]:
    """The limits set in the environment, as the service's settings."""
    kept = ("GISTAPI_HOST", "GISTAPI_PORT", "GISTAPI_GITHUB_", "GISTAPI_CACHE_")
    found = {
        name.removeprefix("GISTAPI_").lower(): value
        for name, value in os.environ.items()
        if name.startswith("GISTAPI_") and not name.startswith(kept)
    }
    return OPERATORS | found


def _load(service: Serving, given: argparse.Namespace) -> int:
    record, stop = Record(BY_THE_BOOK), threading.Event()
    clients = Clients(service.port, record, stop, users=USERS)
    threads = clients.start(given.clients, given.rate)
    began = time.monotonic()
    memory = [_memory_mib(service)]
    while time.monotonic() < began + given.seconds:
        time.sleep(1)
        memory.append(_memory_mib(service))
    stop.set()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    alive = requests.get(f"{service.url}/ping", timeout=10).text == "pong"
    return _verdict(record, memory, seconds, alive=alive)


def _memory_mib(service: Serving) -> float:
    total = 0
    for pid in service.look():
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / MIB


def _verdict(record: Record, memory: Sequence[float], seconds: float, *, alive: bool) -> int:
    good = sorted(record.seconds)
    p99 = good[len(good) * 99 // 100] if good else float("inf")
    third = max(1, len(memory) // 3)
    growth = max(memory[-third:]) - max(memory[:third])
    refused = sum(count for name, count in record.answers.items() if _is_refusal(name))
    report = {
        "requests_per_second": round(record.answers.total() / seconds, 1),
        "answers": dict(sorted(record.answers.items())),
        "good_ms": {
            "count": len(good),
            "p50": round(good[len(good) // 2] * 1e3, 1) if good else None,
            "p99": round(p99 * 1e3, 1),
            "max": round(good[-1] * 1e3, 1) if good else None,
        },
        "good_refused": refused,
        "memory_mib": [round(each) for each in memory],
        "wrong": record.wrong[:20],
        "alive": alive,
    }
    print(json.dumps(report, indent=2))
    missed = {
        "p99": p99 >= P99_SECONDS,
        "good refused": refused > 0,
        "memory": growth > GROWTH_MIB,
        "as the contract": bool(record.wrong),
        "alive": not alive,
    }
    failed = [name for name, is_so in missed.items() if is_so]
    print(f"FAILED: {', '.join(failed)}" if failed else "every aim is met")
    return 1 if failed else 0


def _is_refusal(name: str) -> bool:
    return name.startswith("good ") and not name.startswith("good 200")


if __name__ == "__main__":
    sys.exit(main())
