"""Many concurrent clients; the start of the process, and its memory when idle."""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import Any

from bench.measuring import MIB, NEEDLE, Measured, measured, note, percentiles, summary
from bench.plan import Plan
from bench.world import World

USERS = 8
PING_SECONDS = 0.02


def load(service: Measured, plan: Plan) -> list[dict[str, Any]]:
    """One row per number of clients: warm searches, each sent when the last one is answered.

    Each search has a pattern of its own and reads one of several users' gists from the cache.
    """
    users = generated(service.world, plan, "load")
    warm_up(service, users)
    return [_row(service, plan, clients, users) for clients in plan.clients]


def generated(world: World, plan: Plan, name: str) -> list[str]:
    """Add users with gists; returns their logins."""
    users = [f"{name}-{number}" for number in range(USERS)]
    for number, login in enumerate(users):
        world.generate(login, plan.load_gists, seed=40_000 + number)
    return users


def warm_up(service: Measured, users: Sequence[str]) -> None:
    """Read the users' gists into the service's cache."""
    for login in users:
        service.search(login, NEEDLE)


def _row(service: Measured, plan: Plan, clients: int, users: Sequence[str]) -> dict[str, Any]:
    note(f"{clients} clients")
    searches: list[float] = []
    pings: list[float] = []
    until = time.perf_counter() + plan.load_seconds
    works = _clients([service], clients, users, until, searches)
    works.append(threading.Thread(target=_ping, args=(service, until, pings)))
    cpu, began = service.cpu_seconds(), time.perf_counter()
    with service.watched() as peak:
        _run(works)
    seconds = time.perf_counter() - began
    return {
        "clients": clients,
        "gists": plan.load_gists,
        "searches": len(searches),
        "searches_per_second": len(searches) / seconds,
        "search_ms": percentiles(searches),
        "ping_ms": percentiles(pings),
        "cpu_ms_per_search": (service.cpu_seconds() - cpu) / len(searches) * 1e3,
        "peak_mib": peak.pss_bytes / MIB,
    }


def throughput(
    services: Sequence[Measured], clients: int, users: Sequence[str], plan: Plan
) -> float:
    """Warm searches a second of these services together, with the clients spread over them."""
    searches: list[float] = []
    began = time.perf_counter()
    _run(_clients(services, clients, users, began + plan.load_seconds, searches))
    return len(searches) / (time.perf_counter() - began)


def _clients(
    services: Sequence[Measured],
    clients: int,
    users: Sequence[str],
    until: float,
    took: list[float],
) -> list[threading.Thread]:
    return [
        threading.Thread(target=_ask, args=(services[n % len(services)], n, users, until, took))
        for n in range(clients)
    ]


def _run(works: Sequence[threading.Thread]) -> None:
    for work in works:
        work.start()
    for work in works:
        work.join()


def _ask(
    service: Measured, seed: int, users: Sequence[str], until: float, took: list[float]
) -> None:
    chance = random.Random(seed)
    connection = HTTPConnection("127.0.0.1", service.service.port, timeout=60)
    while (began := time.perf_counter()) < until:
        pattern = f"{NEEDLE} {seed} {chance.random()}"
        body = json.dumps({"username": users[chance.randrange(USERS)], "pattern": pattern})
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/v1/search", body, headers)
        answer = json.load(connection.getresponse())
        if answer.get("matches") != []:
            raise SystemExit(f"not the answer: {answer}")
        took.append(time.perf_counter() - began)


def _ping(service: Measured, until: float, took: list[float]) -> None:
    connection = HTTPConnection("127.0.0.1", service.service.port, timeout=60)
    connection.connect()
    while (began := time.perf_counter()) < until:
        connection.request("GET", "/ping")
        connection.getresponse().read()
        took.append(time.perf_counter() - began)
        time.sleep(PING_SECONDS)


def starts(world: World, plan: Plan) -> dict[str, Any]:
    """The time from the command to the first answer of /readyz, and the memory used then."""
    seconds, idle = [], []
    for _ in range(plan.starts):
        note("start")
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            with measured(world, f"sqlite:///{folder}/cache") as service:
                seconds.append(time.perf_counter() - began)
                time.sleep(plan.idle_seconds)
                idle.append(service.pss_bytes() / MIB)
    return {"seconds": summary(seconds), "idle_mib": summary(idle)}
