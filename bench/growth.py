"""Warm searches of many gists and of ten times as many, compared with a plain loop over SQLite."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench import plain_loop
from bench.measuring import MIB, NEEDLE, Measured, measured, note, summary
from bench.plan import Plan
from bench.wide import AT_ONCE
from bench.world import World


def growth(world: World, plan: Plan) -> list[dict[str, Any]]:
    """One row per number of gists; both read the same contents, in turns."""
    rows = []
    for gists in (plan.warm_gists, plan.warm_large_gists):
        note(f"warm, {gists} gists, beside a plain loop")
        login = f"growth-{gists}"
        world.generate(login, gists, seed=gists)
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain"
            plain_loop.store(login, gists, gists, plain)
            with measured(world, f"sqlite:///{folder}/cache", at_once=AT_ONCE) as service:
                service.search(login, NEEDLE)
                rows.append(_row(service, login, gists, plain, plan))
    return rows


def _row(service: Measured, login: str, gists: int, plain: Path, plan: Plan) -> dict[str, Any]:
    readings: dict[str, list[float]] = defaultdict(list)
    with service.watched() as peak:
        for turn in range(plan.warm_readings):
            source = f"{NEEDLE} {turn}"
            own, other = service.search(login, source).seconds, plain_loop.seconds(plain, source)
            readings["seconds"].append(own)
            readings["plain_seconds"].append(other)
            readings["over_plain"].append(own / other)
    found = {name: summary(values) for name, values in readings.items()}
    return {"gists": gists, "peak_mib": peak.pss_bytes / MIB, **found}
