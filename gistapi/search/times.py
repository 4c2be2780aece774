"""Parses and formats times in requests and answers: RFC 3339, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_time(text: str, *, end_of_day: bool) -> datetime:
    """Return the time in UTC. Raises ValueError with a message for the caller.

    A date means the start of that day in UTC, or with `end_of_day` the end.
    """
    try:
        if _DATE.fullmatch(text):
            day = datetime.fromisoformat(text).date()
            return datetime.combine(day, time.max if end_of_day else time.min, UTC)
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"There is no such time as {text[:40]}.") from None
    raise ValueError(
        "A time is a date such as 2024-01-31, or has a time and zone: 2024-01-31T12:00:00Z."
    )


def format_time(moment: datetime) -> str:
    """Return the time in UTC, to the second: `2024-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
