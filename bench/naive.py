"""The naive solution, as a program: requests, one file after another, `re.search` on each text.

Run: python -m bench.naive API_URL USER PATTERN [THREADS]. Prints its cost as JSON. It follows
every page, keeps connections open and reads every file whole; it has no cache, streams or limits.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests


def main() -> None:
    """Search once."""
    api_url, user, source = sys.argv[1:4]
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    own = threading.local()

    def session() -> requests.Session:
        if not hasattr(own, "session"):
            own.session = requests.Session()
        found: requests.Session = own.session
        return found

    def matches(gist: dict[str, Any]) -> bool:
        return any(
            pattern.search(session().get(file["raw_url"], timeout=60).text)
            for file in gist["files"].values()
        )

    pattern = re.compile(source)
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        found = sum(pool.map(matches, gists_of(session(), api_url, user)))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = used.ru_utime + used.ru_stime
    peak = used.ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu": spent, "matches": found, "peak_bytes": peak}))


def gists_of(session: requests.Session, api_url: str, user: str) -> Iterator[dict[str, Any]]:
    """Follow every page of a user's gists."""
    url: str | None = f"{api_url}/users/{user}/gists?per_page=100"
    while url is not None:
        page = session.get(url, timeout=60)
        yield from page.json()
        url = page.links.get("next", {}).get("url")


def answer(api_url: str, user: str, pattern: str, threads: int) -> dict[str, float]:
    """Run this module as a process: `seconds`, `cpu` (seconds), `matches`, `peak_bytes`."""
    command = [sys.executable, "-m", "bench.naive", api_url, user, pattern, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
