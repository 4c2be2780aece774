"""How far a search has come, as a text that any instance understands.

A place in a listing is a creation time and the ids that were done at that second; so new and
deleted gists change nothing. `sent` are the ids of matches told beyond that place.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gistapi.errors import InvalidCursorError
from gistapi.models import Query

MAX_IDS = 1000
"""More ids than a second, or the look-ahead of a search, can hold."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a user's listing; `before` None is its beginning."""

    before: datetime | None = None
    done: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()

    def passed(self, gist_id: str, created_at: datetime) -> bool:
        """Whether this gist was dealt with before the cursor."""
        if self.before is None:
            return False
        return created_at > self.before or (created_at == self.before and gist_id in self.done)

    def after(self, gist_id: str, created_at: datetime) -> Cursor:
        """The cursor once this gist is dealt with, too."""
        sent = self.sent - {gist_id}
        if self.before is None or created_at < self.before:
            return Cursor(created_at, frozenset({gist_id}), sent)
        if created_at > self.before:
            return replace(self, sent=sent)
        return replace(self, done=self.done | {gist_id}, sent=sent)


def encode(cursor: Cursor, query: Query) -> str:
    """The cursor as URL-safe text."""
    before = None if cursor.before is None else cursor.before.isoformat()
    parts = [_digest(query), before, sorted(cursor.done), sorted(cursor.sent)]
    packed = json.dumps(parts, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(query: Query) -> Cursor:
    """The query's cursor, the beginning where it has none.

    Raises InvalidCursorError for anything that `encode` did not write for this query.
    """
    if query.cursor is None:
        return Cursor()
    try:
        packed = base64.b64decode(
            query.cursor + "=" * (-len(query.cursor) % 4), b"-_", validate=True
        )
        digest, before, done, sent = json.loads(packed)
        cursor = Cursor(_time(before), _ids(done), _ids(sent))
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise InvalidCursorError("The cursor is not one that this service gave out.") from None
    if digest != _digest(query):
        raise InvalidCursorError("The cursor belongs to another query.")
    return cursor


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(value)
    return datetime.fromisoformat(value).astimezone(UTC)


def _ids(value: object) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > MAX_IDS:
        raise ValueError(value)
    if not all(isinstance(item, str) for item in value):
        raise TypeError(value)
    return frozenset(value)


def _digest(query: Query) -> str:
    """All of the query that decides what matches; case of the login does not."""
    asked = replace(query, username=query.username.lower(), limit=None, cursor=None)
    return hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()[:16]
