"""The GitHub of the measurements: the tests' fake one, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

API_MS = 120
RAW_MS = 40
BYTES_PER_SECOND = 50_000_000
"""Of each raw answer, about what a CDN's connection carries."""
CONCURRENCY = 16
"""Concurrent downloads: the service's default, which the alternatives use too."""
PAGE_GISTS = 100
FILES_PER_GIST = 2
FILE_BYTES = 4000
"""Averages of generated gists."""


@dataclass(frozen=True)
class Traffic:
    """What GitHub received and sent, heads included."""

    api_requests: int
    raw_requests: int
    sent_bytes: int


class World:
    """Controls the fake GitHub."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.api_url = addresses["api_url"]
        self.raw_url = addresses["raw_url"]
        self.raw_host = addresses["raw_host"]
        self.control_url = addresses["control_url"]

    def generate(self, login: str, gists: int, seed: int) -> None:
        """Add gists with a few small files; another seed makes other contents."""
        self._post(
            "generate",
            login=login,
            gists=gists,
            seed=seed,
            files_per_gist=FILES_PER_GIST,
            size_bytes=FILE_BYTES,
        )

    def add_gist(self, login: str, files: dict[str, Any]) -> None:
        """Add one gist; `tests.fake_github.control` describes what a file may be."""
        self._post("gists", login=login, files=files)

    def inject(self, **fault: object) -> None:
        """Let requests fail or wait (`tests.fake_github.control`)."""
        self._post("faults", **fault)

    def edit_newest(self, login: str, text: str) -> None:
        """Add a file to a user's newest gist."""
        answer = requests.get(f"{self.api_url}/users/{login}/gists?per_page=1", timeout=30)
        self._post("edit", id=answer.json()[0]["id"], files={"changed.txt": text})

    def real_network(self) -> None:
        """Set latency and bandwidth as between a data centre and GitHub."""
        raw = {"latency_seconds": RAW_MS / 1e3, "bytes_per_second": BYTES_PER_SECOND}
        git = {"latency_seconds": RAW_MS / 1e3}
        self._post("network", api={"latency_seconds": API_MS / 1e3}, raw=raw, git=git)

    def limit_raw(self, **limit: object) -> None:
        """Set the raw host's own limit (`tests.fake_github.control`); by default none."""
        self._post("raw", **limit)

    def counts(self) -> dict[str, dict[str, int]]:
        """Requests and bytes of each origin since `forget`."""
        found: dict[str, dict[str, int]] = requests.get(
            f"{self.control_url}traffic", timeout=30
        ).json()
        return found

    def forget(self) -> None:
        """Set the counts to zero."""
        self._post("forget")

    def traffic(self) -> Traffic:
        """The counts since `forget`."""
        counts = requests.get(f"{self.control_url}traffic", timeout=30).json()
        sent = sum(count["sent_bytes"] for count in counts.values())
        return Traffic(counts["api"]["requests"], counts["raw"]["requests"], sent)

    def _post(self, what: str, **body: object) -> None:
        requests.post(f"{self.control_url}{what}", json=body, timeout=60).raise_for_status()


@contextmanager
def github() -> Iterator[World]:
    """Run it without a rate limit that a measurement could reach."""
    command = [sys.executable, "-m", "tests.fake_github", "--limit", "1000000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - because of PIPE
        try:
            yield World(json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def bound_seconds(gists: int, files: int, at_once: int = CONCURRENCY) -> float:
    """The least time of any search: pages are read one by one, files this many at once.

    `max(pages x api, api + files x raw / concurrency)`.
    """
    pages = max(1, -(-gists // PAGE_GISTS))
    api, raw = API_MS / 1e3, RAW_MS / 1e3
    return max(pages * api, api + files * raw / at_once)
