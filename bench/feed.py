"""The Atom feed of everything that one user has, and of many users: cold, warm, unchanged."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from bench.cold import ALL
from bench.measuring import SEARCH_SECONDS, Measured, measured, note
from bench.plan import Plan
from bench.world import World

GISTS = 20
"""Of each of many users."""
Row = dict[str, Any]


def feed(world: World, plan: Plan) -> list[Row]:
    """Three rows for one user and three for many; the pattern matches in every gist."""
    users = [f"feed-{number}" for number in range(plan.target_users)]
    for number, login in enumerate(users):
        world.generate(login, GISTS, seed=80_000 + number)
    world.generate("feed", plan.warm_gists, seed=90_000)
    of_whom: dict[str, tuple[int, dict[str, Sequence[str]]]] = {
        "one user": (plan.warm_gists, {"username": ["feed"]}),
        f"{len(users)} users": (GISTS * len(users), {"usernames": users}),
    }
    rows = []
    for whose, (gists, fields) in of_whom.items():
        with (
            tempfile.TemporaryDirectory() as folder,
            measured(world, f"sqlite:///{folder}/cache") as service,
        ):
            found = _rows(service, plan, {**fields, "pattern": [ALL]})
            rows += [{"feed": f"{whose}, {gists:,} gists"} | row for row in found]
    return rows


def _rows(service: Measured, plan: Plan, fields: Mapping[str, Sequence[str]]) -> list[Row]:
    note("feed: cold, warm, unchanged")
    cold, etag = _asked(service, fields, {})
    rows = [{"state": "cold"} | cold]
    for state, headers in (("warm", {}), ("unchanged", {"If-None-Match": etag})):
        asked = [_asked(service, fields, headers)[0] for _ in range(plan.warm_readings)]
        times = {
            name: statistics.median(each[name] for each in asked)
            for name in ("seconds", "cpu_seconds")
        }
        rows.append({"state": state} | asked[-1] | times)
    return rows


def _asked(
    service: Measured, fields: Mapping[str, Sequence[str]], headers: Mapping[str, str]
) -> tuple[Row, str]:
    """What a request for a feed costs, and the feed's ETag."""
    service.world.forget()
    cpu, began = service.cpu_seconds(), time.perf_counter()
    answer = requests.get(
        f"{service.service.url}/api/v1/search.atom",
        params=fields,
        headers=headers,
        timeout=SEARCH_SECONDS,
    )
    seconds = time.perf_counter() - began
    if answer.status_code != (304 if headers else 200):
        raise SystemExit(f"not the feed: {answer.status_code} {answer.text[:200]}")
    traffic = service.world.traffic()
    row = {
        "status": answer.status_code,
        "seconds": seconds,
        "cpu_seconds": service.cpu_seconds() - cpu,
        "entries": answer.text.count("<entry>"),
        "size_bytes": len(answer.content),
        "requests": [traffic.api_requests, traffic.raw_requests],
    }
    return row, answer.headers["ETag"]
