"""The cost of returning all matches with context, compared with the plain answer."""

from __future__ import annotations

import statistics
import tempfile
from typing import Any

from bench.cold import ALL
from bench.measuring import measured, note
from bench.plan import Plan
from bench.world import World

WANTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "details": {"details": True},
    "10 matches a file, 2 lines of context": {"max_count": 10, "context": 2},
}


def details(world: World, plan: Plan) -> list[dict[str, Any]]:
    """One row per level of detail; the pattern matches once in each file."""
    login = "details"
    world.generate(login, plan.warm_gists, seed=60_000)
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        measured(world, f"sqlite:///{folder}/cache") as service,
    ):
        service.search(login, ALL)
        for name, fields in WANTED.items():
            note(f"details: {name}")
            # Without details, some files of a matching gist are never read.
            service.search(login, ALL, **fields)
            costs = [service.search(login, ALL, **fields) for _ in range(plan.warm_readings)]
            rows.append(
                {
                    "wanted": name,
                    "gists": plan.warm_gists,
                    "seconds": statistics.median(cost.seconds for cost in costs),
                    "cpu_seconds": statistics.median(cost.cpu_seconds for cost in costs),
                }
            )
    return rows
