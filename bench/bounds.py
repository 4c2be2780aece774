"""A few of the attacks of bench.attacks, shortly; that module runs them all."""

from __future__ import annotations

from typing import Any

from bench.attacks import measure, missed, populate
from bench.plan import Plan
from bench.world import World


def bounds(world: World, plan: Plan) -> list[dict[str, Any]]:
    """One row per attack; a bound that is missed ends the run."""
    populate(world, plan.attacks)
    rows = [measure(name, world, plan.attack_seconds) for name in plan.attacks]
    for row in rows:
        if words := missed(row):
            raise SystemExit(f"{row['attack']}: {', '.join(words)}: {row}")
    return rows
