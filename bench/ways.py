"""Reading a user's contents while the raw host refuses: requests and seconds by source."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.measuring import note
from bench.plan import Plan
from bench.world import CONCURRENCY, World
from gistapi.aio.limiter import FairLimiter
from gistapi.aio.scope import Scope
from gistapi.events import ContentRead, Event
from gistapi.github import Freshness, Github
from gistapi.models import Gist, Target

SECONDS = 600.0
LOGIN = "ways"
HALFWAY = 200
ALLOWED_PER_SECOND = 10
AT_ONCE = 2 * CONCURRENCY
"""Concurrent gists, as in a search."""
REFUSED = {"most_in_all": 0, "retry_after": "300"}
SCENES: dict[str, tuple[dict[str, Any], str | None]] = {
    "raw": ({}, None),
    "GraphQL (raw refuses)": (REFUSED, "token"),
    "git (raw refuses, no token)": (REFUSED, None),
    f"raw refuses from file {HALFWAY} on": (
        {"most_in_all": HALFWAY, "retry_after": "300"},
        "token",
    ),
    "raw allows 10 a second": (
        {"most_per_second": ALLOWED_PER_SECOND, "retry_after": "1"},
        None,
    ),
}


class _Nothing:
    """A store that stores nothing."""

    def get_listing(self, key: str) -> bytes | None:  # noqa: ARG002 - a store's signature
        return None

    def put_listing(self, key: str, listing: bytes) -> None:
        """Store nothing."""


@dataclass
class _Watch:
    """Counts how often each source was used."""

    ways: Counter[str] = field(default_factory=Counter)

    def observe(self, event: Event) -> None:
        if isinstance(event, ContentRead):
            self.ways[f"{event.way} {event.reason}"] += 1


def ways(world: World, plan: Plan) -> list[dict[str, Any]]:
    """One row per scenario: seconds, requests by origin, refusals, and the sources used."""
    gists = plan.ways_gists
    world.generate(LOGIN, gists, seed=4242)
    rows = []
    for name, (limit, token) in SCENES.items():
        note(f"ways, {gists} gists: {name}")
        world.limit_raw(**limit)
        world.forget()
        rows.append({"scene": name, "gists": gists} | asyncio.run(_read(world, token)))
    world.limit_raw()
    return rows


async def _read(world: World, token: str | None) -> dict[str, Any]:
    watch = _Watch()
    github = Github(
        api_url=world.api_url,
        content_hosts=(world.raw_host,),
        token=token,
        timeout_seconds=10,
        concurrency_total=64,
        store=_Nothing(),
        freshness=Freshness(0),
        observe=watch.observe,
    )
    loop = asyncio.get_running_loop()
    scope = Scope(FairLimiter(64, CONCURRENCY).lane(), loop.time() + SECONDS)
    listed = [g async for p in github.pages(Target("username", LOGIN), scope) for g in p.gists]
    world.forget()
    began, cpu = time.perf_counter(), time.process_time()
    files = await _read_all(github, listed, scope)
    seconds = time.perf_counter() - began
    states = github.hosts()
    await github.close()
    return {
        "files": files,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "requests": {origin: count["requests"] for origin, count in world.counts().items()},
        "refused": sum(state.refusals for state in states),
        "ways": dict(watch.ways),
    }


async def _read_all(github: Github, gists: Iterable[Gist], scope: Scope) -> int:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(gist: Gist) -> int:
        async with places:
            found = [github.read(gist, file, scope) for file in gist.files]
            return len(await asyncio.gather(*found))

    return sum(await asyncio.gather(*[one(gist) for gist in gists]))
