"""The state of one gist while its files are searched, and when it is decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from gistapi.errors import GistapiError, IncompleteError
from gistapi.models import FileMatch, GistFile, Hits, Incomplete, Match
from gistapi.search.reorder import Outcome, Slot
from gistapi.search.sizes import hits_bytes

MAX_HITS = 1000
"""Matches that are returned of one gist."""
Result = Hits | GistapiError | None
"""What the search of one file came to: matches, why it could not be searched, or no match."""
NOTHING = Outcome()
NOWHERE = IncompleteError(
    "file_unavailable", "GitHub's raw host refuses the file, and the gist's git does not have it."
)


class GistState:
    """One gist's files and their results; files that only git shows come after those listed.

    With `wants_all` every file has to be searched. With `wants_first` the first match in the order
    of the files is wanted, so that the same request gets the same answer. Otherwise any match
    decides. `held_bytes` is what its matches take. For the loop alone.
    """

    def __init__(
        self,
        slot: Slot,
        files: Iterable[GistFile],
        *,
        wants_all: bool = False,
        wants_first: bool = False,
    ) -> None:
        self.slot = slot
        self.files = list(files)
        self._wants_all = wants_all
        self._wants_first = wants_first
        self._results: dict[int, Result] = {}
        self._refused: set[int] = set()
        self._failure: GistapiError | None = None
        self._named: list[FileMatch] = []
        self._end: int | None = None  # files from this one on do not matter
        self._has_too_many = False
        self._hits = 0
        self.held_bytes = 0

    @property
    def is_decided(self) -> bool:
        """Whether no open file can change the outcome."""
        return len(self._results) == len(self.files) or next(self.open_indexes(), None) is None

    @property
    def has_match(self) -> bool:
        """Whether a file matches, or a name."""
        return bool(self._named) or any(
            isinstance(result, Hits) for result in self._results.values()
        )

    @property
    def refused(self) -> frozenset[str]:
        """Names of the files that only git has, and that still matter."""
        matter = set(self.open_indexes())
        return frozenset(self.files[index].name for index in self._refused & matter)

    def open_indexes(self) -> Iterator[int]:
        """The files that have no result yet and still matter, in order."""
        return filter(self.is_open, range(len(self.files)))

    def is_open(self, index: int) -> bool:
        """Whether a file has no result yet and still matters."""
        return index not in self._results and (self._end is None or index < self._end)

    @property
    def leaves_out_files(self) -> bool:
        """Whether a match has decided that some files do not matter."""
        return self._end is not None

    def is_noted(self, index: int) -> bool:
        """Whether a file has a result."""
        return index in self._results

    def note_name(self, file: GistFile | None, hits: Hits) -> None:
        """Record matches in a file's name, or in the gist's description without a file."""
        found_in: Literal["name", "description"] = "description" if file is None else "name"
        if not self._wants_all:
            self._end = 0
        left = MAX_HITS + 1 - sum(len(found.hits) for found in self._named)
        if left > 0:
            self._named.append(FileMatch(file, hits.hits[:left], hits.more, found_in))
            self.held_bytes += hits_bytes(hits.hits[:left])

    def note(self, index: int, result: Result) -> None:
        """Record a file's result."""
        self._results[index] = result
        if isinstance(result, Hits):
            if not self._wants_all:
                first = index if self._end is None else min(index, self._end)
                self._end = first if self._wants_first else 0
            self._hits += len(result.hits)
            self.held_bytes += hits_bytes(result.hits)
            if self._hits > 2 * MAX_HITS:
                self._drop_hits()

    def _drop_hits(self) -> None:
        """Drop matches beyond the outcome's limit, except one, so that `more` can be reported."""
        self._hits = 0
        self.held_bytes = sum(hits_bytes(found.hits) for found in self._named)
        for index, result in sorted(self._results.items(), key=lambda item: item[0]):
            if isinstance(result, Hits):
                left = max(0, MAX_HITS - self._hits)
                kept = replace(result, hits=result.hits[: left + 1])
                self._results[index] = kept
                self.held_bytes += hits_bytes(kept.hits)
                self._hits += min(left, len(result.hits))

    def refuse(self, index: int) -> None:
        """Record that the raw host does not have a file that git may have."""
        self._refused.add(index)

    def note_git(self, file: GistFile, result: Result) -> None:
        """Record the result of a file that git has; one that was not listed is added."""
        index = next((n for n, known in enumerate(self.files) if known.name == file.name), None)
        if index is None:
            index = len(self.files)
            self.files.append(file)
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
        if not (self._named or self._failure or any(self._results.values())):
            return NOTHING
        try:
            return self._outcome()
        finally:
            self._results, self._named = {}, []

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
        for index, result in sorted(self._results.items(), key=lambda item: item[0]):
            if isinstance(result, Hits):
                yield FileMatch(self.files[index], result.hits, result.more)

    def _incomplete(self) -> Iterator[Incomplete]:
        url = self.slot.gist.html_url
        if self._failure is not None:
            yield Incomplete(url, None, reason_of(self._failure), str(self._failure))
        for index, result in sorted(self._results.items(), key=lambda item: item[0]):
            if isinstance(result, GistapiError):
                yield Incomplete(url, self.files[index].name, reason_of(result), str(result))


def reason_of(error: GistapiError) -> str:
    """The contract's reason for a failure."""
    return error.reason if isinstance(error, IncompleteError) else "file_unavailable"
