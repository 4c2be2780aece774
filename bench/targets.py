"""Many users in one search, compared with one search for each."""

from __future__ import annotations

import tempfile
from typing import Any

from bench.measuring import NEEDLE, measured, note
from bench.plan import Plan
from bench.world import World

GISTS = 20


def targets(world: World, plan: Plan) -> list[dict[str, Any]]:
    """One row for cold and one for warm searches."""
    users = [f"target-{number}" for number in range(plan.target_users)]
    others = [f"single-{number}" for number in range(plan.target_users)]
    for number, login in enumerate(users + others):
        world.generate(login, GISTS, seed=70_000 + number)
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        measured(world, f"sqlite:///{folder}/cache") as service,
    ):
        for state in ("cold", "warm"):
            note(f"{len(users)} users, {state}")
            together = service.search(None, f"{NEEDLE} {state}", usernames=users)
            apart = [service.search(login, f"{NEEDLE} {state}") for login in others]
            rows.append(
                {
                    "users": len(users),
                    "state": state,
                    "together_seconds": together.seconds,
                    "apart_seconds": sum(cost.seconds for cost in apart),
                    "requests": [together.api_requests, together.raw_requests],
                }
            )
    return rows
