"""Reading the headers and errors of GitHub's answers, well-formed or not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from gistapi.github import api
from gistapi.github.api import Budget, Limit, Links

NOW = 1_700_000_000.0


def fields(**given: object) -> CaseInsensitiveDict[str]:
    """Make header fields; `retry_after=3` is `Retry-After: 3`."""
    return CaseInsensitiveDict(
        {name.replace("_", "-"): str(value) for name, value in given.items() if value is not None}
    )


def limited(remaining: object, reset: object, **more: object) -> CaseInsensitiveDict[str]:
    """Make the fields of the primary limit."""
    return fields(
        x_ratelimit_limit=60, x_ratelimit_remaining=remaining, x_ratelimit_reset=reset, **more
    )


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ('<https://api.github.com/user/2/gists?page=2>; rel="next"', "?page=2"),
        ('<https://x/1>; rel="prev", <https://api.github.com/a?page=3>; rel="next"', "?page=3"),
        ('<https://x/9>; rel="last", <https://x/1>; rel="first"', None),
        ('<https://x/4>; rel="last next"', "/4"),
        ("<https://x/5>; rel=next", "/5"),
        ('</user/2/gists?page=6>; rel="next"', "?page=6"),
        ("", None),
        ("garbage", None),
        ("<>;;=,;", None),
        ("<https://x>", None),
    ],
)
def test_the_next_page_is_named_by_link(link: str, url: str | None) -> None:
    """The URL with `rel="next"` is that of the next page; without one the list ends."""
    found = api.links(fields(link=link)).next
    assert (found is None) if url is None else (found or "").endswith(url)


@given(st.text())
def test_any_link_header_can_be_read(link: str) -> None:
    """A malformed `Link` is no link."""
    assert api.links(fields(link=link)).next is None or "next" in link.lower()


def test_the_last_page_is_named_by_link() -> None:
    """`rel="last"` gives the number of pages, and may be missing."""
    link = '<https://x/2>; rel="next", <https://x/9>; rel="last"'
    assert api.links(fields(link=link)) == Links("https://x/2", "https://x/9")
    assert api.links(fields(link='<https://x/2>; rel="next"')).last is None


def test_date_is_the_time_of_the_answer() -> None:
    """A malformed `Date` is no time."""
    now = format_datetime(datetime.fromtimestamp(NOW, UTC), usegmt=True)
    assert api.date(fields(date=now)) == NOW
    assert api.date(fields(date="soon")) is api.date(fields()) is None


def test_the_reset_is_relative_to_githubs_clock() -> None:
    """`reset` counts from GitHub's `Date`; without one, from our clock."""
    date = format_datetime(datetime.fromtimestamp(NOW - 5000, UTC), usegmt=True)
    assert api.budget(limited(7, int(NOW) - 4990, date=date), NOW) == Budget(60, 7, 10)
    assert api.budget(limited(7, int(NOW) + 10), NOW) == Budget(60, 7, 10)
    assert api.budget(limited(7, int(NOW) - 10), NOW) == Budget(60, 7, 0)


def test_a_limit_that_is_not_stated_is_at_least_what_remains() -> None:
    """The number of remaining requests and the reset are enough for a budget."""
    headers = limited(0, int(NOW) + 10)
    del headers["X-RateLimit-Limit"]
    assert api.budget(headers, NOW) == Budget(0, 0, 10)
    assert api.limit(403, headers, b"", NOW) == Limit("primary", 10)


@pytest.mark.parametrize(
    "wrong", [None, "", "x", "1.5", "-5", "nan", "1e400", "\u0665", "9" * 5000, "9" * 400]
)
def test_a_malformed_budget_is_none(wrong: str | None) -> None:
    """Without both numbers, of remaining requests and of the reset, nothing is known."""
    assert api.budget(limited(7, wrong), NOW) is None
    assert api.budget(limited(wrong, int(NOW)), NOW) is None


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 60 ", 60),
        ("9" * 30, 3600),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("-5", None),
        ("1.5", None),
        ("٣", None),  # a digit, but not in ASCII
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(after: str | None, seconds: float | None) -> None:
    """Seconds, or a time in any zone and HTTP format; anything else is no wait."""
    assert api.retry_after(fields(retry_after=after), NOW) == seconds


def test_a_retry_after_date_is_relative_to_githubs_clock() -> None:
    """If our clock is an hour off, the wait does not change."""
    date = datetime.fromtimestamp(NOW, UTC)
    headers = fields(
        date=format_datetime(date, usegmt=True),
        retry_after=format_datetime(date + timedelta(seconds=30), usegmt=True),
    )
    assert api.retry_after(headers, NOW + 3600) == 30


@given(st.text())
def test_any_retry_after_can_be_read(value: str) -> None:
    """Any value is a wait or none."""
    seconds = api.retry_after(fields(retry_after=value), NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "body", "limit"),
    [
        (limited(0, int(NOW) + 60), b"", Limit("primary", 60)),
        (limited(0, int(NOW) + 60, retry_after=5), b"", Limit("primary", 5)),
        (fields(retry_after=60), b"", Limit("secondary", 60)),
        (limited(50, int(NOW) + 60, retry_after=7), b"", Limit("secondary", 7)),
        (fields(), b"You have exceeded a secondary rate limit.", Limit("secondary", None)),
        (fields(), b"You have triggered an abuse detection mechanism", Limit("secondary", None)),
        (fields(), b"API rate limit exceeded for 127.0.0.1.", Limit("secondary", None)),
        (fields(), b"Too Many Requests \xff", Limit("secondary", None)),
    ],
)
def test_a_limit_is_recognized(
    status: int, headers: CaseInsensitiveDict[str], body: bytes, limit: Limit
) -> None:
    """`Retry-After` takes precedence, then the reset of a spent budget, then GitHub's message."""
    assert api.limit(status, headers, body, NOW) == limit


def test_a_429_is_always_a_limit_and_a_403_is_not() -> None:
    """Without other signs, a 429 asks for a wait of unknown length, and a 403 is a refusal."""
    assert api.limit(429, fields(), b"", NOW) == Limit("secondary", None)
    assert api.limit(403, limited(50, NOW), b"Sorry, this file is too big.", NOW) is None


@pytest.mark.parametrize("status", [200, 304, 401, 404, 422, 451, 500, 503])
def test_other_statuses_are_no_limit(status: int) -> None:
    """Only 403 and 429 are limits, whatever the headers of other answers say."""
    assert api.limit(status, limited(0, int(NOW) + 60, retry_after=5), b"rate limit", NOW) is None


@pytest.mark.parametrize(
    ("status", "content_type", "body", "message"),
    [
        (401, "application/json", b'{"message": "Bad credentials"}', ": Bad credentials"),
        (451, "application/json", b'{"message": "m", "block": {"reason": "dmca"}}', ": m (dmca)"),
        (451, "application/json", b'{"block": {"reason": "dmca"}}', ": (dmca)"),
        (451, "application/json", b'{"message": "m", "block": {"reason": null}}', ": m"),
        (451, "application/json", b'{"message": "m", "block": 5}', ": m"),
        (422, "application/json; charset=utf-8", b'{"message": " a\\n\\tb\\u0007 "}', ": a b"),
        (403, "text/plain; charset=utf-8", b"Sorry, too big\n\xff", ": Sorry, too big �"),
        (403, "text/plain", b"", "."),
        (500, "text/html", b"<h1>Unicorn!</h1>", "."),
        (500, "application/json", b"<h1>Unicorn!</h1>", "."),
        (500, "application/json", b"[" * 100_000, "."),
        (500, "application/json", b'["message"]', "."),
        (500, "application/json", b'{"message": {"a": 1}}', "."),
        (500, "application/json", b'{"message": "  "}', "."),
        (422, "application/json", json.dumps({"message": "x" * 400}).encode(), ": " + "x" * 300),
    ],
)
def test_an_error_has_githubs_message(
    status: int, content_type: str, body: bytes, message: str
) -> None:
    """The message in JSON or plain text becomes one short line; HTML is never shown."""
    said = api.error_message(status, fields(content_type=content_type), body)
    assert said == f"GitHub answered {status}{message}"


@given(st.binary(), st.sampled_from(["application/json", "text/plain", "", "text/html"]))
def test_any_error_can_be_reported(body: bytes, content_type: str) -> None:
    """For any body the message is one printable line."""
    said = api.error_message(500, fields(content_type=content_type), body)
    assert said.startswith("GitHub answered 500")
    assert said.isprintable()
