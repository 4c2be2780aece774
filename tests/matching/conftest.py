"""Fixtures for the tests of matching."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gistapi.matching import Matching


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """Yield a loop with the real clock for all tests of a module."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def matching(runner: asyncio.Runner) -> Iterator[Matching]:
    """Yield a process's matching, with real workers, on the runner's loop."""
    matching = Matching()
    yield matching
    runner.run(matching.close())
