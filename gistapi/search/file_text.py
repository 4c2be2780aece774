"""Downloads one file of a gist as text, without searching it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from gistapi.aio.scope import Scope
from gistapi.errors import GoneError, IncompleteError, RawRefusedError
from gistapi.matching.decoding import to_utf8
from gistapi.models import Gist, GistFile, Target
from gistapi.search.sizes import is_small
from gistapi.search.source import GistSource

MAX_BYTES = 8 * 2**20
"""The size up to which a file is read."""
MAX_NAMES = 20
"""File names in the message about a file that the gist does not have."""


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file, or of its first MAX_BYTES if it is larger: then `is_cut` is true."""

    gist: Gist
    name: str
    text: str
    is_cut: bool


async def read_file(source: GistSource, gist_id: str, name: str, scope: Scope) -> FileText:
    """Return the text of one file of a gist.

    Raises GoneError if the gist has no such file; IncompleteError, GithubError or a subclass if it
    cannot be read.
    """
    gist = await _gist(source, gist_id, scope)
    file = next((file for file in gist.files if file.name == name), None)
    if file is None and not gist.truncated:
        names = ", ".join(file.name for file in gist.files[:MAX_NAMES])
        raise GoneError(f"The gist has no file {name!r}. Its files: {names}.")
    if file is not None:
        try:
            return await _from_host(source, gist, file, scope)
        except RawRefusedError:
            pass  # git has files that are too large for this host
    async with source.clone(gist, scope) as files:
        async for cloned in files:
            if cloned.name == name:
                return FileText(gist, name, *await _beginning(cloned.chunks))
    raise GoneError(f"The gist has no file {name!r}.")


async def _gist(source: GistSource, gist_id: str, scope: Scope) -> Gist:
    async with aclosing(source.pages(Target("gist", gist_id), scope)) as pages:
        async for page in pages:
            for gist in page.gists:
                return gist
    raise GoneError("GitHub does not show this gist.")


async def _from_host(source: GistSource, gist: Gist, file: GistFile, scope: Scope) -> FileText:
    if is_small(file):
        content = await source.read(gist, file, scope)
        return FileText(gist, file.name, _text(content), is_cut=False)
    async with aclosing(source.stream(gist, file, scope)) as passes:
        async for chunks in passes:
            async with aclosing(chunks):
                return FileText(gist, file.name, *await _beginning(chunks))
    raise IncompleteError("file_unavailable", "GitHub did not send the file.")


async def _beginning(chunks: AsyncIterator[bytes]) -> tuple[str, bool]:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > MAX_BYTES:
            return _text(bytes(content[:MAX_BYTES])), True
    return _text(bytes(content)), False


def _text(content: bytes) -> str:
    return to_utf8(content).decode()
