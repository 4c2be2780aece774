"""Keeps contents that came together with another file of their gist until they are needed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from gistapi.events import ContentWay
from gistapi.models import GistFile

MAX_BYTES = 16 * 1024 * 1024


def is_proved(file: GistFile, content: bytes) -> bool:
    """Whether a content has the listed size and hashes to the listed blob SHA-1."""
    if file.blob_sha is None or len(content) != file.size_bytes:
        return False
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest() == file.blob_sha


class KeptContents:
    """Verified contents by blob SHA. Beyond MAX_BYTES, the least recently used ones are dropped."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._contents: OrderedDict[str, tuple[bytes, ContentWay]] = OrderedDict()

    def get(self, blob_sha: str | None) -> tuple[bytes, ContentWay] | None:
        """Return a content and the way in which it was read; None if it is not kept."""
        if blob_sha is None or blob_sha not in self._contents:
            return None
        self._contents.move_to_end(blob_sha)
        return self._contents[blob_sha]

    def put(self, blob_sha: str, content: bytes, way: ContentWay) -> None:
        """Keep a content that `is_proved`, unless it is too large."""
        if blob_sha in self._contents or len(content) > self._max_bytes:
            return
        self._contents[blob_sha] = content, way
        self._size += len(content)
        while self._size > self._max_bytes:
            _, (dropped, _) = self._contents.popitem(last=False)
            self._size -= len(dropped)
