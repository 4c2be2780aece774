"""Chooses the source that a file's content is read from, by its cost and availability.

The raw host comes first: it costs nothing of the API's budget. While it refuses, GraphQL has up to
100 gists for one point, the REST API one gist for one request, git one gist for a clone. Whatever
its source, a content is verified by the listing's blob SHA, and not used if it does not match.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any

from gistapi.aio.scope import Scope
from gistapi.errors import (
    GistapiError,
    GithubError,
    GithubRateLimitedError,
    GoneError,
    IncompleteError,
    RawRefusedError,
)
from gistapi.events import ContentRead, ContentWay, Observer, WayReason
from gistapi.github.client import Client, LimitedError
from gistapi.github.git.clone import Clones
from gistapi.github.raw import RawFiles
from gistapi.github.whole_gists import WholeGists
from gistapi.models import Gist, GistFile

SHORT_WAIT_SECONDS = 2.0
"""A wait of the raw host up to this costs less than another way."""
LEFT_SECONDS = 600.0
"""How long a way that failed for a gist is not taken for it."""
LEFT_GISTS = 10_000
NO_HELP = {"host_not_allowed", "file_too_large"}
"""Reasons against which no other way helps."""
FAILURES = (GithubError, IncompleteError, RawRefusedError, GoneError)


@dataclass(slots=True)
class _Tried:
    """What one file's ways have answered so far; `waited`: the raw host was waited for."""

    errors: dict[ContentWay, GistapiError] = field(default_factory=dict)
    waited: bool = False


class Contents:
    """Reads files from the cheapest available source, and from another one when that fails.

    Every method may raise, besides what it names: GoneError (404), IncompleteError, GithubError,
    GithubRateLimitedError, and the meter's errors.
    """

    def __init__(self, client: Client, clones: Clones, observe: Observer) -> None:
        self._client = client
        self._observe = observe
        self._raw = RawFiles(client)
        self._whole = WholeGists(client, clones)
        self._left: OrderedDict[tuple[str, ContentWay], float] = OrderedDict()

    async def stream(
        self, gist: Gist, file: GistFile, scope: Scope
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Passes over a large file (`raw.RawFiles.stream`).

        RawRefusedError where the raw host does not bring it and git may. Close both generators.
        """
        if not self._whole.can("git", gist, file, scope):
            async with aclosing(self._raw.stream(file, scope)) as passes:
                async for chunks in passes:
                    yield chunks
            return
        with _left_to_git():
            stream = self._raw.stream(file, scope, max_wait_seconds=SHORT_WAIT_SECONDS)
            async with aclosing(stream) as passes:
                async for chunks in passes:
                    async with aclosing(_guarded(chunks)) as guarded:
                        yield guarded

    async def read(self, gist: Gist, file: GistFile, scope: Scope) -> bytes:
        """Read a small file whole, verified by the listing's blob SHA if it has one."""
        tried = _Tried()
        while True:
            kept = self._whole.kept.get(file.blob_sha)
            if kept is not None:  # it came along with another file
                content, way = kept
                self._observe(ContentRead(way, "shared"))
                return content
            choice = self._choose(gist, file, scope, tried)
            if choice is None:
                raise _failure(tried)
            way, reason, max_wait_seconds = choice
            try:
                content = await self._read(way, gist, file, scope, max_wait_seconds)
            except FAILURES as error:
                if _is_final(way, error):
                    raise
                tried.errors[way] = error
                if not isinstance(error, LimitedError | GithubRateLimitedError):
                    self._leave(gist, way)
            else:
                self._observe(ContentRead(way, reason))
                return content

    def _read(
        self, way: ContentWay, gist: Gist, file: GistFile, scope: Scope, max_wait_seconds: float
    ) -> Coroutine[Any, Any, bytes]:
        if way == "raw":
            return self._raw.read(file, scope, max_wait_seconds=max_wait_seconds)
        return self._whole.read(way, gist, file, scope)

    def _choose(
        self, gist: Gist, file: GistFile, scope: Scope, tried: _Tried
    ) -> tuple[ContentWay, WayReason, float] | None:
        """The next source, why it is used, and how long the raw host may be waited for."""
        if "raw" not in tried.errors and not self._has_left(gist, "raw"):
            if not file.raw_url:
                return "raw", "preferred", inf
            raw = self._client.host(file.raw_url, "raw", scope)
            soon = raw.throttle.delay_seconds() <= SHORT_WAIT_SECONDS
            if (soon and raw.is_usable()) or 0 < raw.wait_seconds() <= SHORT_WAIT_SECONDS:
                return "raw", "preferred", SHORT_WAIT_SECONDS
            reason: WayReason = "limited" if raw.is_limited() or not soon else "failed"
        else:
            reason = _reason(tried.errors.get("raw"))
        for way in self._whole.ways(scope):
            if way in tried.errors or self._has_left(gist, way):
                continue
            if self._whole.can(way, gist, file, scope):
                return way, reason, 0
        refused = tried.errors.get("raw")
        if tried.waited or not isinstance(refused, LimitedError | None):
            return None
        tried.waited = True  # nothing else is left: wait for the raw host as long as it takes
        return "raw", reason, inf

    def _leave(self, gist: Gist, way: ContentWay) -> None:
        """Do not use this source for this gist for a time."""
        self._left[gist.id, way] = asyncio.get_running_loop().time() + LEFT_SECONDS
        if len(self._left) > LEFT_GISTS:
            self._left.popitem(last=False)

    def _has_left(self, gist: Gist, way: ContentWay) -> bool:
        until = self._left.get((gist.id, way))
        return until is not None and until > asyncio.get_running_loop().time()


async def _guarded(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    with _left_to_git():
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk


@contextmanager
def _left_to_git() -> Iterator[None]:
    """Raise RawRefusedError for what git may help against."""
    try:
        yield
    except (GithubError, IncompleteError) as error:
        if isinstance(error, IncompleteError) and error.reason in NO_HELP:
            raise
        raise RawRefusedError(str(error)) from error


def _is_final(way: ContentWay, error: GistapiError) -> bool:
    """Whether no other source would help: the file is gone, or its address is not allowed."""
    if isinstance(error, GoneError):
        return True
    return way == "raw" and isinstance(error, IncompleteError) and error.reason in NO_HELP


def _reason(error: GistapiError | None) -> WayReason:
    """Why the raw host is not used."""
    if isinstance(error, LimitedError | GithubRateLimitedError):
        return "limited"
    if isinstance(error, IncompleteError) and error.reason == "content_mismatch":
        return "mismatch"
    return "failed"


def _failure(tried: _Tried) -> GistapiError:
    """The error of a file that no source has."""
    raw = tried.errors.get("raw")
    for error in (raw, *tried.errors.values()):
        if isinstance(error, LimitedError):
            return GithubRateLimitedError(str(error), error.retry_after_seconds)
        if isinstance(error, GithubRateLimitedError):
            return error
    if isinstance(raw, RawRefusedError):
        return IncompleteError("file_unavailable", str(raw))
    return raw or IncompleteError("file_unavailable", "GitHub does not have the file any more.")
