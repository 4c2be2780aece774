"""Decodes bytes as they arrive into valid UTF-8.

The text is that of `bytes.decode("utf-8", "replace")`, or of UTF-16 if the file begins with that
byte-order mark. A mark is not part of the text. How the bytes are split never changes the text.
"""

from __future__ import annotations

import codecs

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _encoding(content: bytes) -> tuple[str, int]:
    """The encoding of a file that begins with these bytes, and the size of its byte-order mark."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def to_utf8(content: bytes) -> bytes:
    """A whole file as valid UTF-8; the same object when it already is."""
    if content.isascii():
        return content
    encoding, mark_bytes = _encoding(content)
    if mark_bytes:
        content = content[mark_bytes:]
    if encoding != "utf-8":
        return content.decode(encoding, "replace").encode()
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace").encode()
    return content


class Utf8Stream:
    """Decodes one file, which arrives in chunks of any size, into valid UTF-8."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._utf8 = True
        self._clean = True  # the decoder holds no part of a character

    def feed(self, chunk: bytes | memoryview) -> bytes:
        """Return the text that this chunk completes."""
        data = self._begin(bytes(chunk), final=False)
        if self._decoder is None:
            return b""
        if self._clean and data.isascii():
            return data
        return self._decode(self._decoder, data, final=False)

    def finish(self) -> bytes:
        """Return the rest of the text; an incomplete character becomes U+FFFD."""
        data = self._begin(b"", final=True)
        assert self._decoder is not None  # noqa: S101 - _begin makes it when final
        return self._decode(self._decoder, data, final=True)

    def _begin(self, data: bytes, *, final: bool) -> bytes:
        """Hold the first bytes back until they show the encoding."""
        if self._decoder is not None:
            return data
        data = self._head + data
        encoding, mark_bytes = _encoding(data)
        if not final and not mark_bytes and any(mark.startswith(data) for mark in _MARKS):
            self._head = data
            return b""
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._utf8 = self._clean = encoding == "utf-8"
        return data[mark_bytes:]

    def _decode(self, decoder: codecs.IncrementalDecoder, data: bytes, *, final: bool) -> bytes:
        decoded = decoder.decode(data, final).encode()
        self._clean = self._utf8 and not decoder.getstate()[0]
        return decoded
