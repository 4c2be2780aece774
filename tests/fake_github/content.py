"""Contents of any size, generated as they are read."""

from __future__ import annotations

import hashlib
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

_PIECE_BYTES = 65536


class Body(ABC):
    """The body of an answer; `size` in bytes, None if it is unknown before the end."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The length in bytes; None for a body that is sent in chunks."""

    @abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """All bytes in order; each call starts from the beginning."""


class Content(Body):
    """Bytes of a known size that can be read at any offset."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The length in bytes."""

    @abstractmethod
    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, both within the content."""

    def chunks(self) -> Iterator[bytes]:
        """All bytes in order."""
        for start in range(0, self.size, _PIECE_BYTES):
            yield self.read(start, min(start + _PIECE_BYTES, self.size))

    @cached_property
    def blob_sha(self) -> str:
        """The git blob's SHA-1 in hex, computed once and without holding the content."""
        digest = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True)
class Literal(Content):
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.data)

    def read(self, start: int, stop: int) -> bytes:
        """A part of the bytes."""
        return self.data[start:stop]


EMPTY = Literal(b"")


@dataclass(frozen=True)
class Repeated(Content):
    """A block repeated up to `total` bytes, with other bytes at some offsets.

    `patches` maps an offset to the bytes at it, such as a needle in a hundred megabytes.
    The text starts `phase` bytes into the block.
    """

    block: bytes
    total: int
    patches: Mapping[int, bytes] = field(default_factory=dict)
    phase: int = 0

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.total

    def read(self, start: int, stop: int) -> bytes:
        """A part of the bytes."""
        first = (self.phase + start) % len(self.block)
        last = first + stop - start
        copies = -(-last // len(self.block))
        text = bytearray((self.block * copies)[first:last])
        for offset, patch in self.patches.items():
            low, high = max(start, offset), min(stop, offset + len(patch))
            if low < high:
                text[low - start : high - start] = patch[low - offset : high - offset]
        return bytes(text)


@dataclass(frozen=True)
class Slice(Content):
    """The part of a content that a `Range` names."""

    whole: Content
    start: int
    stop: int

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.stop - self.start

    def read(self, start: int, stop: int) -> bytes:
        """A part of the bytes."""
        return self.whole.read(self.start + start, self.start + stop)


@dataclass(frozen=True)
class Chunks(Body):
    """A body whose length is unknown before its end."""

    source: Iterable[bytes]

    @property
    def size(self) -> None:
        """Always None."""
        return

    def chunks(self) -> Iterator[bytes]:
        """All bytes in order."""
        return iter(self.source)


@dataclass(frozen=True)
class _Compressing:
    body: Body

    def __iter__(self) -> Iterator[bytes]:
        return _deflate(self.body.chunks())


def _deflate(chunks: Iterable[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(level=1, wbits=31)  # 31: the gzip format
    for chunk in chunks:
        if squeezed := squeeze.compress(chunk):
            yield squeezed
    yield squeeze.flush()


def gzipped(body: Body) -> Body:
    """The body in gzip; a large one is compressed as it is sent, so that its length is unknown."""
    stream = _Compressing(body)
    if body.size is None or body.size > _PIECE_BYTES * 16:
        return Chunks(stream)
    return Literal(b"".join(stream))


def as_content(data: bytes | str | Content) -> Content:
    """A content from what a test gave; text is encoded as UTF-8."""
    if isinstance(data, str):
        data = data.encode()
    return Literal(data) if isinstance(data, bytes) else data
