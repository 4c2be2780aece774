"""The times of the first and the last match of a stream, and of the plain answer."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bench.measuring import Measured, note, summary
from bench.plan import FEW, Plan


def streamed(service: Measured, plan: Plan) -> list[dict[str, Any]]:
    """One row per position of the match: the newest gist, the oldest, or all of them."""
    places = {
        "newest": f"^# gist {plan.stream_gists - 1}, file 0 ",
        "oldest": "^# gist 0, file 0 ",
        "all": "^# gist",
    }
    return [
        _row(service, plan, place, pattern, 20_000 + 100 * number)
        for number, (place, pattern) in enumerate(places.items())
    ]


def _row(service: Measured, plan: Plan, place: str, pattern: str, seed: int) -> dict[str, Any]:
    """Each search has gists of its own, which are not cached."""
    readings: defaultdict[str, list[float]] = defaultdict(list)
    for turn in range(plan.rounds):
        note(f"stream, match in {place}, round {turn + 1}")
        service.world.generate(f"stream-{place}-{turn}", plan.stream_gists, seed=seed + turn)
        first, end = service.stream(f"stream-{place}-{turn}", pattern)
        readings["first_seconds"].append(first)
        readings["end_seconds"].append(end)
    for turn in range(FEW):
        service.world.generate(f"plain-{place}-{turn}", plan.stream_gists, seed=seed + 50 + turn)
        plain = service.search(f"plain-{place}-{turn}", pattern)
        readings["plain_seconds"].append(plain.seconds)
    found = {name: summary(values) for name, values in readings.items()}
    return {"match_in": place, "gists": plan.stream_gists, **found}
