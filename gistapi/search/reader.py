"""Reads the files of gists and feeds them to the matcher: from the cache, then from GitHub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from cachetools import LRUCache

from gistapi.aio.budget import ByteBudget
from gistapi.aio.scope import Scope
from gistapi.aio.singleflight import SingleFlight
from gistapi.errors import (
    GithubError,
    GithubRateLimitedError,
    GoneError,
    IncompleteError,
    PatternTimeoutError,
    RawRefusedError,
)
from gistapi.matching import Matcher
from gistapi.models import Gist, GistFile, Hits, Page, Target
from gistapi.search.filters import Filter
from gistapi.search.gist_state import GistState, Result
from gistapi.search.reorder import Outcome, Slot

T = TypeVar("T")

SMALL_BYTES = 2**20
"""Files up to this size are read whole, checked, kept and then searched; larger ones streamed."""
BATCH_BYTES = 2 * 2**20
"""Cached contents that are read and searched together."""
LANDED = 4096
NO_LANGUAGE = IncompleteError("language_unknown", "Git does not name a file's language.")


class ClonedFile(Protocol):
    """One file read by git."""

    @property
    def name(self) -> str:
        """Its name in the gist."""

    @property
    def size_bytes(self) -> int:
        """Its size."""

    @property
    def chunks(self) -> AsyncIterator[bytes]:
        """Its content, to be read before the next file."""


class GistSource(Protocol):
    """Where gists come from; on the loop. Every method may raise GithubError and its kinds."""

    def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
        """Yield a target's gists, newest created first, each once."""

    def members(self, organization: str, scope: Scope) -> AsyncGenerator[str]:
        """Yield the logins of an organization's members."""

    async def read(self, gist: Gist, file: GistFile, scope: Scope) -> bytes:
        """Return the whole of a small file."""

    def stream(
        self, gist: Gist, file: GistFile, scope: Scope
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Yield passes over a large file, as a rule one; a later one replaces it."""

    def clone(
        self, gist: Gist, scope: Scope
    ) -> AbstractAsyncContextManager[AsyncIterator[ClonedFile]]:
        """Read all files of a gist by git."""


class ContentStore(Protocol):
    """Where contents outlive a search; called from threads, raises nothing."""

    def get_contents(self, blobs: dict[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield those that are kept, by blob SHA."""

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep one; returns at once."""


@dataclass
class Resources:
    """What the searches of a process share for reading.

    `budget` bounds the contents in hand; `landed` are addresses whose content was put into the
    cache lately, perhaps after another search had missed it there.
    """

    contents: ContentStore
    executor: Executor
    budget: ByteBudget
    flights: SingleFlight[bytes] = field(default_factory=SingleFlight)
    landed: LRUCache[str, None] = field(default_factory=lambda: LRUCache(LANDED))


@dataclass
class Reader:
    """One search's reading. `count` is called with each file's bytes, and may stop the search."""

    source: GistSource
    shared: Resources
    matcher: Matcher
    wanted: Filter
    scope: Scope
    wants_all: bool
    wants_first: bool
    count: Callable[[Slot, int, int], None]

    def __post_init__(self) -> None:
        """Bound the coroutines that wait for a place: it keeps memory flat."""
        self._reading = asyncio.Semaphore(2 * self.scope.lane.most)

    def prepare(self, slot: Slot) -> GistState | None:
        """Choose what of a gist to search; None if nothing."""
        if not self.wanted.wants(slot.gist):
            return None
        files = tuple(file for file in slot.gist.files if self.wanted.wants_file(file))
        if not files and not slot.gist.truncated:
            return None
        return GistState(slot, files, wants_all=self.wants_all, wants_first=self.wants_first)

    async def read_cached(self, states: Sequence[GistState]) -> None:
        """Search what the cache has of these gists, in batches that fit the budget."""
        places: dict[str, list[tuple[GistState, int]]] = {}
        for state in states:
            if state.slot.gist.truncated:
                continue
            for index, file in enumerate(state.files):
                if file.blob_sha is not None and _is_small(file):
                    places.setdefault(file.blob_sha, []).append((state, index))
        for batch, size in _batches(places):
            async with self.shared.budget.hold(size):
                read = partial(self._kept, batch)
                await self._search_batch(await self._on_executor(read), places)

    async def _search_batch(
        self,
        found: list[tuple[str, bytes]],
        places: dict[str, list[tuple[GistState, int]]],
    ) -> None:
        results = await self.matcher.search_many([content for _, content in found])
        for (sha, content), result in zip(found, results, strict=True):
            for state, index in places[sha]:
                self.count(state.slot, 1, len(content))
                state.note(index, result)

    @staticmethod
    def needs_reading(state: GistState) -> bool:
        """Whether the cache did not decide a gist; git alone knows all files of a truncated one."""
        return state.slot.gist.truncated or not state.is_decided

    async def read(self, state: GistState) -> Outcome:
        """Search what is left of a gist, and return what it came to."""
        if state.slot.gist.truncated:
            await self._by_git(state, None)
        elif not state.is_decided:
            await self._files(state)
            if state.refused and not state.is_decided:
                await self._by_git(state, frozenset(state.refused))
        return state.outcome()

    async def _files(self, state: GistState) -> None:
        """Search files side by side; those that no longer matter are cancelled."""
        indexes = list(state.open_indexes())
        if len(indexes) == 1:
            async with self._reading:
                await self._file(state, indexes[0])
            return
        tasks: dict[int, asyncio.Task[None]] = {}

        async def one(index: int) -> None:
            async with self._reading:
                await self._file(state, index)
            matter = set(state.open_indexes())
            for other, task in tasks.items():
                if other not in matter and other != index:
                    task.cancel()

        async with asyncio.TaskGroup() as group:
            for index in indexes:
                name = f"file {index} of gist {state.slot.gist.id}"
                tasks[index] = group.create_task(one(index), name=name)

    async def _file(self, state: GistState, index: int) -> None:
        file = state.files[index]
        result: Result
        try:
            if _is_small(file):
                result = await self._whole(state.slot, file)
            else:
                result = await self._streamed(state.slot, file)
        except RawRefusedError:
            state.refuse(index)
            return
        except GoneError:
            if not _is_small(file):  # the raw host has no large files, git may
                state.refuse(index)
                return
            result = None
        except GithubRateLimitedError:
            raise
        except (IncompleteError, GithubError) as error:
            result = error
        state.note(index, result)

    async def _whole(self, slot: Slot, file: GistFile) -> Hits | PatternTimeoutError | None:
        async with self.shared.budget.hold(file.size_bytes or 0):
            content = await self._content(slot.gist, file)
            result = await self.matcher.search(content)
            self.count(slot, 1, len(content))
            return result

    async def _content(self, gist: Gist, file: GistFile) -> bytes:
        raw_url, blob_sha = file.raw_url, file.blob_sha
        if raw_url is None or blob_sha is None:
            return await self.source.read(gist, file, self.scope)

        async def load() -> bytes:
            if raw_url in self.shared.landed:
                read = partial(self._kept, {blob_sha: file.size_bytes})
                for _, content in await self._on_executor(read):
                    return content
            content = await self.source.read(gist, file, self.scope)
            self.shared.contents.put_content(blob_sha, content)
            self.shared.landed[raw_url] = None
            return content

        return await self.shared.flights.fetch(raw_url, load)

    async def _streamed(self, slot: Slot, file: GistFile) -> Hits | None:
        hits = None
        async with aclosing(self.source.stream(slot.gist, file, self.scope)) as passes:
            async for chunks in passes:
                async with aclosing(chunks):
                    hits = await self._feed(slot, chunks)
                if hits is not None:
                    break
        self.count(slot, 1, 0)
        return hits

    async def _feed(self, slot: Slot, chunks: AsyncIterator[bytes]) -> Hits | None:
        async with self.matcher.scanner() as scanner:
            async for chunk in chunks:
                self.count(slot, 0, len(chunk))
                hits = await scanner.feed(chunk)
                if hits is not None:
                    return hits
            return await scanner.finish()

    async def _by_git(self, state: GistState, names: frozenset[str] | None) -> None:
        """Search a gist's files by git: all, or only those of these names."""
        listed = {file.name: file for file in state.slot.gist.files}
        try:
            async with self.source.clone(state.slot.gist, self.scope) as cloned:
                async for file in cloned:
                    if names is not None and file.name not in names:
                        continue
                    await self._cloned(state, file, listed.get(file.name))
                    if not self.needs_reading(state) or (state.has_match and not self.wants_all):
                        return
            state.end_git()
        except GoneError:
            state.end_gone()
        except GithubRateLimitedError:
            raise
        except (IncompleteError, GithubError) as error:
            state.end_git(error)

    async def _cloned(self, state: GistState, file: ClonedFile, listed: GistFile | None) -> None:
        if not self.wanted.wants_name(file.name):
            return
        shown = listed or GistFile(file.name, None, file.size_bytes, None, None)
        if listed is None and self.wanted.by_language:
            state.note_git(shown, NO_LANGUAGE)
        elif self.wanted.wants_language(shown.language):
            try:
                result: Result = await self._feed(state.slot, file.chunks)
                self.count(state.slot, 1, 0)
            except IncompleteError as error:
                result = error
            state.note_git(shown, result)

    def _kept(self, blobs: dict[str, int | None]) -> list[tuple[str, bytes]]:
        return list(self.shared.contents.get_contents(blobs))

    async def _on_executor(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.shared.executor, work)


def _batches(
    places: dict[str, list[tuple[GistState, int]]],
) -> Iterator[tuple[dict[str, int | None], int]]:
    """Cut the wanted contents into batches of about BATCH_BYTES: sizes by SHA, and their sum."""
    batch: dict[str, int | None] = {}
    size = 0
    for sha, found in places.items():
        state, index = found[0]
        batch[sha] = state.files[index].size_bytes
        size += state.files[index].size_bytes or 0
        if size >= BATCH_BYTES:
            yield batch, size
            batch, size = {}, 0
    if batch:
        yield batch, size


def _is_small(file: GistFile) -> bool:
    return file.size_bytes is not None and file.size_bytes <= SMALL_BYTES
