"""Decides how often an operation is retried, and how long to wait before."""

from __future__ import annotations

import asyncio
import random

from gistapi.aio.scope import Scope
from gistapi.errors import GithubRateLimitedError, GithubTimeoutError, IncompleteError
from gistapi.github.http_errors import SilenceError, TransientError

MAX_RETRIES = 3
MAX_SILENCES = 2
"""Timeouts in a row, without progress, after which an operation is given up."""


class LimitedError(TransientError):
    """GitHub asked for a wait, which the host's limits add before the next request."""


class Retries:
    """The tries of one operation. Waits grow exponentially, with full jitter, and hold no place."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._failures = 0
        self._silences = 0

    def progressed(self) -> None:
        """Start the count again: the last try got further."""
        self._failures = self._silences = 0

    async def again(self, error: TransientError) -> None:
        """Wait before another try.

        If no try is left, raises GithubRateLimitedError for a limit, GithubTimeoutError for a
        timeout, else `error`.
        """
        self._failures += 1
        if isinstance(error, SilenceError):
            self._silences += 1
        given_up = self._failures > MAX_RETRIES or self._silences >= MAX_SILENCES
        if isinstance(error, LimitedError):
            if given_up:
                raise GithubRateLimitedError(str(error), error.retry_after_seconds) from error
            return
        backoff = random.uniform(0, 0.05 * 4**self._failures)  # noqa: S311 - jitter
        wait = max(backoff, error.retry_after_seconds)
        ends = self._scope.ends_at - asyncio.get_running_loop().time()
        if given_up or error.retry_after_seconds >= ends:
            if isinstance(error, SilenceError):
                raise GithubTimeoutError(str(error)) from error
            raise error
        await asyncio.sleep(wait)


class FileRetries(Retries):
    """The tries of one file or gist: a timeout makes it incomplete, and the search continues."""

    async def again(self, error: TransientError) -> None:
        """As `Retries.again`, but raises IncompleteError `file_unavailable` for a timeout."""
        try:
            await super().again(error)
        except GithubTimeoutError as silence:
            raise IncompleteError("file_unavailable", str(silence)) from error
