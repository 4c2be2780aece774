"""Cold searches with 64 concurrent requests, compared with the bound for as many."""

from __future__ import annotations

from typing import Any

from bench import least
from bench.measuring import NEEDLE, measured, note, summary
from bench.plan import Plan
from bench.world import World, bound_seconds

AT_ONCE = 64


def wide(world: World, plan: Plan) -> dict[str, Any]:
    """Times of a search of `warm_gists` gists relative to the bound, and of sockets alone."""
    gists = plan.warm_gists
    over, floor = [], []
    for turn in range(plan.rounds):
        note(f"cold, {gists} gists, {AT_ONCE} at once, round {turn + 1}")
        login = f"wide-{turn}"
        world.generate(login, gists, seed=80_000 + turn)
        with measured(world, "off", at_once=AT_ONCE) as service:
            cost = service.search(login, NEEDLE)
        bound = bound_seconds(gists, cost.raw_requests, AT_ONCE)
        over.append(cost.seconds / bound)
        floor.append(least.seconds(world.api_url, login, AT_ONCE) / bound)
    return {"gists": gists, "over_bound": summary(over), "least_over_bound": summary(floor)}
