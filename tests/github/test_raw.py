"""The content of one file from the raw host: resumed, verified and bounded."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gistapi.errors import (
    GithubError,
    GoneError,
    IncompleteError,
    RawRefusedError,
)
from gistapi.github.http import TransientError
from gistapi.github.raw import MAX_FILE_BYTES, MAX_TRIES, RAW_SURE_BYTES, RawFiles
from gistapi.models import GistFile
from tests.fake_github import (
    Content,
    FakeGithub,
    Fault,
    Literal,
    Repeated,
    Request,
    Response,
    answers,
)
from tests.fake_github.message import text
from tests.github.asking import add_file, client_of, on_loop, scope_of, user_of

CONTENT = bytes(random.Random(1).randbytes(100_000))


def files_of(fake: FakeGithub) -> RawFiles:
    """The raw files, as a search reads them."""
    return RawFiles(client_of(fake))


async def read(fake: FakeGithub, file: GistFile, seconds: float = 30) -> bytes:
    """Read the whole file."""
    return await files_of(fake).read(file, scope_of(seconds))


async def passes(fake: FakeGithub, file: GistFile) -> list[bytes]:
    """The result of each pass over the file."""
    return [
        b"".join([chunk async for chunk in chunks])
        async for chunks in files_of(fake).stream(file, scope_of())
    ]


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
@on_loop
async def test_a_file_is_read(github: FakeGithub, size: int) -> None:
    """Its bytes are returned unchanged, from one request, in chunks of bounded size."""
    file = add_file(github, Repeated(b"0123456789\x00\xff\r\n", size))
    content = await read(github, file)
    assert content == (b"0123456789\x00\xff\r\n" * (size // 14 + 1))[:size]
    assert len(github.requests) == 1
    sizes = [
        len(chunk)
        async for part in files_of(github).stream(file, scope_of())
        async for chunk in part
    ]
    assert sum(sizes) == size
    assert all(0 < chunk <= 65_536 for chunk in sizes)


@on_loop
async def test_the_listed_content_is_read(github: FakeGithub) -> None:
    """A file that was replaced since is read as listed: its address names the content."""
    file = add_file(github, "old", "a.txt")
    user_of(github).gists[0].edit({"a.txt": "new"})
    assert await read(github, file) == b"old"


# broken downloads


def cut(fake: FakeGithub, *at: int, reset: bool = False) -> None:
    """Cut successive answers after these numbers of body bytes."""
    for offset in at:
        fake.faults.inject(Fault(cut_body_at=offset, reset=reset), times=1)


@pytest.mark.parametrize("reset", [False, True])
@on_loop
async def test_a_broken_download_is_resumed(github: FakeGithub, *, reset: bool) -> None:
    """The rest is requested by range, uncompressed; no byte is read twice."""
    file = add_file(github, CONTENT)
    cut(github, 30_000, 20_000, reset=reset)
    assert await read(github, file) == CONTENT
    first, second, third = (request.headers for request in github.requests)
    assert "range" not in first
    assert first["accept-encoding"] == "gzip"
    assert second["accept-encoding"] == third["accept-encoding"] == "identity"
    begins = [int(h["range"].removeprefix("bytes=").removesuffix("-")) for h in (second, third)]
    assert 0 < begins[0] <= 30_000
    assert begins[1] == begins[0] + 20_000


def plainly(fake: FakeGithub, cut_at: int) -> Fault:
    """An uncompressed answer that breaks off."""

    def answer(request: Request) -> Response:
        headers = {**request.headers, "accept-encoding": "identity"}
        return fake.raw.respond(replace(request, headers=headers))

    return Fault(answer=answer, cut_body_at=cut_at)


@on_loop
async def test_a_strong_etag_guards_the_rest(github: FakeGithub) -> None:
    """The range request has `If-Range` if GitHub's ETag is strong."""
    file = add_file(github, CONTENT)
    github.faults.inject(plainly(github, 5000), times=1)
    assert await read(github, file) == CONTENT
    assert github.requests[1].headers["range"] == "bytes=5000-"
    assert github.requests[1].headers["if-range"] == f'"{file.blob_sha}"'
    assert github.requests[1].status == 206


@on_loop
async def test_a_download_cut_ten_times_is_complete(github: FakeGithub) -> None:
    """Each cut costs one more request, and the bytes are the same."""
    file = add_file(github, CONTENT)
    cut(github, *[8_000] * 10)
    assert await read(github, file) == CONTENT
    assert len(github.requests) == 11
    assert sum(request.sent_bytes for request in github.requests) < 1.1 * len(CONTENT)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    size=st.integers(0, 200),
    cuts=st.lists(st.integers(0, 60), max_size=3),
    ignore_range=st.booleans(),
)
@on_loop
async def test_cuts_anywhere_change_nothing(
    github: FakeGithub, size: int, cuts: list[int], *, ignore_range: bool
) -> None:
    """However often and wherever it breaks, with ranges or without, the bytes are as listed."""
    github.reset()
    file = add_file(github, CONTENT[:size])
    for at in cuts:
        fault = plainly(github, at)
        if ignore_range:
            fault = replace(fault, answer=Response(200, {}, Literal(CONTENT[:size])))
        github.faults.inject(fault, times=1)
    assert await read(github, file) == CONTENT[:size]


@on_loop
async def test_without_ranges_a_download_starts_again(github: FakeGithub) -> None:
    """Bytes that were returned before are skipped, so the reader sees one pass."""
    file = add_file(github, CONTENT)
    whole = Response(200, {}, Literal(CONTENT))
    github.faults.inject(Fault(answer=whole, cut_body_at=70_000), times=1)
    github.faults.inject(Fault(answer=whole, cut_body_at=20_000), times=1)
    github.faults.inject(Fault(answer=whole))
    assert await passes(github, file) == [CONTENT]
    assert len(github.requests) == 3


@on_loop
async def test_a_range_beyond_the_end_is_the_end(github: FakeGithub) -> None:
    """If all bytes arrived and only the end was missing, 416 confirms it."""
    file = add_file(github, CONTENT)
    promising = Fault(answer=Response(200, {}, Literal(CONTENT)), content_length_delta=5)
    github.faults.inject(promising, times=1)
    assert await read(github, file) == CONTENT
    assert [request.status for request in github.requests] == [200, 416]


@pytest.mark.parametrize("given_range", ["bytes 0-9/100", "bytes 500-9/100", "", "items 5-"])
@on_loop
async def test_a_wrong_range_is_a_failure(github: FakeGithub, given_range: str) -> None:
    """Bytes of another range are never used; the rest is requested again."""
    file = add_file(github, CONTENT)
    github.faults.inject(plainly(github, 5000), times=1)
    wrong = Response(206, {"Content-Range": given_range}, Literal(b"wrong"))
    github.faults.inject(Fault(answer=wrong), times=1)
    assert await read(github, file) == CONTENT
    assert len(github.requests) == 3


@on_loop
async def test_an_unsolicited_range_is_an_error(github: FakeGithub) -> None:
    """206 in answer to a request for the whole file is no content."""
    file = add_file(github, CONTENT)
    github.faults.inject(Fault(answer=Response(206, {}, Literal(b"part"))))
    with pytest.raises(GithubError, match="206"):
        await read(github, file)


@pytest.mark.parametrize("sha", [True, False])
@on_loop
async def test_a_file_that_changed_between_ranges_is_read_again(
    github: FakeGithub, *, sha: bool
) -> None:
    """Halves of two contents are never combined, whether the hash is known or not."""
    file = add_file(github, CONTENT)
    old = Response(200, {"ETag": '"old"'}, Literal(b"x" * len(CONTENT)))
    new = Response(200, {"ETag": '"new"'}, Literal(CONTENT))
    github.faults.inject(Fault(answer=old, cut_body_at=5000), times=1)
    github.faults.inject(Fault(answer=new))
    if not sha:
        file = replace(file, blob_sha=None)
    first, second = await passes(github, file)
    assert first == b"x" * 5000 + CONTENT[5000:]
    assert second == CONTENT


@on_loop
async def test_a_download_without_progress_ends(github: FakeGithub) -> None:
    """It is given up after three retries."""
    file = add_file(github, CONTENT)
    github.faults.inject(Fault(cut_body_at=0))
    with pytest.raises(TransientError, match="ended before it was complete"):
        await read(github, file)
    assert len(github.requests) == 4


@on_loop
async def test_a_download_with_little_progress_ends(github: FakeGithub) -> None:
    """A few bytes each time do not prolong it for ever."""
    file = add_file(github, CONTENT)
    github.faults.inject(Fault(cut_body_at=100))
    with pytest.raises(GithubError, match=f"broke {MAX_TRIES} times"):
        await read(github, file)
    assert len(github.requests) == MAX_TRIES


# contents that differ from the listing


@on_loop
async def test_a_damaged_content_is_fetched_again(github: FakeGithub) -> None:
    """A wrong hash causes a second pass, whose content is used if it is right."""
    file = add_file(github, CONTENT)
    github.faults.inject(Fault(corrupt=True), times=1)
    first, second = await passes(github, file)
    assert first != CONTENT
    assert second == CONTENT


@on_loop
async def test_a_wrong_hash_twice_in_a_row_is_accepted(github: FakeGithub) -> None:
    """An old address names a commit: two equal contents of the listed size are accepted."""
    file = add_file(github, CONTENT, commit_sha_urls=True)
    assert await passes(github, file) == [CONTENT, CONTENT]
    assert await read(github, file) == CONTENT


async def mismatch(fake: FakeGithub, file: GistFile) -> str:
    """The reason why a file can't be read."""
    with pytest.raises(IncompleteError) as raised:
        await read(fake, file)
    return raised.value.reason


@on_loop
async def test_two_different_wrong_contents_are_rejected(github: FakeGithub) -> None:
    """They match neither the listing nor each other."""
    file = add_file(github, CONTENT, commit_sha_urls=True)
    github.faults.inject(Fault(corrupt=True), times=1)
    assert await mismatch(github, file) == "content_mismatch"
    assert len(github.requests) == 2


@on_loop
async def test_a_content_of_another_size_is_rejected(github: FakeGithub) -> None:
    """Two equal contents are not accepted unless they have the listed size."""
    file = replace(add_file(github, CONTENT), size_bytes=len(CONTENT) + 1)
    assert await mismatch(github, file) == "content_mismatch"
    assert await mismatch(github, replace(file, blob_sha=None)) == "content_mismatch"


@on_loop
async def test_a_content_larger_than_listed_is_abandoned(github: FakeGithub) -> None:
    """It is not read to its end, nor is a gzip bomb in its place."""
    file = replace(add_file(github, Repeated(b"x", 50 * 2**20)), size_bytes=1000)
    assert await mismatch(github, file) == "content_mismatch"
    await asyncio.to_thread(github.wait_quiet)
    github.faults.inject(Fault(gzip="bomb"))
    assert await mismatch(github, file) == "content_mismatch"
    await asyncio.to_thread(github.wait_quiet)
    assert sum(request.sent_bytes for request in github.requests) < 2**20


@pytest.mark.parametrize(
    "unknown", [{"blob_sha": None}, {"size_bytes": None}, {"blob_sha": None, "size_bytes": None}]
)
@on_loop
async def test_an_unlisted_size_or_hash_is_not_checked(
    github: FakeGithub, unknown: dict[str, None]
) -> None:
    """One pass is enough then, and its content is used."""
    file = replace(add_file(github, CONTENT), **unknown)  # type: ignore[arg-type]
    assert await passes(github, file) == [CONTENT]


@pytest.mark.parametrize("listed", [True, False])
@on_loop
async def test_at_most_100_mib_are_read(github: FakeGithub, *, listed: bool) -> None:
    """The largest file that GitHub can have is read, and not a byte more."""
    file = add_file(github, Repeated(b"x" * 65_536, MAX_FILE_BYTES + 65_536))
    file = replace(file, size_bytes=file.size_bytes if listed else None)
    sizes: list[int] = []

    async def measure() -> None:
        async for chunks in files_of(github).stream(file, scope_of()):
            async for chunk in chunks:
                sizes.append(len(chunk))  # noqa: PERF401 - sizes before an error count too

    with pytest.raises(IncompleteError, match="first 104857600 bytes") as raised:
        await measure()
    assert raised.value.reason == "file_too_large"
    assert MAX_FILE_BYTES - 65_536 <= sum(sizes) <= MAX_FILE_BYTES


@on_loop
async def test_stopping_early_saves_the_rest(github: FakeGithub) -> None:
    """When a reader stops after the first chunk, the rest of 100 MB is not sent."""
    file = add_file(github, Repeated(CONTENT, 100_000_000))
    async with (
        aclosing(files_of(github).stream(file, scope_of())) as stream,
        aclosing(await anext(stream)) as chunks,
    ):
        assert await anext(chunks)
    await asyncio.to_thread(github.wait_quiet)
    assert github.requests[0].aborted
    assert github.requests[0].sent_bytes < 2**20


# refusals and failures


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (answers.raw_not_found(), GoneError, "deleted since"),
        (answers.too_big(), RawRefusedError, "GitHub answered 403: Sorry, this file is too big"),
        (answers.bad_credentials(), GithubError, "GitHub answered 401: Bad credentials"),
        (answers.spammed(), GithubError, "GitHub answered 422: Validation Failed"),
        (answers.blocked(), GithubError, r"GitHub answered 451: .* \(dmca\)"),
        (text(416, "no"), GithubError, "GitHub answered 416: no"),
        (text(204, ""), GithubError, "GitHub answered 204."),
    ],
)
@on_loop
async def test_a_refusal_is_not_retried(
    github: FakeGithub, answer: Response, error: type[Exception], words: str
) -> None:
    """It is reported at once, with GitHub's message."""
    file = add_file(github)
    github.faults.inject(Fault(answer=answer))
    with pytest.raises(error, match=words):
        await read(github, file)
    assert len(github.requests) == 1


@on_loop
async def test_a_file_without_an_address_is_a_gap(github: FakeGithub) -> None:
    """No request is sent."""
    file = GistFile("a", None, 1, None, None)
    assert await mismatch(github, file) == "file_unavailable"
    assert (
        await mismatch(github, replace(file, raw_url="https://evil.example/a"))
        == "host_not_allowed"
    )
    assert not github.requests


@pytest.mark.parametrize("failures", [1, 3])
@pytest.mark.parametrize(
    "fault", [Fault(answer=text(503, "no")), Fault(cut_head_at=0), Fault(gzip="corrupt")]
)
@on_loop
async def test_a_transient_failure_is_retried(
    github: FakeGithub, fault: Fault, failures: int
) -> None:
    """The file is read after up to three failures in a row."""
    file = add_file(github)
    github.faults.inject(fault, times=failures)
    assert await read(github, file) == b"import requests\n"
    assert len(github.requests) == failures + 1


@on_loop
async def test_contents_of_any_kind_are_bytes(github: FakeGithub) -> None:
    """Empty, binary, UTF-16, latin-1, CRLF and NUL contents are returned unchanged."""
    kinds: list[bytes | Content] = [
        b"",
        b"\0" * 10,
        "héllo".encode("utf-16"),
        "héllo".encode("latin-1"),
        b"a\r\nb\r\n",
        b"\x1f\x8b\x08\0not gzip at all",
    ]
    for number, content in enumerate(kinds):
        assert await read(github, add_file(github, content, str(number))) == content


@pytest.mark.parametrize("answer", [answers.raw_not_found(), answers.too_big()])
@on_loop
async def test_a_large_file_that_raw_refuses_may_be_in_git(
    github: FakeGithub, answer: Response
) -> None:
    """Neither a 403 nor a 404 of the raw host means that a file over 10 MB was deleted."""
    file = replace(add_file(github), size_bytes=RAW_SURE_BYTES + 1)
    github.faults.inject(Fault(answer=answer))
    with pytest.raises(RawRefusedError):
        await read(github, file)
