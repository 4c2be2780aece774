"""A process that searches for its parent and may be killed at any time.

Run as a program, with nothing but the standard library (and RE2 when first asked for it), so that
it starts in some 20 ms and stays near 10 MB. Its parent sends work on standard input and reads the
answers from standard output; both are marshal in length-prefixed frames, the texts follow raw.

It first writes READY. A request is
`(engine, source, marks, flags, word, patience, limit, [(size, task), …])` with a task of
`(start, end, stop, count, after_empty)`, see `found`; offsets count bytes of UTF-8. After
`patience` seconds of processor time the worker stops what it does and answers with what it has;
after `limit` seconds its parent is going to kill it.

An answer is `(answers, interrupted)`: a list of spans for each text, or a str that says why there
is none. It can be shorter than what was asked: the rest was not searched, and the first of the
rest was being searched if `interrupted`.
"""

from __future__ import annotations

import functools
import itertools
import marshal
import re
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any, BinaryIO

RE = "re"
RE2 = "re2"
LENGTH = struct.Struct("<Q")
READY = b"r"
GRACE_SECONDS = 1.0
"""How long after its limit a worker ends itself, if its parent has not killed it."""
MEMORY_BYTES = 160 << 20
"""What `re` may allocate: backtracking over megabytes keeps every step in memory."""

Tree = Any  # re._parser.SubPattern
Re2Pattern = Any
Text = Any  # bytes, bytearray or memoryview
Span = tuple[int, int]
Task = tuple[int, int, int, int, bool]
Answer = list[Span] | str
Spans = Callable[[Any, int, int, bool], Iterator[Span]]


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


def compile_re2(source: str, *, marks: bool = False) -> Re2Pattern:
    """Compile RE2's syntax without log lines or a cache; raises `re2.error`.

    Captures are slow: only with `marks` are groups more than brackets.
    """
    import re2  # noqa: PLC0415 - most workers never need it

    options = re2.Options()
    options.never_capture = not marks
    options.log_errors = False
    compiled = re2.compile(source.encode(), options)
    re2.purge()  # its cache would keep 128 strangers' patterns, some megabytes each
    return compiled


@functools.lru_cache(maxsize=4)
def searcher(engine: str, source: str, marks: bool, flags: int, word: bool) -> Spans:  # noqa: FBT001
    """A function that yields the pattern's matches, given (UTF-8 text, start, end, after_empty)."""
    if engine == RE2:
        marked = compile_re2(source, marks=True) if marks else None
        return functools.partial(spans_re2, compile_re2(source), marked)
    return functools.partial(_spans_re, compile_tree(parse(source, flags, word=word), flags))


def spans_re2(
    compiled: Re2Pattern,
    marked: Re2Pattern | None,
    text: Text,
    start: int,
    end: int,
    skip: bool,  # noqa: FBT001
) -> Iterator[Span]:
    """The matches between two offsets as `re.finditer` has them; `skip` as `after_empty`.

    `marked` is the pattern with empty groups that mark where a match ends if RE2 consumes more. A
    pattern that prefers an empty match to a longer one at the same place must not be searched.
    """
    while True:
        if skip:
            start += 1
            while start < end and text[start] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a character
                start += 1
        if start > end or (found := compiled.search(text, start, end)) is None:
            return
        first, last = found.span() if marked is None else marked_span(marked, text, found, end)
        yield first, last
        start, skip = last, first == last


def marked_span(marked: Re2Pattern, text: Text, found: Any, end: int) -> Span:  # noqa: ANN401 - RE2's
    """The span of a match, which ends at the first of the marks that it passes."""
    first, last = found.span()
    found = marked.search(text, first, end)
    places = [found.start(group) for group in range(1, marked.groups + 1)]
    return first, min((place for place in places if place >= 0), default=last)


def _spans_re(
    compiled: re.Pattern[str],
    text: Text,
    start: int,
    end: int,
    skip: bool,  # noqa: FBT001
) -> Iterator[Span]:
    """As `spans_re2`, by Python's `re`, which takes `end` for the text's end."""
    whole = str(text[:end], "utf-8")
    ascii_only = len(whole) == end
    at = start if ascii_only else len(str(text[:start], "utf-8"))  # in characters, as `start`
    for found in compiled.finditer(whole, at):
        if skip and found.end() == at:
            skip = False  # the empty match there, which is known
            continue
        if ascii_only:
            yield found.span()
            continue
        first = start + len(whole[at : found.start()].encode())
        start, at = first + len(found[0].encode()), found.end()
        yield first, start


def found(spans: Spans, text: Text, task: Task) -> list[Span]:
    """The first `count` matches in `text[:end]` that begin at `start` or later and before `stop`.

    `after_empty`: an empty match at `start` is known already.
    """
    start, end, stop, count, after_empty = task
    own = itertools.islice(spans(text, start, end, after_empty), count)
    return list(itertools.takewhile(lambda span: span[0] < stop, own))


class Interrupted(Exception):  # noqa: N818 - no error
    """The processor time that a request may take is over."""


_armed = False


def _interrupt(_signal: int, _frame: object) -> None:
    if _armed:
        raise Interrupted


def answer(request: tuple[Any, ...], texts: list[Text]) -> tuple[list[Answer], bool]:
    """Search the texts one by one until all are done or the time is over.

    `re` looks for signals while it searches; RE2 doesn't, so it is not interrupted.
    """
    global _armed  # noqa: PLW0603 - a signal handler has no other way to know
    *key, patience, _, tasks = request
    answers: list[Answer] = []
    try:
        _armed = key[0] == RE
        signal.setitimer(signal.ITIMER_PROF, patience)
        for text, (_, task) in zip(texts, tasks, strict=True):
            try:
                answers.append(found(searcher(*key), text, task))
            except MemoryError:
                answers.append("The pattern needs too much memory on this text.")
            except SystemError:  # 3.13.0 reports a bug of its own for some possessive repeats
                answers.append("Python's engine fails on this text.")
        _armed = False  # from here on the handler raises nothing
    except Interrupted:
        return answers, True
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return answers, False


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Report that this process has started, then answer until the parent closes the pipe."""
    answers.write(READY)
    answers.flush()
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        request = marshal.loads(requests.read(*LENGTH.unpack(head)))  # noqa: S302 - our parent's
        texts = [requests.read(size) for size, _ in request[-1]]
        # A parent that died can't kill us, and no Python code runs inside a search of RE2.
        signal.setitimer(signal.ITIMER_REAL, request[-2] + GRACE_SECONDS)
        body = marshal.dumps(answer(request, texts))
        signal.setitimer(signal.ITIMER_REAL, 0)
        del request, texts
        answers.write(LENGTH.pack(len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, _interrupt)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    serve(sys.stdin.buffer, sys.stdout.buffer)
