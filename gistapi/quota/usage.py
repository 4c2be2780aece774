"""On whose account GitHub is asked: whoever sends a request to it tells what that takes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class UsageMeter(Protocol):
    """What one search takes of its caller's shares. For any thread."""

    def spend_request(self) -> None:
        """A request to GitHub is about to be sent.

        Raises RateLimitedError or ByteQuotaError when a share is used up: then it must not be.
        """

    def spend_bytes(self, size_bytes: int) -> None:
        """So many bytes of GitHub's answers have come, unpacked.

        Raises ByteQuotaError at the share's end.
        """


class _Nobodys:
    """Without limits."""

    def spend_request(self) -> None:
        pass

    def spend_bytes(self, size_bytes: int) -> None:
        pass


NOBODYS: UsageMeter = _Nobodys()
account: ContextVar[UsageMeter] = ContextVar("account", default=NOBODYS)
"""The account of the search that this thread works for; pools and threads of a search copy it."""
