"""Single files of growing size, with the needle at the start or the end: time, traffic, memory."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from bench import naive
from bench.measuring import MIB, Measured, note, summary
from bench.plan import Plan

LINES = 2000


def _block() -> str:
    """Lines that gzip compresses five to one, as it does source text; they repeat after 100 kB."""
    generator = random.Random(4)
    numbers = (generator.randrange(10**9) for _ in range(LINES))
    return "".join(f"def nothing_{n % 10**6}(of_interest: int = {n}) -> str:\n" for n in numbers)


def files(service: Measured, plan: Plan) -> list[dict[str, Any]]:
    """One row per size: the needle at the file's end and at its start."""
    return [_row(service, plan, size) for size in plan.file_bytes]


def _row(service: Measured, plan: Plan, size: int) -> dict[str, Any]:
    world, block = service.world, _block()
    note(f"one file of {size} bytes")
    readings: defaultdict[str, list[float]] = defaultdict(list)
    sent: dict[str, int] = {}
    for turn in range(plan.rounds):
        for where, offset in (("end", size - 40), ("start", 40)):
            user = f"file-{size}-{where}-{turn}"
            content = {
                "block": block,
                "size": size,
                "patches": {offset: f"needle {turn} {where}\n"},
            }
            world.add_gist(user, {"file.py": content})
            with service.watched() as peak:
                cost = service.search(user, f"needle {turn} {where}")
            if cost.matches != 1:
                raise SystemExit(f"a needle at the {where} of {size} bytes was not found")
            sent[where] = cost.github_bytes
            readings[f"{where}_seconds"].append(cost.seconds)
            readings["peak_mib"].append(peak.pss_bytes / MIB)
        done = naive.answer(world.api_url, f"file-{size}-end-{turn}", f"needle {turn} end", 1)
        readings["naive_end_seconds"].append(done["seconds"])
        readings["naive_peak_mib"].append(done["peak_bytes"] / MIB)
    found = {name: summary(values) for name, values in readings.items()}
    return {"bytes": size, "github_bytes": sent, **found}
