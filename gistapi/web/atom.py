"""The answer as an Atom feed (RFC 4287): one entry for each gist that matches.

https://www.rfc-editor.org/rfc/rfc4287
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from xml.etree import ElementTree as ET

from werkzeug.urls import iri_to_uri

from gistapi.models import End, Incomplete, Match, Query, SearchEvent
from gistapi.search.details import detail
from gistapi.search.times import format_time

_NAMESPACE = "http://www.w3.org/2005/Atom"
_AUTHORITY = "tag:gist.github.com,2008:"
# https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_LINES = 10
"""Matches that one entry shows."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Found:
    """The result of a search."""

    matches: list[Match] = field(default_factory=list)
    not_searched: list[Incomplete] = field(default_factory=list)
    next: str | None = None


def collect(events: Iterable[SearchEvent]) -> Found:
    """Read a search to its end."""
    found = Found()
    for event in events:
        match event:
            case Match():
                found.matches.append(event)
            case Incomplete():
                found.not_searched.append(event)
            case End():
                found.next = event.next
    found.matches.sort(key=lambda match: match.gist.updated_at, reverse=True)
    return found


def tag(found: Found) -> str:
    """An entity tag: the same for the same entries with the same gaps."""
    facts = [entry_id(match) for match in found.matches]
    facts += [f"{gap.gist} {gap.file} {gap.reason}" for gap in found.not_searched]
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def entry_id(match: Match) -> str:
    """A `tag:` URI of the gist and the first matching file's blob, which changes with the file."""
    file = match.files[0].file
    if file is not None and file.blob_sha is not None:
        return f"{_AUTHORITY}{match.gist.id}/{file.blob_sha}"
    words = "\n".join(("" if file is None else file.name, *_excerpt(match)))
    digest = hashlib.sha1(words.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return f"{_AUTHORITY}{match.gist.id}/{digest.hexdigest()}"


def feed(query: Query, found: Found, url: str) -> Iterator[bytes]:
    """The feed at `url` as XML in UTF-8, each entry made when it is sent.

    A gap in the search is reported in its subtitle.
    """
    root = ET.Element("feed", xmlns=_NAMESPACE)
    question = f"{query.username} {query.pattern}"
    digest = hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    _text(root, "id", f"{_AUTHORITY}search/{digest}")
    _text(root, "title", f"Gists that match {query.pattern}")
    _text(
        root,
        "updated",
        format_time(max((m.gist.updated_at for m in found.matches), default=_NEVER)),
    )
    _text(ET.SubElement(root, "author"), "name", query.username or "GitHub")
    generator = _text(root, "generator", "gistapi")
    generator.set("version", version("gistgrep"))
    ET.SubElement(root, "link", rel="self", type="application/atom+xml", href=iri_to_uri(url))
    if found.not_searched:
        reasons = ", ".join(sorted({gap.reason for gap in found.not_searched}))
        _text(root, "subtitle", f"{len(found.not_searched)} not searched: {reasons}")
    end = b"</feed>"
    head: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    yield head.removesuffix(end)
    for match in found.matches:
        yield ET.tostring(_entry(match), "utf-8")
    yield end + b"\n"


def _entry(match: Match) -> ET.Element:
    entry = ET.Element("entry")
    _text(entry, "id", entry_id(match))
    name = "" if match.files[0].file is None else match.files[0].file.name
    titles = ((match.gist.description or "").strip(), name, match.gist.html_url)
    _text(entry, "title", next(title for title in titles if title.strip()))
    _text(entry, "updated", format_time(match.gist.updated_at))
    _text(entry, "published", format_time(match.gist.created_at))
    ET.SubElement(entry, "link", rel="alternate", type="text/html", href=_clean(_url(match)))
    _text(entry, "content", "\n".join(_excerpt(match))).set("type", "text")
    return entry


def _excerpt(match: Match) -> list[str]:
    return [hit.text for found in match.files for hit in found.hits][:MAX_LINES]


def _url(match: Match) -> str:
    """The address of the first matching line."""
    for file in detail(match, context=False)["files"]:
        for place in file["matches"]:
            return place["url"]
    return match.gist.html_url


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = _clean(text)
    return child


def _clean(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
