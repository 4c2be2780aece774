"""What the tests of the matching share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gistapi.matching import Matching


@pytest.fixture(scope="session")
def matching() -> Iterator[Matching]:
    """Give the matching as a process has it, with its real workers."""
    matching = Matching()
    yield matching
    matching.close()
