"""The state of one gist while its files are searched, and when it is decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from gistapi.errors import GistapiError, IncompleteError
from gistapi.models import FileMatch, GistFile, Hits, Incomplete, Match
from gistapi.search.reorder import NOTHING, Outcome, Slot
from gistapi.search.sizes import hits_bytes

MAX_HITS = 1000
"""Matches that are returned of one gist."""
Result = Hits | GistapiError | None
"""What the search of one file came to: matches, why it could not be searched, or no match."""
NOWHERE = IncompleteError(
    "file_unavailable", "GitHub's raw host refuses the file, and the gist's git does not have it."
)


class GistState:
    """One gist's files and their results; files that only git shows come after those listed.

    With `wants_all` every file has to be searched. With `wants_first` the first match in the order
    of the files is wanted, so that the same request gets the same answer. Otherwise any match
    decides. `results` are those so far, by the file's index; `held_bytes` is what its matches take.
    For the loop alone.
    """

    __slots__ = (
        *(
            "slot",
            "files",
            "results",
            "held_bytes",
            "_wants_all",
            "_wants_first",
            "_refused",
            "_end",
        ),
        *("_failure", "_named", "_has_too_many", "_hits"),
    )

    def __init__(
        self,
        slot: Slot,
        files: tuple[GistFile, ...],
        *,
        wants_all: bool = False,
        wants_first: bool = False,
    ) -> None:
        self.slot = slot
        self.files = files
        self._wants_all = wants_all
        self._wants_first = wants_first
        self.results: dict[int, Result] = {}
        self._end: int | None = None
        self._refused: frozenset[int] = frozenset()
        self._failure: GistapiError | None = None
        self._named: tuple[FileMatch, ...] = ()
        self._has_too_many = False
        self._hits = 0
        self.held_bytes = 0

    @property
    def is_decided(self) -> bool:
        """Whether no open file can change the outcome."""
        return len(self.results) == len(self.files) or next(self.open_indexes(), None) is None

    @property
    def needs_reading(self) -> bool:
        """Whether the cache has not decided a gist; only git knows all files of a truncated one."""
        return self.slot.gist.truncated or not self.is_decided

    @property
    def has_match(self) -> bool:
        """Whether a file matches, or a name."""
        return bool(self._named) or any(
            isinstance(result, Hits) for result in self.results.values()
        )

    @property
    def refused(self) -> frozenset[str]:
        """Names of the files that only git has, and that still matter."""
        matter = set(self.open_indexes())
        return frozenset(self.files[index].name for index in self._refused & matter)

    @property
    def end(self) -> int:
        """The first file that does not matter any more, nor do those after it."""
        return len(self.files) if self._end is None else self._end

    def open_indexes(self) -> Iterator[int]:
        """The files that have no result yet and still matter, in order."""
        return (index for index in range(self.end) if index not in self.results)

    def note_name(self, file: GistFile | None, hits: Hits) -> None:
        """Record matches in a file's name, or in the gist's description without a file."""
        found_in: Literal["name", "description"] = "description" if file is None else "name"
        left = MAX_HITS + 1 - sum(len(found.hits) for found in self._named)
        if left > 0:
            self._named += (FileMatch(file, hits.hits[:left], hits.more, found_in),)
            if not self._wants_all:
                self._end = 0
            self.held_bytes += hits_bytes(hits.hits[:left])

    def note(self, index: int, result: Result) -> None:
        """Record a file's result."""
        self.results[index] = result
        if isinstance(result, Hits):
            self._hits += len(result.hits)
            self.held_bytes += hits_bytes(result.hits)
            if not self._wants_all:
                self._end = min(self.end, index) if self._wants_first else 0
            if self._hits > 2 * MAX_HITS:
                self._drop_hits()

    def _drop_hits(self) -> None:
        """Drop matches beyond the outcome's limit, except one, so that `more` can be reported."""
        self._hits = 0
        self.held_bytes = sum(hits_bytes(found.hits) for found in self._named)
        for index, result in sorted(self.results.items(), key=lambda item: item[0]):
            if isinstance(result, Hits):
                left = max(0, MAX_HITS - self._hits)
                kept = replace(result, hits=result.hits[: left + 1])
                self.results[index] = kept
                self.held_bytes += hits_bytes(kept.hits)
                self._hits += min(left, len(result.hits))

    def refuse(self, index: int) -> None:
        """Record that the raw host does not have a file that git may have."""
        self._refused |= {index}

    def note_git(self, file: GistFile, result: Result) -> None:
        """Record the result of a file that git has; one that was not listed is added."""
        index = next((n for n, known in enumerate(self.files) if known.name == file.name), None)
        if index is None:
            index = len(self.files)
            self.files += (file,)
        self.note(index, result)

    def end_git(self, error: GistapiError | None = None) -> None:
        """Record that git has no more files: what it did not bring is nowhere, or failed."""
        if self.slot.gist.truncated:
            self._failure = error
            for index in list(self.open_indexes()):  # renamed or deleted since it was listed
                self.note(index, None)
        for index in self._refused & set(self.open_indexes()):
            self.note(index, error or NOWHERE)

    def end_gone(self) -> None:
        """Record that the gist was deleted since it was listed: that is no gap."""
        for index in list(self.open_indexes()):
            self.note(index, None)

    def outcome(self) -> Outcome:
        """The outcome of the gist, of which nothing is remembered here."""
        if not (self._named or self._failure or any(self.results.values())):
            return NOTHING
        try:
            return self._outcome()
        finally:
            self.results, self._named = {}, ()

    def _outcome(self) -> Outcome:
        matches = tuple(self._file_matches())
        if matches:
            has_more = self._has_too_many
            gist = replace(self.slot.gist, files=())  # which no answer shows
            return Outcome(Match(gist, matches, self.slot.number, has_more))
        return Outcome(None, tuple(self._incomplete()))

    def _file_matches(self) -> Iterator[FileMatch]:
        """The matches in names, then in files in listing order, MAX_HITS in all."""
        left = MAX_HITS
        for match in self._all_matches():
            hits = match.hits[:left]
            is_cut = len(hits) < len(match.hits)
            self._has_too_many = self._has_too_many or is_cut
            left -= len(hits)
            if hits:
                yield replace(match, hits=hits, more=True if is_cut else match.more)
            if not self._wants_all:
                return

    def _all_matches(self) -> Iterator[FileMatch]:
        yield from self._named
        for index, result in sorted(self.results.items(), key=lambda item: item[0]):
            if isinstance(result, Hits):
                yield FileMatch(self.files[index], result.hits, result.more)

    def _incomplete(self) -> Iterator[Incomplete]:
        url = self.slot.gist.html_url
        if self._failure is not None:
            yield Incomplete(url, None, reason_of(self._failure), str(self._failure))
        for index, result in sorted(self.results.items(), key=lambda item: item[0]):
            if isinstance(result, GistapiError):
                yield Incomplete(url, self.files[index].name, reason_of(result), str(result))


def reason_of(error: GistapiError) -> str:
    """The contract's reason for a failure."""
    return error.reason if isinstance(error, IncompleteError) else "file_unavailable"
