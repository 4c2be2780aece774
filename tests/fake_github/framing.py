"""An answer's bytes on the wire (RFC 9112), altered by its fault. No I/O."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from tests.fake_github.content import EMPTY, Body, Literal, gzipped
from tests.fake_github.faults import Fault
from tests.fake_github.message import Request, Response

_BOMB_BYTES = 1 << 30
_BOMB_CRC = 0x5B64C2B0


@dataclass(frozen=True, slots=True)
class Wire:
    """The bytes to send; `close` the connection after them, or keep it."""

    head: bytes
    body: Iterable[bytes]
    close: bool


def frame(request: Request, response: Response, fault: Fault, *, keep_alive: bool) -> Wire:
    """Frame an answer."""
    headers = {"Server": "github.com", "Date": formatdate(usegmt=True), **response.headers}
    body = _spoil(response.body, headers, fault)
    bare = response.status in {204, 304}
    chunked = body.size is None or fault.chunked
    if not bare and chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif not bare:
        headers["Content-Length"] = str((body.size or 0) + fault.content_length_delta)
    if not keep_alive:
        headers["Connection"] = "close"
    head = _head(response.status, headers)
    pieces: Iterable[bytes] = ()
    if not bare and request.method != "HEAD":
        pieces = _chunks(body.chunks()) if chunked else body.chunks()
    close = not keep_alive or bool(fault.content_length_delta) or fault.close_after
    if fault.cut_head_at is not None:
        return Wire(head[: fault.cut_head_at], (), close=True)
    if fault.cut_body_at is not None:
        return Wire(head, _cut(pieces, fault.cut_body_at), close=True)
    if fault.hang:
        return Wire(b"", (), close=True)
    return Wire(head, pieces, close)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _spoil(body: Body, headers: dict[str, str], fault: Fault) -> Body:
    packed = headers.get("Content-Encoding") == "gzip"
    if fault.corrupt:
        body = _other(body, packed=packed)
    if fault.gzip is None:
        return body
    headers["Content-Encoding"] = "gzip"
    if fault.gzip == "bomb":
        return Literal(_bomb())
    data = b"".join((body if packed else gzipped(body)).chunks())
    if fault.gzip == "truncated":
        return Literal(data[: len(data) // 2])
    middle = len(data) // 2
    return Literal(data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :])


def _other(body: Body, *, packed: bool) -> Body:
    """A body of the same length whose first byte differs."""
    data = b"".join(body.chunks())
    if packed:
        return gzipped(_other(Literal(gzip.decompress(data)), packed=False))
    return Literal(bytes([data[0] ^ 1]) + data[1:]) if data else EMPTY


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    """Zeros in gzip; each MiB is the same block, so generating it is cheap."""
    squeeze = zlib.compressobj(level=9, wbits=-15)
    block = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    tail = squeeze.flush() + struct.pack("<II", _BOMB_CRC, _BOMB_BYTES)
    return head + block * (_BOMB_BYTES >> 20) + tail


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _cut(pieces: Iterable[bytes], limit: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:limit]
        limit -= len(piece)
        if limit <= 0:
            return
