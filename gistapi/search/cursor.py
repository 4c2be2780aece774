"""The position of a search, as text from which any instance can continue.

The cursor marks how far gists were begun (the far end) by a target, a creation time and the gists
of that second, and lists the gists before it that are still owed. So found matches need not be
remembered, and a gist that is created or deleted meanwhile changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gistapi.errors import InvalidCursorError
from gistapi.models import Gist, Query

VERSION = 2
MAX_CHARACTERS = 4096
MAX_OWED = 80
"""Gists that can be undecided at once, with some room for those that a listing shows late."""
MAX_MARKS = 250
"""Gists of one second that are marked one by one; beyond, ANCHORS mark where the second is cut.

With MAX_OWED ids, whose 32 hex digits do not compress, that stays below MAX_CHARACTERS.
"""
ANCHORS = 8
MAX_TRIES = 3
"""Searches that a gist may use up before it is given up, however little of them it had."""
MARK_DIGITS = 8
_DIGEST_DIGITS = 16


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A listing among those of a search: the target's index, and the member of an organization."""

    target: int = 0
    member: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The far end of a search, and the gists before it that are owed; empty at the beginning.

    `before` is the far end's creation time, None if no gist of `place` was begun. `marks` are
    digests of the gists created in that second that were begun; `anchors`, if any, are the last
    ids that were begun in a second with more than MAX_MARKS. `floor` is the first place with an
    owed gist. `tried` is the owed gist that used up `tries` searches without being decided.
    """

    place: Place = Place()
    before: datetime | None = None
    marks: frozenset[str] = frozenset()
    anchors: tuple[str, ...] = ()
    owed: frozenset[str] = frozenset()
    floor: Place = Place()
    tried: str | None = None
    tries: int = 0

    def covers(self, place: Place, gist: Gist) -> bool:
        """Whether a gist lies before the far end; in a second with anchors it is assumed to."""
        if place != self.place:
            return place < self.place
        if self.before is None or gist.created_at < self.before:
            return False
        if gist.created_at > self.before:
            return True
        return bool(self.anchors) or mark(gist.id) in self.marks

    def after(self, place: Place, gist: Gist) -> Cursor:
        """The cursor whose far end is this gist, or the same one if it covers the gist."""
        if place == self.place and gist.created_at == self.before:
            return self._with_tie(gist.id)
        if self.covers(place, gist):
            return self
        return replace(
            self,
            place=place,
            before=gist.created_at,
            marks=frozenset({mark(gist.id)}),
            anchors=(),
        )

    def _with_tie(self, gist_id: str) -> Cursor:
        if self.anchors:
            return replace(self, anchors=(*self.anchors, gist_id)[-ANCHORS:])
        marks = self.marks | {mark(gist_id)}
        if len(marks) > MAX_MARKS:
            return replace(self, marks=frozenset(), anchors=(gist_id,))
        return replace(self, marks=marks)


def mark(gist_id: str) -> str:
    """A short digest of a gist's id, of which MAX_MARKS fit into a cursor."""
    return hashlib.sha256(gist_id.encode("utf-8", "surrogatepass")).hexdigest()[:MARK_DIGITS]


def encode(cursor: Cursor, query: Query) -> str:
    """The cursor as URL-safe text of less than MAX_CHARACTERS."""
    fields = {
        "v": VERSION,
        "query": _digest(query),
        "place": [cursor.place.target, cursor.place.member],
        "before": None if cursor.before is None else cursor.before.isoformat(),
        "marks": _joined(cursor.marks),
        "anchors": list(cursor.anchors),
        "owed": sorted(cursor.owed),
        "floor": [cursor.floor.target, cursor.floor.member],
        "tried": cursor.tried,
        "tries": cursor.tries,
    }
    packed = zlib.compress(_canonical(fields), 9)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(query: Query) -> Cursor:
    """The query's cursor; the beginning if it has none.

    Raises InvalidCursorError for anything that `encode` did not write for this query, and for a
    cursor of another version.
    """
    if query.cursor is None:
        return Cursor()
    try:
        fields = _unpacked(query.cursor)
        if fields["v"] != VERSION:
            raise InvalidCursorError(
                "The cursor was issued by another version of this service. Start again without it."
            )
        cursor = _read(fields)
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError, zlib.error):
        raise InvalidCursorError(
            "The cursor is not one that this service issued. Send `next` as it was received."
        ) from None
    if fields["query"] != _digest(query):
        raise InvalidCursorError(
            "The cursor belongs to another query. Only `limit`, `details`, `max_count` and "
            "`context` may change between the answers of one search."
        )
    return cursor


def _unpacked(text: str) -> dict[str, Any]:
    if len(text) > MAX_CHARACTERS:
        raise ValueError(text)
    packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    unpack = zlib.decompressobj()
    content = unpack.decompress(packed, 4 * MAX_CHARACTERS)
    if not unpack.eof:
        raise ValueError(text)
    fields = json.loads(content)
    if not isinstance(fields, dict):
        raise TypeError(fields)
    return fields


def _read(fields: dict[str, Any]) -> Cursor:
    before = None if fields["before"] is None else datetime.fromisoformat(fields["before"])
    tried, tries = fields["tried"], fields["tries"]
    if not isinstance(tries, int) or not 0 <= tries <= MAX_TRIES:
        raise ValueError(tries)
    return Cursor(
        place=_place(fields["place"]),
        before=None if before is None else before.astimezone(UTC),
        marks=_split(fields["marks"]),
        anchors=_ids(fields["anchors"], ANCHORS),
        owed=frozenset(_ids(fields["owed"], MAX_OWED)),
        floor=_place(fields["floor"]),
        tried=None if tried is None else _ids([tried], 1)[0],
        tries=tries,
    )


def _place(value: object) -> Place:
    match value:
        case [int() as target, str() as member] if target >= 0 and not isinstance(target, bool):
            return Place(target, member)
    raise TypeError(value)


def _ids(value: object, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(value)
    if not all(isinstance(item, str) for item in value):
        raise TypeError(value)
    return tuple(value)


def _joined(marks: frozenset[str]) -> str:
    return base64.b64encode(bytes.fromhex("".join(sorted(marks)))).decode()


def _split(value: str) -> frozenset[str]:
    digits = base64.b64decode(value, validate=True).hex()
    return frozenset(
        digits[start : start + MARK_DIGITS] for start in range(0, len(digits), MARK_DIGITS)
    )


def _digest(query: Query) -> str:
    """Digest the fields that decide what matches.

    A field with its default adds nothing, so that a cursor survives an upgrade that adds a field.
    """
    fields: dict[str, object] = {
        "pattern": query.pattern,
        "targets": [(target.kind, target.name.lower()) for target in query.targets],
        "flags": [name for name in query.flags.__slots__ if getattr(query.flags, name)],
        "files": query.files,
        "languages": sorted({language.lower() for language in query.languages}),
        "since": query.updated_since and query.updated_since.astimezone(UTC).isoformat(),
        "until": query.updated_until and query.updated_until.astimezone(UTC).isoformat(),
        "names": query.names,
    }
    relevant = {name: value for name, value in fields.items() if value}
    return hashlib.sha256(_canonical(relevant)).hexdigest()[:_DIGEST_DIGITS]


def _canonical(fields: dict[str, object]) -> bytes:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return text.encode("ascii")
