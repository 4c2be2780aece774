"""Reads the files of gists and feeds them to the matcher, on the threads of the pool."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from gistapi.aio.deadline import Deadline
from gistapi.aio.fairpool import Lane
from gistapi.aio.flights import Contents, Flights
from gistapi.errors import (
    ByteQuotaError,
    CancelledError,
    DeadlineError,
    GistapiError,
    GithubError,
    GithubRateLimitedError,
    GoneError,
    IncompleteError,
    PatternTimeoutError,
    RateLimitedError,
    RawRefusedError,
)
from gistapi.matching import Matcher
from gistapi.models import Gist, GistFile, Hit, Incomplete, Match, Page
from gistapi.search.filters import Filter
from gistapi.search.reorder import Slot

SMALL_BYTES = 2**20
"""Files up to this size are read whole, checked, kept and then searched; larger ones streamed."""
BATCH_BYTES = 4 * 2**20
STOPS = (GithubRateLimitedError, RateLimitedError, ByteQuotaError)
"""What ends the whole search, not one file."""


class GistSource(Protocol):
    """Where gists come from. Every method may raise what `github.files` and `listing` name."""

    def pages(self, username: str, deadline: Deadline) -> Iterator[Page]:
        """A user's public gists, newest created first, each once."""

    def read(self, file: GistFile, deadline: Deadline) -> bytes:
        """The whole of a small file."""

    def stream(self, file: GistFile, deadline: Deadline) -> Iterator[Generator[bytes]]:
        """Passes over a file's content, as a rule one; a later one replaces it."""

    def clone(
        self, gist: Gist, deadline: Deadline
    ) -> AbstractContextManager[Iterator[tuple[str, int, Iterator[bytes]]]]:
        """All files of a gist, by git: name, size in bytes, chunks."""


@dataclass(slots=True)
class Searched:
    """What came of one file, or of a gist read by git.

    `refused` is a file that only git has, `stop` what ends the search as a whole.
    """

    slot: Slot
    match: Match | None = None
    gaps: tuple[Incomplete, ...] = ()
    refused: GistFile | None = None
    stop: GistapiError | None = None


@dataclass
class Scan:
    """One search's reading. `report` is told everything; `files_done`, `bytes_done` count."""

    source: GistSource
    contents: Contents
    flights: Flights
    matcher: Matcher
    wanted: Filter
    lane: Lane
    deadline: Deadline
    report: Callable[[list[Searched]], None]
    fault: Callable[[BaseException], None]
    max_bytes: int
    files_done: int = 0
    bytes_done: int = 0
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def idle(self) -> bool:
        """Whether nothing is being read, or about to be."""
        return self._under_way == 0

    def prepare(self, slot: Slot) -> bool:
        """Choose what of a gist is to be searched; False when that is nothing."""
        gist = slot.gist
        if not self.wanted.wants(gist):
            return False
        slot.files = [file for file in gist.files if self.wanted.wants_file(file)]
        slot.pending = 1 if gist.truncated else len(slot.files)
        return slot.pending > 0

    def begin(self, slots: list[Slot]) -> None:
        """Search these gists: the files that are known first, the others as they come."""
        for slot in slots:
            slot.work = self.deadline.child()
        for slot in slots:
            if slot.gist.truncated:
                self._submit(partial(self._by_git, slot, None))
        self._submit(partial(self._known, [slot for slot in slots if not slot.gist.truncated]))

    def clone(self, slot: Slot) -> None:
        """Search by git those files of a gist that the raw host refused."""
        names = frozenset(file.name for file in slot.refused)
        slot.pending, slot.refused = 1, []
        self._submit(partial(self._by_git, slot, names))

    def end(self, slot: Slot) -> None:
        """Call off what is still under way for a gist."""
        slot.work.cancel()
        slot.work.release()

    def _submit(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except (CancelledError, DeadlineError):
                pass  # the search is over, and knows it
            except BaseException as error:  # noqa: BLE001 - the searching thread raises it
                self.fault(error)
            with self._lock:
                self._under_way -= 1
            if self.idle:
                self.report([])  # wakes who waits for that

        with self._lock:
            self._under_way += 1
        self.lane.submit(guarded)

    def _known(self, slots: list[Slot]) -> None:
        """Search what the cache has of these gists; fetch the rest, each file by itself."""
        todo: dict[str, list[tuple[Slot, GistFile]]] = {}
        rest: list[tuple[Slot, GistFile]] = []
        for slot in slots:
            for file in slot.files:
                if file.blob_sha is not None and _is_small(file):
                    todo.setdefault(file.blob_sha, []).append((slot, file))
                else:
                    rest.append((slot, file))
        sizes = {sha: places[0][1].size_bytes for sha, places in todo.items()}
        for batch in _batches(self.contents.get_contents(sizes)):
            self.deadline.check()
            hits = self.matcher.search_many([content for _, content in batch], self.deadline)
            found = []
            for (sha, content), hit in zip(batch, hits, strict=True):
                for slot, file in todo.pop(sha):
                    self._count(len(content))
                    found.append(_outcome(slot, file, hit))
            self.report(found)
        for slot, file in [*(place for places in todo.values() for place in places), *rest]:
            self._submit(partial(self._fetch, slot, file))

    def _fetch(self, slot: Slot, file: GistFile) -> None:
        if slot.decided:
            return
        try:
            found = _outcome(slot, file, self._hit(file, slot.work))
        except RawRefusedError:
            found = Searched(slot, refused=file)
        except GoneError:
            found = Searched(slot)
        except STOPS as error:
            found = Searched(slot, stop=error)
        except (IncompleteError, GithubError) as error:
            found = _outcome(slot, file, error)
        self.report([found])

    def _hit(self, file: GistFile, deadline: Deadline) -> Hit | PatternTimeoutError | None:
        if _is_small(file):
            content = self._content(file, deadline)
            (found,) = self.matcher.search_many([content], deadline)
            self._count(len(content))
            return found
        hit = None
        for chunks in self.source.stream(file, deadline):
            with closing(chunks):
                hit = self._feed(chunks, deadline)
            if hit is not None:
                break
        self._count(0)
        return hit

    def _content(self, file: GistFile, deadline: Deadline) -> bytes:
        fetch = partial(self.source.read, file, deadline)
        if file.blob_sha is None or file.raw_url is None:
            return fetch()
        return self.flights.fetch(file.raw_url, file.blob_sha, deadline, fetch)

    def _feed(self, chunks: Iterable[bytes], deadline: Deadline) -> Hit | None:
        with self.matcher.scanner(deadline) as scanner:
            for chunk in chunks:
                with self._lock:
                    self.bytes_done += len(chunk)
                if self.bytes_done >= self.max_bytes:
                    self.report([])  # wakes the search, which calls this off
                hit = scanner.feed(chunk)
                if hit is not None:
                    return hit
            return scanner.finish()

    def _by_git(self, slot: Slot, names: frozenset[str] | None) -> None:
        if slot.decided:
            return
        try:
            found = self._cloned(slot, names)
        except GoneError:
            found = Searched(slot)
        except STOPS as error:
            found = Searched(slot, stop=error)
        except (IncompleteError, GithubError) as error:
            found = _outcome(slot, None, error)
        self.report([found])

    def _cloned(self, slot: Slot, names: frozenset[str] | None) -> Searched:
        """The first match among a gist's files, or all gaps; only `names`, if there are any."""
        listed = {file.name: file for file in slot.gist.files}
        gaps: list[Incomplete] = []
        with self.source.clone(slot.gist, slot.work) as cloned:
            for name, size_bytes, chunks in cloned:
                file = listed.get(name) or GistFile(name, None, size_bytes, None, None)
                if (names is not None and name not in names) or not self.wanted.wants_name(name):
                    continue
                try:
                    if not self._language_fits(file, known=name in listed):
                        continue
                    hit = self._feed(chunks, slot.work)
                except IncompleteError as error:
                    gaps.append(_gap(slot, name, error))
                    continue
                self._count(0)
                if hit is not None:
                    return Searched(slot, Match(slot.gist, file, hit))
        return Searched(slot, gaps=tuple(gaps))

    def _language_fits(self, file: GistFile, *, known: bool) -> bool:
        if self.wanted.by_language and not known:
            raise IncompleteError("language_unknown", "Git names no language.")
        return self.wanted.wants_language(file.language)

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self.files_done += 1
            self.bytes_done += size_bytes


def _is_small(file: GistFile) -> bool:
    return file.size_bytes is not None and file.size_bytes <= SMALL_BYTES


def _batches(contents: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for sha, content in contents:
        batch.append((sha, content))
        size += len(content)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _outcome(slot: Slot, file: GistFile | None, found: Hit | GistapiError | None) -> Searched:
    if isinstance(found, GistapiError):
        return Searched(slot, gaps=(_gap(slot, file.name if file else None, found),))
    if found is None or file is None:
        return Searched(slot)
    return Searched(slot, Match(slot.gist, file, found))


def _gap(slot: Slot, name: str | None, error: GistapiError) -> Incomplete:
    reason = error.reason if isinstance(error, IncompleteError) else "file_unavailable"
    return Incomplete(slot.gist.html_url, name, reason, str(error))
