"""Searches gists by git: all files of those that GitHub truncates, and files that only git has."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from gistapi.errors import (
    CacheMissError,
    GithubError,
    GithubRateLimitedError,
    GoneError,
    IncompleteError,
)
from gistapi.models import Gist, GistFile
from gistapi.search.gist_state import GistState, Result

if TYPE_CHECKING:
    from gistapi.search.reader import Reader

NO_LANGUAGE = IncompleteError("language_unknown", "Git does not name a file's language.")
MAX_TREE_BYTES = 2**20
"""The most that is kept of the names of a gist's files: a small pack may name a million."""
ENTRY_BYTES = 64
NO_FILES = IncompleteError("file_unavailable", "The gist's git repository has no files.")


async def read_by_git(reader: Reader, state: GistState, names: Collection[str] | None) -> None:
    """Search a gist's files by git: all of them, or only those of these names.

    Raises GithubRateLimitedError, and what the reader's count and meter raise.
    """
    try:
        if names is not None or not await _read_kept(reader, state):
            await _clone(reader, state, names)
    except GoneError:
        state.end_gone()
    except GithubRateLimitedError:
        raise
    except (IncompleteError, GithubError) as error:
        state.end_git(error)


async def _clone(reader: Reader, state: GistState, names: Collection[str] | None) -> None:
    gist = state.slot.gist
    listed = {file.name: file for file in gist.files}
    tree: list[tuple[str, int, str]] = []
    room = MAX_TREE_BYTES
    async with reader.source.clone(gist, reader.scope) as cloned:
        async for file in cloned:
            if names is not None and file.name not in names:
                continue
            entry = (file.name, file.size_bytes, file.blob_sha)
            room -= len(file.name) + ENTRY_BYTES
            if room >= 0:
                tree.append(entry)
            shown = listed.get(file.name) or _unlisted(*entry)
            if _is_wanted(reader, state, shown, is_listed=file.name in listed):
                chunks = reader.keeping(file.chunks, file.blob_sha, file.size_bytes)
                state.note_git(shown, await _search(reader, state, chunks))
            if _is_over(reader, state):
                return
    if names is None and not tree:
        state.end_git(NO_FILES)
        return
    state.end_git()
    if names is None and room >= 0:
        stored = await reader.in_thread(lambda: json.dumps(tree).encode())
        reader.shared.contents.put_listing(_tree_key(gist), stored)


async def _read_kept(reader: Reader, state: GistState) -> bool:
    """Search a gist that was read by git before; False if the cache does not have all of it."""
    gist = state.slot.gist
    contents = reader.shared.contents
    listed = {file.name: file for file in gist.files}
    try:
        tree = await reader.in_thread(lambda: _tree(contents.get_listing(_tree_key(gist))))
        if tree is None:
            return False
        for name, size_bytes, blob_sha in tree:
            shown = listed.get(name) or _unlisted(name, size_bytes, blob_sha)
            if not _is_wanted(reader, state, shown, is_listed=name in listed):
                continue
            found, hits = await reader.search_kept(state.slot, blob_sha, size_bytes)
            if not found:
                return False
            state.note_git(shown, hits)
            if _is_over(reader, state):
                return True
    except (CacheMissError, ValueError, TypeError):
        return False
    state.end_git()
    return True


async def _search(reader: Reader, state: GistState, chunks: AsyncGenerator[bytes]) -> Result:
    try:
        async with aclosing(chunks):
            hits = await reader.feed(state.slot, chunks)
    except IncompleteError as error:
        return error
    reader.count(1, 0)
    return hits


def _is_wanted(reader: Reader, state: GistState, shown: GistFile, *, is_listed: bool) -> bool:
    if not reader.wanted.wants_name(shown.name):
        return False
    if not is_listed and reader.wanted.by_language:
        state.note_git(shown, NO_LANGUAGE)
        return False
    return reader.wanted.wants_language(shown.language)


def _unlisted(name: str, size_bytes: int, blob_sha: str) -> GistFile:
    return GistFile(name, None, size_bytes, None, blob_sha)


def _is_over(reader: Reader, state: GistState) -> bool:
    return not state.needs_reading or (state.has_match and not reader.wants_all)


def _tree(stored: bytes | None) -> Any:  # noqa: ANN401 - whatever the cache has there
    return None if stored is None else json.loads(stored)


def _tree_key(gist: Gist) -> str:
    return f"git:{gist.id}:{gist.updated_at.isoformat()}"
