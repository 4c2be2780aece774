"""Waiting for another thread or process."""

from __future__ import annotations

import time
from collections.abc import Callable

HANG_SECONDS = 60.0
"""Only a bug takes this long, on any machine."""


def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; AssertionError after HANG_SECONDS."""
    began_at = time.monotonic()
    while not condition():
        waited = time.monotonic() - began_at
        assert waited < HANG_SECONDS, f"it did not happen within {HANG_SECONDS:.0f} seconds"
        time.sleep(min(0.005 + waited / 10, 0.1))  # a tenth is lost, and little spent on looking
