"""How long the property tests go on: HYPOTHESIS_PROFILE=nightly for many more examples."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from gistapi.matching import Matching

_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
settings.register_profile(
    "default", max_examples=400, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
settings.register_profile(
    "nightly",
    max_examples=20_000,
    deadline=None,
    derandomize=False,  # it would be inherited, and every night look at the same cases
    suppress_health_check=_QUIET,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


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
