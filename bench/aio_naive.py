"""Fetching alone, as a program: aiohttp with concurrent requests, and no search.

Run: python -m bench.aio_naive API_URL USER AT_ONCE. Prints its cost as JSON, which the service's
processor time per file is compared with.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time

import aiohttp


async def read_all(api_url: str, user: str, at_once: int) -> int:
    """Read all files of a user; returns their number."""
    places = asyncio.Semaphore(at_once)

    async def read(session: aiohttp.ClientSession, url: str) -> None:
        async with places, session.get(url) as response:
            await response.read()

    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session,
        asyncio.TaskGroup() as group,
    ):
        files = 0
        url: str | None = f"{api_url}/users/{user}/gists?per_page=100"
        while url is not None:
            async with session.get(url) as page:
                for gist in await page.json():
                    for file in gist["files"].values():
                        group.create_task(read(session, file["raw_url"]))
                        files += 1
                url = str(page.links["next"]["url"]) if "next" in page.links else None
    return files


def main() -> None:
    """Read all files once."""
    api_url, user, at_once = sys.argv[1:4]
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent, began = used.ru_utime + used.ru_stime, time.perf_counter()
    files = asyncio.run(read_all(api_url, user, int(at_once)))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - spent
    print(json.dumps({"seconds": seconds, "cpu": cpu, "files": files}))


def answer(api_url: str, user: str, at_once: int) -> dict[str, float]:
    """Run this module as a process: `seconds`, `cpu` (seconds, without the imports), `files`."""
    command = [sys.executable, "-m", "bench.aio_naive", api_url, user, str(at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
