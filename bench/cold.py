"""Cold searches: nothing of the user is in the cache."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bench import aio_naive, clone, least, naive
from bench.measuring import MIB, NEEDLE, Measured, note, summary
from bench.plan import FEW, Plan
from bench.world import CONCURRENCY, World, bound_seconds

MANY = 1000
"""Beyond this number of gists, `FEW` rounds."""
ALL = "^# gist"
"""Every generated file begins with this."""


def cold(service: Measured, plan: Plan) -> list[dict[str, Any]]:
    """One row per number of gists: nothing matches, all match, and the alternatives."""
    service.world.generate("warm-up", 20, seed=999)
    service.search("warm-up", NEEDLE)
    idle = service.idle_cpu_share(plan.idle_seconds)
    return [_row(service, plan, gists, idle) for gists in plan.cold_gists]


def _row(service: Measured, plan: Plan, gists: int, idle_share: float) -> dict[str, Any]:
    world = service.world
    readings: defaultdict[str, list[float]] = defaultdict(list)
    counts: dict[str, int] = {}
    for turn in range(plan.rounds if gists <= MANY else FEW):
        note(f"cold, {gists} gists, round {turn + 1}")
        users = {what: f"{what}-{gists}-{turn}" for what in ("nothing", "all")}
        for place, user in enumerate(users.values()):
            world.generate(user, gists, seed=gists * 10 + turn * 2 + place)
        counts = _ours(service, users, gists, idle_share, readings)
        _theirs(world, plan, users["nothing"], gists, turn, readings)
        spent = readings["cpu_ms_per_file"][-1] / readings["fetch_cpu_ms_per_file"][-1]
        readings["cpu_over_fetch"].append(spent)
        floor = least.seconds(world.api_url, users["nothing"], CONCURRENCY)
        readings["least_over_bound"].append(floor / bound_seconds(gists, counts["files"]))
    row: dict[str, Any] = {"gists": gists, "bound_seconds": bound_seconds(gists, counts["files"])}
    return row | counts | {name: summary(values) for name, values in readings.items()}


def _ours(
    service: Measured,
    users: dict[str, str],
    gists: int,
    idle_share: float,
    readings: defaultdict[str, list[float]],
) -> dict[str, int]:
    """Add to `readings`; returns the counts, which differ by a few files between rounds."""
    counts = {}
    for what, user in users.items():
        with service.watched() as peak:
            cost = service.search(user, NEEDLE if what == "nothing" else ALL)
        if cost.matches != (0 if what == "nothing" else gists):
            raise SystemExit(f"{cost.matches} of {gists} gists match, asked for {what}")
        bound = bound_seconds(gists, cost.raw_requests)
        readings[f"{what}_seconds"].append(cost.seconds)
        readings[f"{what}_over_bound"].append(cost.seconds / bound)
        readings["peak_mib"].append(peak.pss_bytes / MIB)
        if what == "nothing":  # if all match, other files of a matching gist are not read
            cpu = cost.cpu_seconds - idle_share * cost.seconds
            readings["cpu_ms_per_file"].append(cpu / cost.raw_requests * 1e3)
            counts = {
                "files": cost.raw_requests,
                "api_requests": cost.api_requests,
                "github_bytes": cost.github_bytes,
            }
    return counts


def _theirs(
    world: World,
    plan: Plan,
    user: str,
    gists: int,
    turn: int,
    readings: defaultdict[str, list[float]],
) -> None:
    if gists <= plan.threads_gists:
        done = naive.answer(world.api_url, user, NEEDLE, CONCURRENCY)
        readings["threads_seconds"].append(done["seconds"])
    done = aio_naive.answer(world.api_url, user, CONCURRENCY)
    readings["fetch_cpu_ms_per_file"].append(done["cpu"] / done["files"] * 1e3)
    if gists <= plan.one_by_one_gists and (gists <= 100 or turn < FEW):
        done = naive.answer(world.api_url, user, NEEDLE, 1)
        readings["one_by_one_seconds"].append(done["seconds"])


def cloned(world: World, plan: Plan) -> dict[str, Any]:
    """The time of a clone per gist, or the name of a missing program."""
    if lacking := clone.missing():
        return {"missing": lacking}
    world.generate("cloned", plan.clone_gists, seed=77)
    note(f"git clone, {plan.clone_gists} gists")
    found = [clone.seconds_per_gist(world, "cloned", plan.clone_gists) for _ in range(plan.rounds)]
    return {"gists": plan.clone_gists, "seconds_per_gist": summary(found)}
