"""However the bytes arrive, and however little of them is held: the answer stays the same."""

from __future__ import annotations

import codecs
import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from gistapi.errors import PatternTimeoutError
from gistapi.events import Event, FileScanned, WorkerKilled
from gistapi.matching import CompiledPattern, Matching, Sizes, compile_pattern
from gistapi.matching.decoding import Utf8Stream, to_utf8
from gistapi.models import Flags, Hit
from tests.matching import reference
from tests.matching.grammar import FLAGS, LETTERS, patterns, texts_for

PLAIN = Flags()
WRONG = [b"\xff", b"\xe2\x82", b"\xf0\x9f", b"\x80", b"\xed\xa0\x80", b"\xc3"]


async def scan(
    matching: Matching, pattern: CompiledPattern, chunks: Sequence[bytes], wanted: Wanted = FIRST
) -> Hits | None:
    """Feed the chunks as a download does, stopping at the end of the hits that are wanted."""
    async with matching.matcher(pattern, wanted).scanner() as scanner:
        for chunk in chunks:
            found = await scanner.feed(chunk)
            if found is not None:
                return found
        return await scanner.finish()


def cut(content: bytes, size: int) -> list[bytes]:
    """The content in chunks of one size."""
    return [content[start : start + size] for start in range(0, len(content), size)]


def expected(pattern: str, flags: int, content: bytes, shown: int = 300) -> Hit | None:
    """What the contract says."""
    text = reference.decode(content)
    start = reference.python_start(reference.python_compile(pattern, flags), text)
    return None if start is None else reference.hit(text, start, shown)


def encoded(draw: DataObject, text: str) -> bytes:
    """The text as a file may hold it: UTF-8, with wrong bytes, or UTF-16."""
    how = draw.draw(st.sampled_from(["utf-8", "utf-8", "wrong", "utf-16"]))
    if how == "utf-16":
        order = draw.draw(st.sampled_from(["le", "be"]))
        mark = codecs.BOM_UTF16_LE if order == "le" else codecs.BOM_UTF16_BE
        return mark + text.encode(f"utf-16-{order}") + draw.draw(st.binary(max_size=1))
    content = text.encode()
    if how == "wrong":
        at = draw.draw(st.integers(0, len(content)))
        content = content[:at] + draw.draw(st.sampled_from(WRONG)) + content[at:]
    return content


def test_every_chunking_gives_the_same_answer(matching: Matching) -> None:
    """Whole, byte by byte, in any two or three parts: `re.search` on the whole text."""
    seen: Counter[str] = Counter()
    sizes = Sizes(overlap_bytes=1 << 20, first_bytes=1, line_characters=5)
    small = Matching(sizes=sizes)

    @given(pattern=patterns(), flags=st.sampled_from(FLAGS), data=st.data())
    def check(pattern: str, flags: int, data: DataObject) -> None:
        compiled = compile_pattern(pattern, _flags(flags))
        text = "".join(data.draw(texts_for(pattern, 2, most=20)))
        content = encoded(data, text)
        points = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=3)))
        parts = [content[a:b] for a, b in itertools.pairwise([0, *points, len(content)])]
        wanted = expected(pattern, flags, content, shown=5)
        for chunks in ([content], cut(content, 1), parts):
            assert scan(small, compiled, chunks) == wanted, (pattern, flags, chunks)
        assert scan(matching, compiled, parts) == expected(pattern, flags, content)
        seen["cases"] += 1
        seen["match"] += wanted is not None

    try:
        check()
    finally:
        small.close()
    assert seen["match"] >= 0.3 * seen["cases"]


def test_tiny_windows_lose_no_short_match() -> None:
    """With windows of a few bytes: no false hit, no lost match that fits; else a gap is told."""
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
        compiled = compile_pattern(pattern, _flags(flags))
        found = reference.python_compile(pattern, flags).search(text)
        try:
            hit = scan(matching, compiled, chunks)
        except PatternTimeoutError:
            seen["gap"] += 1
            return
        finally:
            matching.close()
        seen["match" if hit else "none"] += 1
        if found is None:
            assert hit is None, (pattern, flags, chunks, overlap)
        elif len(found[0].encode()) <= overlap and not compiled.needs_whole_text:
            assert hit is not None, (pattern, flags, chunks, overlap)

    check()
    assert seen["match"] >= 0.3 * seen.total()
    assert seen["gap"] <= 0.3 * seen.total()
    assert WorkerKilled("died") not in events  # a fault of ours must not pass for a gap


@pytest.mark.parametrize("pattern", [r"(q)\1", "(?<=日)q(?!日)", r"(日|q+)\1日"])
def test_a_window_moves_by_whole_characters(pattern: str) -> None:
    """Wherever in a character a limit falls, Python's own engine goes on at a character."""
    events: list[Event] = []
    matching = Matching(sizes=Sizes(16, 1, line_characters=1), observe=events.append)
    compiled = compile_pattern(pattern, PLAIN)
    for lead in range(4):
        content = ("." * lead + "日é𐐀" * 30 + "日qq日日").encode()
        for size in (1, 2, 3, 5):
            hit = scan(matching, compiled, cut(content, size))
            assert hit == expected(pattern, 0, content, shown=1)
    matching.close()
    assert all(isinstance(event, FileScanned) for event in events)


def _flags(flags: int) -> Flags:
    return Flags(bool(flags & 2), bool(flags & 8), bool(flags & 16))


@given(st.binary(max_size=40), st.integers(1, 5), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff"]))
def test_decoding_is_pythons(body: bytes, size: int, mark: bytes) -> None:
    """Any bytes in any chunks decode as the whole does."""
    content = mark + body
    stream = Utf8Stream()
    text = b"".join(stream.feed(chunk) for chunk in cut(content, size)) + stream.finish()
    assert text.decode() == reference.decode(content)
    assert to_utf8(content) == text


@pytest.mark.parametrize("size", [1, 7, 1000, 65_536, 1 << 22])
@pytest.mark.parametrize(
    "pattern", ["needle", r"n\w+\s+x", r"(?<=q)needle", r"\bneedle\b", r"(?m)^qneedle", r"(e)\1dle"]
)
def test_a_match_far_inside_is_placed(matching: Matching, pattern: str, size: int) -> None:
    """Line, column and text are right though the window moved long ago, on long lines too."""
    head = ("é" * 50 + "\n") * 1_500 + "z" * 2_000
    text = head + "qneedle   x" + "é" * 1_000 + "\n" + "tail\n" * 30_000
    content = text.encode()
    if size < 1_000:
        content = content[-(150_000 + 2_000 + 2_200 + 100) :]
    assert scan(matching, compile_pattern(pattern, PLAIN), cut(content, size)) == expected(
        pattern, 0, content
    )


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
def test_more_text_can_undo_a_hit(matching: Matching, pattern: str, text: str) -> None:
    """What matches at the edge of what has come is not told before more has."""
    compiled = compile_pattern(pattern, PLAIN)
    for length in range(1, len(text) + 1):
        content = text[:length].encode()
        assert scan(matching, compiled, cut(content, 1)) == expected(pattern, 0, content)


@pytest.mark.parametrize("pattern", ["needle", r"needle\s+in", r"\w+le in", "n[^x]*?in"])
def test_an_early_needle_ends_the_scan_early(matching: Matching, pattern: str) -> None:
    """The hit is told long before the file ends."""
    chunk = b"hay and hay again xx\n" * 5_000
    with matching.matcher(compile_pattern(pattern, PLAIN)).scanner(Deadline(60)) as scanner:
        assert scanner.feed(b"a needle in the\n" + chunk) or scanner.feed(chunk)


def test_a_match_longer_than_the_file_allows_is_found_up_to_the_overlap(matching: Matching) -> None:
    """A file of up to 8 MiB is one text; beyond, a match of 8 MiB is found wherever it lies."""
    compiled = compile_pattern("(?s)<.*>", PLAIN)
    assert scan(matching, compiled, [b"<" + b"x" * ((8 << 20) - 2) + b">"]) == Hit(
        1, 1, "<" + "x" * 299
    )
    content = b"\n" * (5 << 20) + b"<" + b"y" * ((8 << 20) - 2) + b">" + b"\n" * (6 << 20)
    hit = scan(matching, compiled, cut(content, 1 << 20))
    assert hit == Hit((5 << 20) + 1, 1, "<" + "y" * 299)


def test_a_hit_at_the_windows_end_is_never_told_for_the_texts_end() -> None:
    """In a text beyond the window, its end is not taken for the text's by an anchor."""
    matching = Matching(sizes=Sizes(overlap_bytes=8, first_bytes=1, line_characters=3))
    content = b"a" * 200 + b"b"
    assert scan(matching, compile_pattern(r"a[^b]*\Z", PLAIN), cut(content, 3)) is None
    for pattern in (r"(a)[^b]*\Z(?<=\1)", r"a(?=[^b]*\Z)(?!b)", r"(?>[^b]*)\Z"):
        with pytest.raises(PatternTimeoutError):
            scan(matching, compile_pattern(pattern, PLAIN), cut(content, 3))
    matching.close()


def test_every_letter_matches_itself_in_every_chunking(matching: Matching) -> None:
    """A character that is cut by a chunk is put together again."""
    content = LETTERS.encode()
    for letter in LETTERS:
        compiled = compile_pattern(letter, Flags(fixed_string=True))
        assert scan(matching, compiled, cut(content, 1)) == reference.hit(
            LETTERS, LETTERS.find(letter)
        )


def test_scans_are_told() -> None:
    """Each finished text is one event, with the engine that did it."""
    events: list[Event] = []
    matching = Matching(observe=events.append)
    scan(matching, compile_pattern("b", PLAIN), [b"a", b"b"])
    matching.matcher(compile_pattern(r"(a)\1", PLAIN)).search_many([b"abc"], Deadline(60))
    matching.close()
    scans = [(e.engine, e.size_bytes, e.matched) for e in events if isinstance(e, FileScanned)]
    assert scans == [("re2", 2, True), ("re", 3, False)]


def test_the_deadline_ends_a_scan(matching: Matching) -> None:
    """A passed deadline and a cancelled search are told from a pattern that is too slow."""
    matcher = matching.matcher(compile_pattern("x", PLAIN))
    with matcher.scanner(Deadline(0)) as scanner, pytest.raises(DeadlineError):
        scanner.feed(b"abc")
    deadline = Deadline(60)
    deadline.cancel()
    with matcher.scanner(deadline) as scanner, pytest.raises(CancelledError):
        scanner.feed(b"abc")
