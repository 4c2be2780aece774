"""Removes long strings from JSON, so that a gist's metadata is read without its contents."""

from __future__ import annotations

import re

_PLAIN = re.compile(rb'[^"]*')
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_QUOTE = b'"'


class ShortStrings:
    """Replaces strings of more than `most` bytes in JSON by empty ones, as the JSON arrives.

    The syntax is not checked: a body that is not JSON is returned as it is, or with parts missing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = False
        self._string = bytearray()  # the beginning of an incomplete string
        self._too_long = False
        self._rest = b""  # a backslash whose next byte has not arrived

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes, and return the output that they complete."""
        passed = bytearray()
        data, at = self._rest + chunk, 0
        self._rest = b""
        while at < len(data):
            if not self._inside:
                end = _end(_PLAIN, data, at)
                passed += data[at : end + 1]
                self._inside = end < len(data)
                at = end + 1
                continue
            end = _end(_INSIDE, data, at)
            self._keep(data[at:end])
            at = end
            if data[at : at + 1] == _QUOTE:
                passed += self._string + _QUOTE
                self._string.clear()
                self._inside = self._too_long = False
                at += 1
            else:
                self._rest, at = data[at:], len(data)
        return bytes(passed)

    def _keep(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._string) + len(part) > self._most
        if self._too_long:
            self._string.clear()
        else:
            self._string += part


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return at if found is None else found.end()
