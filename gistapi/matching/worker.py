"""A process that searches for its parent and may be killed at any moment.

Run as a program, with nothing but the standard library (and RE2 when first asked for it), so that
it starts in some 20 ms and stays near 10 MB. Its parent sends work on standard input and reads the
answers from standard output; both are marshal in length-prefixed frames, the texts follow raw.

A request is `(engine, source, flags, word, patience, limit, [(size, start, end), …])`:
`patience` in seconds is when the worker stops to answer what it has, `limit` when its parent is
going to kill it; offsets count bytes of UTF-8.
An answer is a list with one `(start, end)` for a hit, None for no match, or a str for a failure;
it can be shorter than what was asked: the rest was not searched. `end` is -1 where unknown.
"""

from __future__ import annotations

import functools
import marshal
import re
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any, BinaryIO

RE = "re"
RE2 = "re2"
LENGTH = struct.Struct("<Q")
GRACE_SECONDS = 1.0
"""How much longer than asked a worker lives when nobody is left to kill it."""
MEMORY_BYTES = 160 << 20
"""What `re` may allocate: backtracking over megabytes keeps its whole way in memory."""

Tree = Any  # re._parser.SubPattern
Re2Pattern = Any
Text = Any  # bytes, bytearray or memoryview
Answer = tuple[int, int] | str | None
Search = Callable[[Any, int, int], Answer]


def parse(pattern: str, flags: int, *, word: bool) -> Tree:
    """The tree that `re` would compile (`re._parser.SubPattern`); `word` wraps it as grep's -w.

    Wrapping the tree and not the text keeps global flags, comments and unbalanced parentheses
    what they are. Raises what `re._parser` raises.
    """
    tree = _parser.parse(pattern, flags)
    if word:
        edge = [(_constants.IN, [(_constants.CATEGORY, _constants.CATEGORY_WORD)])]
        wrapped = _parser.SubPattern(tree.state)
        wrapped.append((_constants.ASSERT_NOT, (-1, _parser.SubPattern(tree.state, edge))))
        wrapped.append((_constants.SUBPATTERN, (None, 0, 0, tree)))
        wrapped.append((_constants.ASSERT_NOT, (1, _parser.SubPattern(tree.state, edge))))
        tree = wrapped
    return tree


def compile_tree(tree: Tree, flags: int) -> re.Pattern[str]:
    """Compile a parse tree as `re.compile` does its own."""
    compiled: re.Pattern[str] = _compiler.compile(tree, flags)
    return compiled


def compile_re2(source: str) -> Re2Pattern:
    """Compile RE2's syntax without captures, log lines or a cache; raises `re2.error`."""
    import re2  # noqa: PLC0415 - most workers never need it

    options = re2.Options()
    options.never_capture = True
    options.log_errors = False
    compiled = re2.compile(source.encode(), options)
    re2.purge()  # its cache would keep 128 strangers' patterns, some megabytes each
    return compiled


@functools.lru_cache(maxsize=4)
def searcher(engine: str, source: str, flags: int, word: bool) -> Search:  # noqa: FBT001
    """A function of (UTF-8 text, start, end) for this pattern."""
    if engine == RE2:
        return functools.partial(_search_re2, compile_re2(source))
    compiled = compile_tree(parse(source, flags, word=word), flags)
    return functools.partial(_search_re, compiled)


def _search_re2(compiled: Re2Pattern, text: Text, start: int, end: int) -> Answer:
    found = compiled.search(text, start, end)
    return None if found is None else found.span()


def _search_re(compiled: re.Pattern[str], text: Text, start: int, end: int) -> Answer:
    """As `_search_re2`; `end` is always the text's, as `re` has no edge it doesn't see."""
    whole = str(text[:end], "utf-8")
    ascii_only = len(whole) == end
    offset = start if ascii_only else len(str(text[:start], "utf-8"))
    found = compiled.search(whole, offset)
    if found is None or ascii_only:
        return None if found is None else found.span()
    before = start + len(whole[offset : found.start()].encode())
    return before, before + len(found[0].encode())


def answer(request: tuple[Any, ...], texts: list[Text]) -> list[Answer]:
    """Search the texts one by one until done or out of patience."""
    engine, source, flags, word, patience, _, spans = request
    began = time.monotonic()
    answers: list[Answer] = []
    for text, (_, start, end) in zip(texts, spans, strict=True):
        try:
            answers.append(searcher(engine, source, flags, word)(text, start, end))
        except MemoryError:
            answers.append("the pattern needs too much memory on this text")
        except SystemError:  # 3.13.0 reports a bug of its own for some possessive repeats
            answers.append("Python's engine fails on this text")
        if time.monotonic() - began > patience:
            break
    return answers


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the parent closes its end."""
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        request = marshal.loads(requests.read(*LENGTH.unpack(head)))  # noqa: S302 - our parent's
        texts = [requests.read(size) for size, _, _ in request[-1]]
        # A parent that died can't kill us, and no Python code runs inside a search.
        signal.setitimer(signal.ITIMER_REAL, request[5] + GRACE_SECONDS)
        body = marshal.dumps(answer(request, texts))
        signal.setitimer(signal.ITIMER_REAL, 0)
        del request, texts
        answers.write(LENGTH.pack(len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    serve(sys.stdin.buffer, sys.stdout.buffer)
