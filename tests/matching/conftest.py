"""How long the property tests go on: HYPOTHESIS_PROFILE=nightly for many more examples."""

from __future__ import annotations

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
def matching() -> Iterator[Matching]:
    """Give the matching as a process has it, with its real workers."""
    matching = Matching()
    yield matching
    matching.close()
