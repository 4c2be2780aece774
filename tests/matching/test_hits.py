"""The fields of a hit, compared with values written by hand, and the cost of all hits of a text."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Sequence

import pytest

from gistapi.matching import Matching, Wanted, compile_pattern
from gistapi.matching.collector import Collector
from gistapi.matching.matcher import INLINE_HITS
from gistapi.matching.window import Window
from gistapi.matching.worker import Span
from gistapi.models import Flags, Hit, Hits
from tests.aio.looping import run

LONG = "x" * 1_000_000
AROUND = Wanted(max_count=1000, context=1)


@pytest.mark.parametrize(
    ("pattern", "text", "hits"),
    [
        (
            "import",
            "a\r\nimport b\r\nc\r\n",
            [Hit(2, 1, 2, 7, "import b", 0, 6, cut=False, before=("a",), after=("c",))],
        ),
        ("b", "a\rb\rc\nd", [Hit(1, 3, 1, 4, "a\rb\rc", 2, 3, cut=False, after=("d",))]),
        (
            "b\n",
            "a\nb\nc\n",
            [Hit(2, 1, 3, 1, "b", 0, 1, cut=False, before=("a",), after=("c",))],
        ),
        (
            r"b\r?\nc",
            "a\r\nb\r\nc\r\nd",
            [Hit(2, 1, 3, 2, "b\r\nc", 0, 4, cut=False, before=("a",), after=("d",))],
        ),
        ("$", "a", [Hit(1, 2, 1, 2, "a", 1, 1, cut=False)]),
        (
            "$",
            "a\n",
            [
                Hit(1, 2, 1, 2, "a", 1, 1, cut=False),
                Hit(2, 1, 2, 1, "", 0, 0, cut=False, before=("a",)),
            ],
        ),
        ("x*$", "", [Hit(1, 1, 1, 1, "", 0, 0, cut=False)]),
        (
            "é|b",
            "aéb",
            [
                Hit(1, 2, 1, 3, "aéb", 1, 2, cut=False),
                Hit(1, 3, 1, 4, "aéb", 2, 3, cut=False),
            ],
        ),
        (
            "y",
            f"{LONG}y{LONG}\n{LONG}",
            [
                Hit(
                    *(1, 1_000_001, 1, 1_000_002),
                    "x" * 100 + "y" + "x" * 199,
                    *(100, 101),
                    cut=True,
                    after=("x" * 300,),
                )
            ],
        ),
        ("(?s)y.*y", f"y{LONG}y", [Hit(1, 1, 1, 1_000_003, "y" + "x" * 299, 0, 300, cut=True)]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_hits_have_positions_and_lines(
    pattern: str, text: str, hits: list[Hit], encoding: str
) -> None:
    """Lines, columns, text, offsets and context are right in any encoding."""

    async def main() -> None:
        matching = Matching(pattern_timeout_seconds=60)
        matcher = matching.matcher(compile_pattern(pattern, Flags()), AROUND)
        expected = Hits(tuple(hits), more=False)
        content = text.encode(encoding)
        assert await matcher.search(content) == expected
        async with matcher.scanner() as scanner:
            for start in range(0, len(content), 1 + len(content) // 7):
                assert await scanner.feed(content[start : start + 1 + len(content) // 7]) is None
            assert await scanner.finish() == expected
        await matching.close()

    run(main(), jumping=False)


@pytest.mark.parametrize("pattern", [".", "x*", "|x", r"\b", "a??", "^|a", "(?=a)"])
def test_a_pattern_that_matches_everywhere_stops_early(pattern: str) -> None:
    """The first chunks of a file of 100 MiB have a thousand matches."""
    chunk = b"a b\n" * (1 << 14)

    async def main() -> int:
        matching = Matching(pattern_timeout_seconds=60)
        flags = Flags(multiline=True)
        search = matching.matcher(
            compile_pattern(pattern, flags), Wanted(max_count=1000, context=3)
        )
        found, chunks = None, 0
        async with search.scanner() as scanner:
            while found is None:
                found = await scanner.feed(chunk)
                chunks += 1
        assert (len(found.hits), found.more) == (1000, True)
        assert matching.budget._held == {}
        await matching.close()
        return chunks

    assert run(main(), jumping=False) <= 4


def test_slow_matches_end_with_those_found() -> None:
    """If finding the next match takes too long, `more` is set; other searches run meanwhile."""

    async def main() -> None:
        matching = Matching(pattern_timeout_seconds=0.5)
        slow = matching.matcher(compile_pattern("(?s)a.*zz|a", Flags()), AROUND)
        task = asyncio.create_task(slow.search(b"a" * (1 << 20)))
        others = 0
        while not task.done():
            other = matching.matcher(compile_pattern("(?i)needle", Flags()))
            assert await other.search(b"hay" * 100_000 + b"Needle") is not None
            others += 1
        found = task.result()
        assert isinstance(found, Hits)
        assert 1 <= len(found.hits) <= 1000
        assert found.more
        assert others > 0
        await matching.close()

    run(main(), jumping=False)


def test_matches_share_lines() -> None:
    """A line is in memory once, however many matches have it as text or context."""
    text = "".join(f"{number} needle\n" for number in range(100)).encode()

    async def main() -> Hits | None:
        matching = Matching(pattern_timeout_seconds=60)
        wanted = Wanted(max_count=100, context=10)
        matcher = matching.matcher(compile_pattern("needle", Flags()), wanted)
        async with matcher.scanner() as scanner:
            found = await scanner.feed(text) or await scanner.finish()
        assert await matcher.search(text) == found
        await matching.close()
        return found

    found = run(main(), jumping=False)
    assert found is not None
    shown = [line for hit in found.hits for line in (*hit.before, hit.text, *hit.after)]
    assert len(shown) > 1900
    assert len({id(line) for line in shown}) == 100


@pytest.mark.parametrize("pattern", ["a", "a(?=b)", r"(a)(?!\1)"], ids=["re2", "re", "worker"])
def test_the_loop_looks_up_few_matches_at_once(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 matches with the lines around them take 15 ms, so a thread looks them up."""
    loop = threading.get_ident()
    at_once: list[tuple[bool, int]] = []
    add = Collector.add

    def counting(collector: Collector, spans: Sequence[Span]) -> None:
        at_once.append((threading.get_ident() == loop, len(spans)))
        add(collector, spans)

    monkeypatch.setattr(Collector, "add", counting)

    async def main() -> None:
        matching = Matching(pattern_timeout_seconds=60)
        wanted = Wanted(max_count=1000, context=10)
        matcher = matching.matcher(compile_pattern(pattern, Flags()), wanted)
        found = await matcher.search_many([b"ab\n" * 900, b"ab\n" * 10])
        assert [len(hits.hits) for hits in found if isinstance(hits, Hits)] == [900, 10]
        assert sum(count for _, count in at_once) == 910
        assert max(count for is_loops, count in at_once if is_loops) <= INLINE_HITS
        await matching.close()

    run(main(), jumping=False)


def test_each_line_around_matches_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 21 lines that a match shows, 20 were shown by the one before."""
    read: list[bytes] = []
    line = Window.line

    def counting(window: Window, raw: bytes, *, ended: bool) -> str:
        read.append(raw)
        return line(window, raw, ended=ended)

    monkeypatch.setattr(Window, "line", counting)
    collector = Collector(Wanted(max_count=1000, context=10), 300)
    lines = [f"a{number}" for number in range(1000)]
    text = "\n".join(lines).encode()
    collector.window.data += text
    collector.add([match.span() for match in re.finditer(rb"a", text)])
    hits = collector.finish()
    assert hits is not None
    for number, hit in enumerate(hits.hits):
        assert hit.before == tuple(lines[max(0, number - 10) : number])
        assert hit.after == tuple(lines[number + 1 : number + 11])
    assert len(read) < 1500
