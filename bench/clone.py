"""The usual way to scan repositories: `git clone` of every gist, then ripgrep over them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import requests

from bench.world import CONCURRENCY, World


def missing() -> str | None:
    """The name of a program that is not installed, if any."""
    return next((name for name in ("git", "rg") if _found(name) is None), None)


def seconds_per_gist(world: World, user: str, gists: int) -> float:
    """Clone some of a user's gists, as many at once as the service reads files, and search them."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(CONCURRENCY) as pool:
        url = f"{world.api_url}/users/{user}/gists?per_page={min(100, gists)}"
        listed = requests.get(url, timeout=60).json()[:gists]
        list(pool.map(partial(_clone, Path(folder)), listed))
        done = subprocess.run(
            [_found("rg") or "rg", "--files-with-matches", "no file has this line", folder],
            capture_output=True,
            check=False,
        )
        if done.returncode != 1:  # 1: no match
            raise SystemExit(f"ripgrep: {done.stderr.decode()}")
        seconds = time.perf_counter() - began
        if len(list(Path(folder).iterdir())) != len(listed):
            raise SystemExit("not every gist was cloned")
    return seconds / len(listed)


def _clone(folder: Path, gist: dict[str, Any]) -> None:
    target = str(folder / gist["id"])
    command = ["git", "clone", "--quiet", "--depth", "1", gist["git_pull_url"], target]
    subprocess.run(command, check=True, capture_output=True)


def _found(name: str) -> str | None:
    """The path of a program: beside this interpreter, or on PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
