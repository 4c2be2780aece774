"""The origin of file contents: gist.githubusercontent.com."""

from __future__ import annotations

import re
import time
from collections import deque

from tests.fake_github import answers
from tests.fake_github.content import Content, Slice, gzipped
from tests.fake_github.message import Request, Response, text
from tests.fake_github.model import World

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")


class Raw:
    """Answers as gist.githubusercontent.com does; files over `largest_bytes` are refused (403).

    More than `most_per_second` requests in a second, and requests after the first `most_in_all`,
    are answered 429, with `Retry-After` if `retry_after` is set.
    """

    def __init__(self, world: World) -> None:
        self.largest_bytes: int | None = None
        self.most_per_second: int | None = None
        self.most_in_all: int | None = None
        self.retry_after: str | None = None
        self._world = world
        self._allowed: deque[float] = deque()
        self._allowed_in_all = 0

    def _is_refused(self) -> bool:
        now = time.monotonic()
        while self._allowed and self._allowed[0] <= now - 1:
            self._allowed.popleft()
        if self.most_per_second is not None and len(self._allowed) >= self.most_per_second:
            return True
        if self.most_in_all is not None and self._allowed_in_all >= self.most_in_all:
            return True
        self._allowed.append(now)
        self._allowed_in_all += 1
        return False

    def respond(self, request: Request) -> Response:
        """A file's content or a range of it."""
        if self._is_refused():
            return answers.raw_limit(self.retry_after)
        content = self._find(request)
        if content is None:
            return answers.raw_not_found()
        if self.largest_bytes is not None and content.size > self.largest_bytes:
            return answers.too_big()
        etag = f'"{content.blob_sha}"'
        headers = {
            "Content-Type": _content_type(content),
            "Cache-Control": "max-age=300",
            "Vary": "Authorization,Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if request.has_etag(etag):
            return Response(304, headers | {"ETag": etag})
        # ranges count bytes of the identity form, and only its tag is strong
        if request.wants_gzip and "range" not in request.headers:
            headers |= {"ETag": "W/" + etag, "Content-Encoding": "gzip"}
            return Response(200, headers, gzipped(content))
        headers |= {"ETag": etag, "Accept-Ranges": "bytes"}
        return _ranged(request, etag, headers, content)

    def _find(self, request: Request) -> Content | None:
        match request.segments:
            case [_, gist_id, "raw", sha, name] if gist := self._world.gists.get(gist_id):
                return gist.contents.get((sha, name))
        return None


def _ranged(request: Request, etag: str, headers: dict[str, str], content: Content) -> Response:
    """The content, or a part of it (206, 416; RFC 9110, 14.2)."""
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if not wanted or request.headers.get("if-range", etag) != etag:
        return Response(200, headers, content)
    first, last, suffix = wanted.groups()
    if suffix is not None:
        start, stop = max(0, content.size - int(suffix)), content.size
    else:
        start, stop = int(first), min(content.size, int(last) + 1 if last else content.size)
    if start >= stop:
        return text(416, "", content_range=f"bytes */{content.size}")
    part = {"Content-Range": f"bytes {start}-{stop - 1}/{content.size}"}
    return Response(206, headers | part, Slice(content, start, stop))


def _content_type(content: Content) -> str:
    binary = b"\0" in content.read(0, min(content.size, 8000))
    return "application/octet-stream" if binary else "text/plain; charset=utf-8"
