"""Reads the files of gists and feeds them to the matcher: from the cache, then from GitHub."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from cachetools import LRUCache

from gistapi.aio.executors import Threads
from gistapi.aio.limiter import FairLimiter, Places
from gistapi.aio.scope import Scope
from gistapi.aio.singleflight import SingleFlight
from gistapi.errors import (
    CacheMissError,
    GithubError,
    GithubRateLimitedError,
    GoneError,
    IncompleteError,
    RawRefusedError,
)
from gistapi.matching import Matcher
from gistapi.models import Gist, GistFile, Hits
from gistapi.search.files_in_turn import FilesInTurn
from gistapi.search.filters import Filter
from gistapi.search.gist_state import GistState, Result
from gistapi.search.git_reader import read_by_git
from gistapi.search.reorder import Outcome, Slot
from gistapi.search.share import AnswerShare, Room
from gistapi.search.sizes import cost_bytes, hits_bytes, is_small, most_bytes
from gistapi.search.source import ContentStore, GistSource
from gistapi.search.targets import AHEAD_IN_ALL

T = TypeVar("T")

LANDED = 4096
SMALL_CLAIM_BYTES = 2**18
"""The largest claim on `Resources.small_budget`, which has room for one of each GitHub request."""
ASIDE_BYTES = 8 * 2**20
"""Contents that are kept until there is room for their matches, if the cache keeps none."""


@dataclass
class Resources:
    """What the searches of a process share for reading.

    `threads` read the cache; `budget` and `small_budget` bound the bytes in hand, with the matches
    that are being made, `ahead` the targets that are listed before their turn; `landed` are
    addresses whose content was put into the cache lately, perhaps after another search had missed
    it there; `aside` are contents by address that wait for room for their matches.
    """

    contents: ContentStore
    threads: Threads
    budget: FairLimiter
    small_budget: FairLimiter
    ahead: FairLimiter = field(default_factory=lambda: FairLimiter(AHEAD_IN_ALL))
    flights: SingleFlight[bytes] = field(default_factory=SingleFlight)
    landed: LRUCache[str, None] = field(default_factory=lambda: LRUCache(LANDED))
    aside: LRUCache[str, bytes] = field(default_factory=lambda: LRUCache(ASIDE_BYTES, len))


@dataclass
class Reader:
    """One search's reading. `count` is called with what was read, and may stop the search.

    `share` has room for what is found before anything else is waited for.
    """

    source: GistSource
    shared: Resources
    matcher: Matcher
    wanted: Filter
    scope: Scope
    share: AnswerShare
    max_count: int | None
    context: int
    wants_first: bool
    wants_names: bool
    count: Callable[[int, int], None]

    def __post_init__(self) -> None:
        """Bound the files in hand: it keeps memory flat."""
        self._files = FilesInTurn(2 * self.scope.lane.most)
        self._budget = self.shared.budget.beside(self.scope.lane)
        self._small_budget = self.shared.small_budget.beside(self.scope.lane)

    @property
    def wants_all(self) -> bool:
        """Whether every file has to be searched."""
        return self.max_count is not None

    def prepare(self, slot: Slot) -> GistState | None:
        """Choose what of a gist to search; None if nothing."""
        wanted, files = self.wanted, slot.gist.files
        if wanted.by_file:
            files = tuple(file for file in files if wanted.wants_file(file))
        if not wanted.wants(slot.gist) or not (files or slot.gist.truncated):
            return None
        return GistState(slot, files, wants_all=self.wants_all, wants_first=self.wants_first)

    def try_note(
        self, room: Room, state: GistState, index: int, result: Result, size_bytes: int
    ) -> int:
        """Record the result of a file that was read whole, if there is room for its matches.

        Returns what they take if there is none.
        """
        if index in state.results:
            return 0
        if isinstance(result, Hits):
            more = hits_bytes(result.hits)
            if not self.share.try_keep(room, state.slot.number, state.held_bytes + more):
                return more
        state.slot.size_bytes += size_bytes
        self.count(1, size_bytes)
        self.note(state, index, result)
        return 0

    def note(self, state: GistState, index: int, result: Result) -> None:
        """Record a file's result, and what the gist's matches take."""
        state.note(index, result)
        if isinstance(result, Hits):
            self.share.keep(state.slot.number, state.held_bytes)

    async def read(self, state: GistState) -> Outcome:
        """Search the rest of a gist, and return its outcome."""
        if state.slot.gist.truncated:
            await self._by_git(state, None)
        elif not state.is_decided:
            await self._files.run(state, partial(self._file, state))
            if state.refused and not state.is_decided:
                await self._by_git(state, state.refused)
        return state.outcome()

    async def _by_git(self, state: GistState, names: Collection[str] | None) -> None:
        async with self.share.room(most_bytes(None, self.max_count, self.context)):
            await read_by_git(self, state, names)
        self.share.keep(state.slot.number, state.held_bytes)

    async def _file(self, state: GistState, index: int) -> None:
        file = state.files[index]
        result: Result
        try:
            if is_small(file):
                await self._whole(state, index)
                return
            async with self.share.room(most_bytes(file.size_bytes, self.max_count, self.context)):
                result = await self._streamed(state.slot, file)
                self.note(state, index, result)
                return
        except RawRefusedError:
            state.refuse(index)
            return
        except GoneError:
            if not is_small(file):  # the raw host has no large files, git may
                state.refuse(index)
                return
            result = None
        except GithubRateLimitedError:
            raise
        except (IncompleteError, GithubError) as error:
            result = error
        self.note(state, index, result)

    async def _whole(self, state: GistState, index: int) -> None:
        """Search a small file; again if there was no room for its matches."""
        cost = cost_bytes(state.files[index], self.max_count, self.context)
        most, left = 0, True
        while left:
            async with self.share.room(most) as room, self.hold(cost):
                most = await self._once(room, state, index)
            left = most > 0

    async def _once(self, room: Room, state: GistState, index: int) -> int:
        file = state.files[index]
        content = await self._content(state.slot.gist, file)
        result = await self.matcher.search(content)
        most = self.try_note(room, state, index, result, len(content))
        if most and file.raw_url is not None and file.blob_sha is not None:
            self.shared.aside[file.raw_url] = content
        return most

    async def _content(self, gist: Gist, file: GistFile) -> bytes:
        raw_url, blob_sha = file.raw_url, file.blob_sha
        if raw_url is None or blob_sha is None:
            return await self.source.read(gist, file, self.scope)

        async def load() -> bytes:
            if (aside := self.shared.aside.pop(raw_url, None)) is not None:
                return aside
            if raw_url in self.shared.landed:
                read = partial(self.kept, {blob_sha: file.size_bytes})
                for content in (await self.in_thread(read)).values():
                    return content
            content = await self.source.read(gist, file, self.scope)
            self.shared.contents.put_content(blob_sha, content)
            self.shared.landed[raw_url] = None
            return content

        return await self.shared.flights.fetch(raw_url, load)

    async def _streamed(self, slot: Slot, file: GistFile) -> Hits | None:
        """Search a large file: from the cache if it is there, else as it arrives."""
        sha, size = file.blob_sha, file.size_bytes
        if sha is not None and size is not None:
            with suppress(CacheMissError):
                found, hits = await self.search_kept(slot, sha, size)
                if found:
                    return hits
        hits = None
        async with aclosing(self.source.stream(slot.gist, file, self.scope)) as passes:
            async for chunks in passes:
                async with aclosing(chunks):
                    hits = await self.feed(slot, self.keeping(chunks, sha, size))
                if hits is not None:
                    break
        self.count(1, 0)
        return hits

    async def search_kept(
        self, slot: Slot, blob_sha: str, size_bytes: int
    ) -> tuple[bool, Hits | None]:
        """Search a content of the cache; whether it is there, and its matches.

        Raises CacheMissError if it turns out to be damaged or gone.
        """
        contents = self.shared.contents
        opened = await self.in_thread(partial(contents.open_content, blob_sha, size_bytes))
        if opened is None:
            return False, None
        kept = await self.in_thread(opened.__enter__)

        async def chunks() -> AsyncGenerator[bytes]:
            while (chunk := await self.in_thread(partial(next, kept, None))) is not None:
                yield chunk

        try:
            async with aclosing(chunks()) as reading:
                hits = await self.feed(slot, reading)
        finally:
            opened.__exit__(None, None, None)
        self.count(1, 0)
        return True, hits

    async def keeping(
        self, chunks: AsyncIterator[bytes], blob_sha: str | None, size_bytes: int | None
    ) -> AsyncGenerator[bytes]:
        """The chunks, which the cache keeps as well if all of them come and prove their SHA."""
        if blob_sha is None or size_bytes is None:
            async for chunk in chunks:
                yield chunk
            return
        with closing(self.shared.contents.store_content(blob_sha, size_bytes)) as sink:
            async for chunk in chunks:
                sink.write(chunk)
                yield chunk

    async def feed(self, slot: Slot, chunks: AsyncIterator[bytes]) -> Hits | None:
        """Search a content by chunks, as far as its matches need it."""
        async with self.matcher.scanner() as scanner:
            async for chunk in chunks:
                slot.size_bytes += len(chunk)
                self.count(0, len(chunk))
                hits = await scanner.feed(chunk)
                if hits is not None:
                    return hits
            return await scanner.finish()

    def hold(self, size_bytes: int) -> Places:
        """Hold bytes of the budget, once they are free and it is this search's turn."""
        budget = self._small_budget if size_bytes <= SMALL_CLAIM_BYTES else self._budget
        return budget.place(size_bytes)

    def kept(self, blobs: dict[str, int | None]) -> dict[str, bytes]:
        """Those of these contents that the cache has, by their SHA. Blocks."""
        return dict(self.shared.contents.get_contents(blobs))

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do work that blocks on the cache in one of its threads, when it is this search's turn."""
        return await self.shared.threads.run(self.scope.lane, work)
