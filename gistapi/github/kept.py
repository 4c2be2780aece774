"""Keeps contents that came together with another file of their gist until they are needed."""

from __future__ import annotations

import hashlib

from cachetools import LRUCache

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

    def __init__(self) -> None:
        self._contents: LRUCache[str, tuple[bytes, ContentWay]] = LRUCache(
            MAX_BYTES, lambda kept: len(kept[0])
        )

    def get(self, blob_sha: str | None) -> tuple[bytes, ContentWay] | None:
        """Return a content and the way in which it was read; None if it is not kept."""
        return None if blob_sha is None else self._contents.get(blob_sha)

    def put(self, blob_sha: str, content: bytes, way: ContentWay) -> None:
        """Keep a content that `is_proved`, unless it is too large."""
        if blob_sha not in self._contents and len(content) <= MAX_BYTES:
            self._contents[blob_sha] = content, way
