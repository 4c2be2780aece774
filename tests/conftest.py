"""What every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_github import FakeGithub


@pytest.fixture
def github() -> Iterator[FakeGithub]:
    """Give a fresh fake GitHub without users, on free ports."""
    with FakeGithub() as fake:
        yield fake
