"""Bytes as they arrive, into valid UTF-8.

The contract: `bytes.decode("utf-8", "replace")`; a file that begins with a byte-order mark of
UTF-16 is decoded as UTF-16. How the bytes are cut never shows.
"""

from __future__ import annotations

import codecs

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BOM_BYTES = 2


def to_utf8(content: bytes) -> bytes:
    """A whole file as valid UTF-8; the same object when it already is."""
    if content.isascii():
        return content
    encoding = _UTF16.get(content[:_BOM_BYTES])
    if encoding is not None:
        return content[_BOM_BYTES:].decode(encoding, "replace").encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace").encode()
    return content


class Utf8Stream:
    """The same in chunks of any size."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._utf8 = True
        self._clean = True  # nothing of a character is held back

    def feed(self, chunk: bytes | memoryview) -> bytes:
        """What is certain so far of the text, as valid UTF-8."""
        data = self._begin(bytes(chunk), final=False)
        if self._decoder is None:
            return b""
        if self._clean and data.isascii():
            return data
        return self._decode(self._decoder, data, final=False)

    def finish(self) -> bytes:
        """The rest; a character that was cut off becomes U+FFFD."""
        data = self._begin(b"", final=True)
        assert self._decoder is not None  # noqa: S101 - _begin makes it when final
        return self._decode(self._decoder, data, final=True)

    def _begin(self, data: bytes, *, final: bool) -> bytes:
        """Hold the first bytes back until they show the encoding."""
        if self._decoder is not None:
            return data
        data = self._head + data
        if len(data) < _BOM_BYTES and not final:
            self._head = data
            return b""
        encoding = _UTF16.get(data[:_BOM_BYTES])
        self._decoder = codecs.getincrementaldecoder(encoding or "utf-8")("replace")
        self._utf8 = self._clean = encoding is None
        return data if encoding is None else data[_BOM_BYTES:]

    def _decode(self, decoder: codecs.IncrementalDecoder, data: bytes, *, final: bool) -> bytes:
        decoded = decoder.decode(data, final).encode()
        self._clean = self._utf8 and not decoder.getstate()[0]
        return decoded
