"""What every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.fake_github import FakeGithub


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
