"""Keys of a service, read from a file."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path

from gistapi.cli.commands import Fault
from gistapi.cli.process import reason

MAX_BYTES = 65_536
_KEY = re.compile(r"[!-~]+")
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_key(file: str | None) -> str | None:
    """The key in a file (`-`: standard input), in any encoding that editors write.

    Raises:
        Fault: the file cannot be read, or does not hold a key.
    """
    if file is None:
        return None
    try:
        content = sys.stdin.buffer.read(MAX_BYTES) if file == "-" else _read(Path(file))
    except (OSError, AttributeError, ValueError) as error:
        raise Fault(f"The key file {file} cannot be read: {reason(error)}.") from error
    encoding = next((name for bom, name in _ENCODINGS.items() if content.startswith(bom)), "utf-8")
    key = content.decode(encoding, "replace").strip()
    if not _KEY.fullmatch(key):
        raise Fault(f"The key file {file} does not hold a key: one word of ASCII characters.")
    return key


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)
