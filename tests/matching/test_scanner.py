"""A scan's result does not depend on how the bytes are split or how few of them are held."""

from __future__ import annotations

import asyncio
import codecs
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from gistapi.errors import PatternTimeoutError
from gistapi.events import Event, FileScanned, WorkerKilled
from gistapi.matching import CompiledPattern, Matching, Sizes, Wanted, compile_pattern
from gistapi.matching.decoding import Utf8Stream, to_utf8
from gistapi.models import Flags, Hit, Hits
from tests.matching import reference
from tests.matching.grammar import FLAGS, LETTERS, flags_of, patterns, texts_for

PLAIN = Flags()
FIRST = Wanted()
ALL = Wanted(max_count=1000)
AROUND = Wanted(max_count=1000, context=2)
WRONG = [b"\xff", b"\xe2\x82", b"\xf0\x9f", b"\x80", b"\xed\xa0\x80", b"\xc3"]


async def scan(
    matching: Matching, pattern: CompiledPattern, chunks: Sequence[bytes], wanted: Wanted = FIRST
) -> Hits | None:
    """Feed chunks as a download does, until the wanted hits are found."""
    async with matching.matcher(pattern, wanted).scanner() as scanner:
        for chunk in chunks:
            found = await scanner.feed(chunk)
            if found is not None:
                return found
        return await scanner.finish()


def cut(content: bytes, size: int) -> list[bytes]:
    """Split a content into chunks of one size."""
    return [content[start : start + size] for start in range(0, len(content), size)]


def expected(
    pattern: str, flags: int, content: bytes, wanted: Wanted = FIRST, shown: int = 300
) -> Hits | None:
    """The result by the reference implementation."""
    text = reference.decode(content)
    compiled = reference.python_compile(pattern, flags)
    return reference.hits(text, reference.spans(compiled, text), wanted, shown)


def encoded(draw: DataObject, text: str) -> bytes:
    """A text as a file may encode it: UTF-8, with invalid bytes, or UTF-16."""
    how = draw.draw(st.sampled_from(["utf-8", "utf-8", "wrong", "utf-16"]))
    if how == "utf-16":
        order = draw.draw(st.sampled_from(["le", "be"]))
        mark = codecs.BOM_UTF16_LE if order == "le" else codecs.BOM_UTF16_BE
        return mark + text.encode(f"utf-16-{order}") + draw.draw(st.binary(max_size=1))
    content = draw.draw(st.sampled_from([b"", b"", codecs.BOM_UTF8])) + text.encode()
    if how == "wrong":
        at = draw.draw(st.integers(0, len(content)))
        content = content[:at] + draw.draw(st.sampled_from(WRONG)) + content[at:]
    return content


def wishes() -> SearchStrategy[Wanted]:
    """Draw what a search wants of each text."""
    return st.builds(
        Wanted,
        max_count=st.sampled_from([None, 1, 2, 1000]),
        context=st.sampled_from([0, 1, 3]),
        more=st.booleans(),
    )


def test_every_chunking_has_the_same_result(runner: asyncio.Runner, matching: Matching) -> None:
    """Whole, byte by byte, or in two or three parts: the result is that of `re.finditer`."""
    seen: Counter[str] = Counter()
    sizes = Sizes(overlap_bytes=1 << 20, first_bytes=1, line_characters=5)
    small = Matching(sizes=sizes)

    @given(pattern=patterns(), flags=st.sampled_from(FLAGS), data=st.data())
    def check(pattern: str, flags: int, data: DataObject) -> None:
        compiled = compile_pattern(pattern, flags_of(flags))
        text = "".join(data.draw(texts_for(pattern, 2, most=20)))
        content = encoded(data, text)
        points = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=3)))
        parts = [content[a:b] for a, b in itertools.pairwise([0, *points, len(content)])]
        for wanted in (FIRST, data.draw(wishes())):
            fed = replace(wanted, more=False)  # a scan in chunks ends at the first match
            answer = expected(pattern, flags, content, fed, shown=5)
            for chunks in ([content], cut(content, 1), parts):
                found = runner.run(scan(small, compiled, chunks, wanted))
                assert found == answer, (pattern, flags, chunks, wanted)
            answer = expected(pattern, flags, content, fed)
            assert runner.run(scan(matching, compiled, parts, wanted)) == answer
            answer = expected(pattern, flags, content, wanted)
            assert runner.run(matching.matcher(compiled, wanted).search(content)) == answer
            seen["cases"] += 1
            seen["match"] += answer is not None

    try:
        check()
    finally:
        runner.run(small.close())
    assert seen["match"] >= 0.3 * seen["cases"]


def test_tiny_windows_miss_no_short_match(runner: asyncio.Runner) -> None:
    """Windows of a few bytes find no wrong match and miss none that fits, or there is a gap."""
    seen: Counter[str] = Counter()
    events: list[Event] = []

    @given(pattern=patterns(), flags=st.sampled_from(FLAGS), data=st.data())
    def check(pattern: str, flags: int, data: DataObject) -> None:
        overlap = data.draw(st.integers(4, 24))
        sizes = Sizes(overlap_bytes=overlap, first_bytes=1, line_characters=3)
        matching = Matching(sizes=sizes, observe=events.append)
        text = "".join(data.draw(texts_for(pattern, 8, most=8)))
        content = text.encode()
        chunks = cut(content, data.draw(st.integers(1, 7)))
        compiled = compile_pattern(pattern, flags_of(flags))
        spans = reference.spans(reference.python_compile(pattern, flags), text)
        fits = all(len(text[a:b].encode()) <= overlap for a, b in spans)
        try:
            first = runner.run(scan(matching, compiled, chunks))
            every = runner.run(scan(matching, compiled, chunks, AROUND))
        except PatternTimeoutError:
            seen["gap"] += 1
            return
        finally:
            runner.run(matching.close())
        seen["match" if first else "none"] += 1
        if not spans:
            assert first is None, (pattern, flags, chunks, overlap)
            assert every is None, (pattern, flags, chunks, overlap)
        elif fits and not compiled.needs_whole_text:
            case = (pattern, flags, chunks, overlap)
            assert first == reference.hits(text, spans, FIRST, shown=3), case
            answer = reference.hits(text, spans, AROUND, shown=3)
            if every is not None and every.more:  # a gap after the first match
                assert answer is not None
                assert every.hits == answer.hits[: len(every.hits)], case
                seen["part"] += 1
            else:
                assert every == answer, case

    check()
    assert seen["match"] >= 0.3 * seen.total()
    assert seen["gap"] <= 0.3 * seen.total()
    assert WorkerKilled("died") not in events  # a bug of ours must not count as a gap


@pytest.mark.parametrize("pattern", [r"(q)\1", "(?<=日)q(?!日)", r"(日|q+)\1日"])
def test_a_window_moves_by_whole_characters(runner: asyncio.Runner, pattern: str) -> None:
    """Wherever in a character a limit falls, Python's `re` continues at a character."""
    events: list[Event] = []
    matching = Matching(sizes=Sizes(16, 1, line_characters=1), observe=events.append)
    compiled = compile_pattern(pattern, PLAIN)
    for lead in range(4):
        content = ("." * lead + "日é𐐀" * 30 + "日qq日日").encode()
        for size in (1, 2, 3, 5):
            found = runner.run(scan(matching, compiled, cut(content, size), ALL))
            assert found == expected(pattern, 0, content, ALL, shown=1)
    runner.run(matching.close())
    assert all(isinstance(event, FileScanned) for event in events)


MARKS = [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\xef", b"\xef\xbb"]


@given(st.binary(max_size=40), st.integers(1, 5), st.sampled_from(MARKS))
def test_decoding_equals_pythons(body: bytes, size: int, mark: bytes) -> None:
    """Bytes in any chunks decode as the whole content does."""
    content = mark + body
    stream = Utf8Stream()
    text = b"".join(stream.feed(chunk) for chunk in cut(content, size)) + stream.finish()
    assert text.decode() == reference.decode(content)
    assert to_utf8(content) == text


@pytest.mark.parametrize("size", [1, 7, 1000, 65_536, 1 << 22])
@pytest.mark.parametrize(
    "pattern", ["needle", r"n\w+\s+x", r"(?<=q)needle", r"\bneedle\b", r"(?m)^qneedle", r"(e)\1dle"]
)
def test_a_match_far_into_the_text_has_its_position(
    runner: asyncio.Runner, matching: Matching, pattern: str, size: int
) -> None:
    """Line, column and text are right after the window has moved, on long lines too."""
    head = ("é" * 50 + "\n") * 1_500 + "z" * 2_000
    text = head + "qneedle   x" + "é" * 1_000 + "\n" + "tail\n" * 30_000
    content = text.encode()
    if size < 1_000:
        content = content[-(150_000 + 2_000 + 2_200 + 100) :]
    compiled = compile_pattern(pattern, PLAIN)
    for wanted in (FIRST, AROUND):
        found = runner.run(scan(matching, compiled, cut(content, size), wanted))
        assert found == expected(pattern, 0, content, wanted)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a$", "a\nb"),
        (r"a\Z", "ab"),
        (r"a\b", "ab"),
        ("a(?!b)", "ab"),
        ("a.*b|a", "axxxb"),
        (r"(?m)a$", "ab"),
        ("(?s)a.*c|b", "abc"),
        (r"a\B", "a"),
        (r"\r$", "\r\nx"),
    ],
)
def test_a_match_that_more_text_can_change_is_not_returned(
    runner: asyncio.Runner, matching: Matching, pattern: str, text: str
) -> None:
    """A match at the end of the bytes so far waits for more bytes."""
    compiled = compile_pattern(pattern, PLAIN)
    for length in range(1, len(text) + 1):
        content = text[:length].encode()
        for wanted in (FIRST, ALL):
            found = runner.run(scan(matching, compiled, cut(content, 1), wanted))
            assert found == expected(pattern, 0, content, wanted)


@pytest.mark.parametrize("pattern", ["needle", r"needle\s+in", r"\w+le in", "n[^x]*?in"])
def test_early_needles_end_the_scan_early(
    runner: asyncio.Runner, matching: Matching, pattern: str
) -> None:
    """The hits are returned long before the file ends, the first one or as many as wanted."""
    chunk = b"hay, hay, hay xx\n" * 5_000

    async def main(wanted: Wanted, needles: int) -> Hits | None:
        search = matching.matcher(compile_pattern(pattern, PLAIN), wanted)
        async with search.scanner() as scanner:
            return await scanner.feed(b"a needle in the\n" * needles + chunk) or (
                await scanner.feed(chunk)
            )

    first = runner.run(main(FIRST, 1))
    assert first is not None
    assert (len(first.hits), first.more) == (1, None)
    three = runner.run(main(Wanted(max_count=3), 4))
    assert three is not None
    assert ([hit.line for hit in three.hits], three.more) == ([1, 2, 3], True)
    assert runner.run(main(Wanted(max_count=3), 3)) is None  # there may be a fourth


def test_a_match_is_found_up_to_the_length_of_the_overlap(
    runner: asyncio.Runner, matching: Matching
) -> None:
    """A file of up to 8 MiB is one text; in a larger one, a match of 8 MiB is found anywhere."""
    compiled = compile_pattern("(?s)<.*>", PLAIN)
    size = 8 << 20
    found = runner.run(scan(matching, compiled, [b"<" + b"x" * (size - 2) + b">"]))
    assert found == Hits((Hit(1, 1, 1, size + 1, "<" + "x" * 299, 0, 300, cut=True),))
    content = b"\n" * (5 << 20) + b"<" + b"y" * (size - 2) + b">" + b"\n" * (6 << 20)
    line = (5 << 20) + 1
    hit = Hit(line, 1, line, size + 1, "<" + "y" * 299, 0, 300, cut=True)
    for wanted, more in ((FIRST, None), (ALL, False)):
        found = runner.run(scan(matching, compiled, cut(content, 1 << 20), wanted))
        assert found == Hits((hit,), more)


def test_the_windows_end_is_not_the_texts_end(
    runner: asyncio.Runner,
) -> None:
    """An anchor for the end of the text does not match at the end of a window."""
    matching = Matching(sizes=Sizes(overlap_bytes=8, first_bytes=1, line_characters=3))
    chunks = cut(b"a" * 200 + b"b", 3)
    assert runner.run(scan(matching, compile_pattern(r"a[^b]*\Z", PLAIN), chunks)) is None
    for pattern in (r"(a)[^b]*\Z(?<=\1)", r"a(?=[^b]*\Z)(?!b)", r"(?>[^b]*)\Z"):
        with pytest.raises(PatternTimeoutError):
            runner.run(scan(matching, compile_pattern(pattern, PLAIN), chunks))
    runner.run(matching.close())


def test_every_letter_matches_itself_in_every_chunking(
    runner: asyncio.Runner, matching: Matching
) -> None:
    """A character that is split between chunks is joined again."""
    content = LETTERS.encode()
    for letter in LETTERS:
        compiled = compile_pattern(letter, Flags(fixed_string=True))
        found = runner.run(scan(matching, compiled, cut(content, 1), ALL))
        assert found == expected(re.escape(letter), 0, content, ALL)


def test_a_byte_order_mark_is_not_part_of_the_text(
    runner: asyncio.Runner, matching: Matching
) -> None:
    """`^` matches line 1 after the mark, and columns count from there."""
    compiled = compile_pattern("^import é", PLAIN)
    hit = Hit(1, 1, 1, 9, "import é", 0, 8, cut=False)
    for encoding in ("utf-8-sig", "utf-16"):
        content = "import é".encode(encoding)
        assert runner.run(matching.matcher(compiled).search(content)) == Hits((hit,))
        for size in (1, 2, 5, 100):
            assert runner.run(scan(matching, compiled, cut(content, size))) == Hits((hit,))


def test_scans_are_observed(runner: asyncio.Runner) -> None:
    """Each finished text is one event, with the engine that searched it."""
    events: list[Event] = []
    matching = Matching(observe=events.append)
    runner.run(scan(matching, compile_pattern("b", PLAIN), [b"a", b"b"]))
    runner.run(matching.matcher(compile_pattern(r"(a)\1", PLAIN)).search_many([b"abc"]))
    runner.run(matching.close())
    scans = [(e.engine, e.size_bytes) for e in events if isinstance(e, FileScanned)]
    assert scans == [("re2", 2), ("re", 3)]
