"""The Atom feed, checked against RFC 4287."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as ET

import pytest
from werkzeug.test import TestResponse

from gistapi.models import Begin, Incomplete, Match, SearchEvent
from tests.web.searches import SEARCH, Searches, end, match

FEED = f"{SEARCH}.atom?username=octocat&pattern=import+%26"
ATOM = "{http://www.w3.org/2005/Atom}"


def feed(*events: SearchEvent | BaseException, **headers: str) -> TestResponse:
    """The answer to a feed reader."""
    searches = Searches([Begin(), *events, end(len(events))])
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return searches.client().get(FEED, headers=sent)


# RFC 4287, 4.1: how often each element may stand in a feed and in an entry (least, most).
ANY = (0, 1000)
COMMON = {"id": (1, 1), "title": (1, 1), "updated": (1, 1), "link": ANY, "rights": (0, 1)}
CHILDREN = {
    "feed": COMMON | {"author": (1, 1000), "subtitle": (0, 1), "generator": (0, 1), "entry": ANY},
    "entry": COMMON | {"author": ANY, "published": (0, 1), "summary": (0, 1), "content": (0, 1)},
}
# https://www.rfc-editor.org/rfc/rfc4151 (a tag) and https://www.rfc-editor.org/rfc/rfc3339
TAG = re.compile(r"tag:[a-z.]+,\d{4}(-\d\d(-\d\d)?)?:[\w.~!$&'()*+,;=:@/?-]+", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


def parsed(answer: TestResponse, url: str = FEED) -> ET.Element:
    """The feed, checked by the rules of https://validator.w3.org/feed/docs/atom.html."""
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    root = ET.fromstring(answer.data)  # noqa: S314 - our own
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.iter(f"{ATOM}entry")):
        check_element(element)
    (own,) = [link for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert own.get("href") == f"http://localhost{url}"
    ids = [entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)
    return root


def check_element(element: ET.Element) -> None:
    """Check that a feed or an entry has what it must, nothing else, and valid values."""
    counts = Counter(child.tag.removeprefix(ATOM) for child in element)
    allowed = CHILDREN[element.tag.removeprefix(ATOM)]
    assert counts.keys() <= allowed.keys()
    for name, (least, most) in allowed.items():
        assert least <= counts[name] <= most, name
    assert TAG.fullmatch(element.findtext(f"{ATOM}id", ""))
    assert element.findtext(f"{ATOM}title", "").strip()
    times = [element.findtext(f"{ATOM}{name}") for name in ("published", "updated")]
    assert all(TIME.fullmatch(time) and datetime.fromisoformat(time) for time in times if time)
    assert times == sorted(times, key=str) or times[0] is None
    links = [(link.get("rel"), link.get("type")) for link in element.findall(f"{ATOM}link")]
    assert len(set(links)) == len(links)
    assert {rel for rel, _type in links} <= {"alternate", "self"}
    for link in element.findall(f"{ATOM}link"):
        assert re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", link.get("href", ""))
    assert {text.get("type", "text") for text in element.iter(f"{ATOM}content")} <= {"text"}


def with_blob(found: Match, blob: str) -> Match:
    """The match, in a file whose content has this SHA."""
    (first,) = found.files
    assert first.file is not None
    return replace(found, files=(replace(first, file=replace(first.file, blob_sha=blob)),))


def ids(answer: TestResponse) -> list[str | None]:
    """The ids of the entries."""
    return [entry.findtext(f"{ATOM}id") for entry in parsed(answer).iter(f"{ATOM}entry")]


def test_each_match_is_an_entry() -> None:
    """The most recently updated is first; the link leads to the line, and the excerpt is text."""
    root = parsed(feed(with_blob(match(1), "a" * 40), with_blob(match(2), "b" * 40)))
    first, second = root.iter(f"{ATOM}entry")
    assert first.findtext(f"{ATOM}id") == f"tag:gist.github.com,2008:2/{'b' * 40}"
    assert first.findtext(f"{ATOM}updated") == "2024-05-02T06:07:08Z"
    assert first.findtext(f"{ATOM}title") == "words"
    link = first.find(f"{ATOM}link")
    assert link is not None
    assert link.get("href") == "https://gist.github.com/2#file-a-py-L1"
    assert first.findtext(f"{ATOM}content") == "import requests"
    assert second.findtext(f"{ATOM}updated") == "2024-05-01T06:07:08Z"
    assert root.findtext(f"{ATOM}updated") == "2024-05-02T06:07:08Z"


def test_an_empty_feed_is_valid() -> None:
    """It is the same for each request."""
    assert ids(feed()) == []
    assert feed().data == feed().data


def test_a_feed_links_to_itself() -> None:
    """Characters that a reader leaves unescaped are escaped in the link."""
    client = Searches([Begin(), end(0)]).client()
    answer = client.get(f'{SEARCH}.atom?username=octocat&pattern=a|b{{2}}"<é>')
    url = f"{SEARCH}.atom?username=octocat&pattern=a%7Cb%7B2%7D%22%3C%C3%A9%3E"
    assert parsed(answer, url).findtext(f"{ATOM}title") == 'Gists that match a|b{2}"<é>'


def test_an_entry_always_has_a_title() -> None:
    """It is the description, or the file's name, or the address."""
    found = match(1)
    (first,) = found.files
    assert first.file is not None
    for description, name, title in ((" ", "b.py", "b.py"), (None, " ", found.gist.html_url)):
        files = (replace(first, file=replace(first.file, name=name)),)
        gist = replace(found.gist, description=description)
        (entry,) = parsed(feed(replace(found, gist=gist, files=files))).iter(f"{ATOM}entry")
        assert entry.findtext(f"{ATOM}title") == title


def test_an_entry_is_new_only_if_its_file_has_changed() -> None:
    """Its id is made of the gist's id and the blob's SHA."""
    before, same = (ids(feed(with_blob(match(1), "a" * 40))) for _ in range(2))
    assert before == same
    assert ids(feed(with_blob(match(1), "b" * 40))) != before
    assert ids(feed(match(1))) == ids(feed(match(1))), "without a SHA, the text counts"


def test_an_unchanged_feed_is_a_304() -> None:
    """`ETag` and `If-None-Match` are supported; a gap is a change."""
    found = with_blob(match(1), "a" * 40)
    etag = feed(found).headers["ETag"]
    again = feed(found, If_None_Match=etag)
    assert (again.status_code, again.data) == (304, b"")
    gap = Incomplete(None, None, "deadline", "Late.")
    assert feed(found, gap, If_None_Match=etag).status_code == 200
    assert feed(with_blob(match(1), "b" * 40), If_None_Match=etag).status_code == 200


def test_a_feed_reports_gaps() -> None:
    """An incomplete feed does not look complete."""
    gap = Incomplete(None, None, "deadline", "Late.")
    assert parsed(feed(gap)).findtext(f"{ATOM}subtitle") == "1 not searched: deadline"


@pytest.mark.parametrize("text", ["</content><x>", "\x00\x08\ufffe\ud800", "<![CDATA[", "&amp;"])
def test_untrusted_text_is_escaped(text: str) -> None:
    """Markup is escaped; characters that XML does not allow are replaced."""
    found = match(1)
    events = replace(
        found,
        gist=replace(found.gist, description=text),
        files=(replace(found.files[0], hits=(replace(found.files[0].hits[0], text=text),)),),
    )
    (entry,) = parsed(feed(events)).iter(f"{ATOM}entry")
    shown = entry.findtext(f"{ATOM}content")
    assert shown == "".join(c if c.isprintable() else "\ufffd" for c in text)


def test_errors_are_json() -> None:
    """They have their usual status."""
    answer = Searches().client().get(f"{SEARCH}.atom?pattern=x")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")
