"""Git's name of a content, by which the cache finds and verifies it."""

from __future__ import annotations

import hashlib

MAX_CONTENT_BYTES = 2**20
"""Contents up to this size are read whole and in bulk, larger ones one at a time and in parts."""

# From 2,048 bytes on hashlib releases the interpreter lock, and with one busy thread each attempt
# to get it back can take 5 ms: seconds for the 2,000 files of a search. Slices keep it.
_SLICE_BYTES = 2047


def blob_hash(size_bytes: int) -> hashlib._Hash:
    """Return the hash of a blob of this size, to be updated with its bytes.

    SHA-1 over `blob SIZE NUL` and the content: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    return hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)


def is_blob(blob_sha: str, content: bytes) -> bool:
    """Whether this is git's name of the content."""
    digest = blob_hash(len(content))
    view = memoryview(content)
    for start in range(0, len(content), _SLICE_BYTES):
        digest.update(view[start : start + _SLICE_BYTES])
    return digest.hexdigest() == blob_sha
