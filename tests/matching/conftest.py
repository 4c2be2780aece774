"""What the tests of the matching share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gistapi.matching import Matching


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """Give a loop with the real clock that lives as long as the tests."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def matching(runner: asyncio.Runner) -> Iterator[Matching]:
    """Give the matching as a process has it, with its real workers, on the runner's loop."""
    matching = Matching()
    yield matching
    runner.run(matching.close())
