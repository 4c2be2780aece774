"""Waiting for another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable

HANG_SECONDS = 60.0
"""Only a bug takes this long, on any machine."""


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; AssertionError after HANG_SECONDS."""
    ends_at = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < ends_at, f"it did not happen within {HANG_SECONDS:.0f} seconds"
        time.sleep(0.01)
