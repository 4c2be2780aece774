"""Content codings (RFC 9110, 8.4.1): gzip and deflate, decompressed a bounded piece at a time."""

from __future__ import annotations

import zlib

GZIP_OR_ZLIB = 47
"""`wbits` of a stream whose header says which of the two it is."""
RAW_DEFLATE = -15
CODINGS = {"gzip", "x-gzip", "deflate"}


class Decompressor:
    """Decompresses what `feed` is given; `next` returns at most `max_bytes` at a time.

    Raises zlib.error for damaged data, and in `end` for data that is not complete.
    """

    def __init__(self, coding: str, max_bytes: int) -> None:
        self._may_be_raw = coding == "deflate"
        self._max_bytes = max_bytes
        self._stream = zlib.decompressobj(wbits=GZIP_OR_ZLIB)
        self._waiting = b""
        self._has_more = False
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Append received bytes; `next` must have returned b"" before."""
        if not self._begun:
            self._begun = True
            # A zlib header is a multiple of 31: https://www.rfc-editor.org/rfc/rfc1950#page-5
            is_zlib = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
            if self._may_be_raw and not is_zlib:
                self._stream = zlib.decompressobj(wbits=RAW_DEFLATE)
        if self._stream.eof:  # gzip files may be concatenated
            self._stream = zlib.decompressobj(wbits=GZIP_OR_ZLIB)
        self._waiting = data
        self._has_more = True

    def next(self) -> bytes:
        """The next decompressed bytes; b"" when more must be fed first."""
        while self._has_more:
            data = self._stream.decompress(self._waiting, self._max_bytes)
            self._waiting = self._stream.unconsumed_tail
            if self._stream.eof and self._stream.unused_data:
                self._waiting = self._stream.unused_data
                self._stream = zlib.decompressobj(wbits=GZIP_OR_ZLIB)
            else:  # a piece of the full size may not be all that the stream holds
                self._has_more = bool(self._waiting) or len(data) == self._max_bytes
            if data:
                return data
        return b""

    @property
    def is_complete(self) -> bool:
        """Whether what was fed has ended, and `next` has returned all of it."""
        return self._stream.eof and not self._has_more

    def end(self) -> None:
        """Raise zlib.error if the data ended too early."""
        if self._begun and not self._stream.eof:
            raise zlib.error("the compressed data is not complete")
