"""A search for one gist beside searches of many users: `python -m bench.turns`.

Prints a table: seconds of the small search alone, beside cold searches and beside warm ones, and
the processor time of all. Compare within one run only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import requests

from bench.measuring import NEEDLE, SEARCH_SECONDS, Measured, measured
from bench.world import World, github

START_SECONDS = 0.5
"""How long the others have run when the first small search begins."""
HEAD = ("", "median, s", "longest, s", "small searches", "CPU of all, s")


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="bench.turns", description=__doc__)
    parser.add_argument("--searches", type=int, default=63)
    parser.add_argument("--users", type=int, default=100, help="of each search, a gist each")
    parser.add_argument("--readings", type=int, default=12)
    given = parser.parse_args()
    rows = [HEAD, ("---",) * len(HEAD)]
    with github() as world, tempfile.TemporaryDirectory() as folder:
        world.real_network()
        users = [_generated(world, n, given.users) for n in range(given.searches)]
        gists = _gists(world, 3 * given.readings)
        cache_url = f"sqlite:///{folder}/cache"
        with measured(world, cache_url, caller_searches=given.searches + 1) as service:
            for state, beside in (("alone", []), ("beside cold ones", users), ("warm", users)):
                cpu = service.cpu_seconds()
                took = list(_small(service, gists, given.readings, beside, state))
                shown = (statistics.median(took), max(took))
                cpu = service.cpu_seconds() - cpu
                rows.append((state, *(f"{s:.3f}" for s in shown), str(len(took)), f"{cpu:.1f}"))
    sys.stdout.write("".join(f"| {' | '.join(row)} |\n" for row in rows))


def _generated(world: World, number: int, count: int) -> list[str]:
    logins = [f"user-{number}-{user}" for user in range(count)]
    for user, login in enumerate(logins):
        world.generate(login, 1, seed=1000 * number + user)
    return logins


def _gists(world: World, count: int) -> list[str]:
    """Ids of gists that no search has read."""
    world.generate("single", count, seed=5)
    url = f"{world.api_url}/users/single/gists?per_page=100"
    return [gist["id"] for gist in requests.get(url, timeout=30).json()]


def _small(
    service: Measured, gists: list[str], readings: int, beside: list[list[str]], state: str
) -> Iterator[float]:
    """Seconds of one small search after another, as long as all the others run."""
    ended = threading.Event()

    def search(users: list[str], number: int) -> None:
        _search(service, f"{NEEDLE} {state} {number}", usernames=users)
        ended.set()

    others = [
        threading.Thread(target=search, args=(users, number)) for number, users in enumerate(beside)
    ]
    for other in others:
        other.start()
    time.sleep(START_SECONDS)
    yield _search(service, NEEDLE, gists=[gists.pop()])
    for _ in range(readings - 1):
        if not ended.is_set():
            yield _search(service, NEEDLE, gists=[gists.pop()])
    for other in others:
        other.join()


def _search(service: Measured, pattern: str, **where: object) -> float:
    began = time.perf_counter()
    answer = requests.post(
        f"{service.service.url}/api/v1/search",
        json={"pattern": pattern, **where},
        timeout=SEARCH_SECONDS,
    ).json()
    if answer["status"] != "success":
        raise SystemExit(f"not a whole answer: {answer}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
