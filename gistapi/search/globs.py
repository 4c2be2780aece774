r"""Globs of file names, as ripgrep's `-g` reads them, matched in bounded time.

The syntax is that of ripgrep 15 (its crates `ignore` and `globset`): `*`, `?`, `[a-z]`, `[!a]`,
`[^a]`, `{a,b{c,d}}`, `**/`, a backslash before a literal character; a leading `!` excludes, a
leading `#` begins a comment, a trailing `/` names folders. As there, `?` and a class match one byte
of UTF-8. File names of gists have no `/`: a glob that needs one matches nothing.

Why no library: docs/decisions/globs.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gistapi.errors import InvalidGlobError

MAX_GLOBS = 100
MAX_SIZE = 4096
"""Bytes in all globs of a list together, with the alternatives in braces written out."""

_MAX_SHOWN = 60
_MAX_WORK = 4 * MAX_SIZE  # nested braces copy their alternatives once for each level
_STAR = -1  # every other item is a set of bytes: bit N stands for byte N
_ANY = (1 << 256) - 1 - (1 << ord("/"))
_TOKEN = re.compile(
    r"""
      \[ (?P<negated>[!^]?+) (?P<members> \][^\]]* | [^\]]+ ) \]
    | \\ (?P<escaped>.)
    | (?P<stars> \*\*/? )
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and c not in "\x1c\x1d\x1e\x1f")
_UNPAIRED = {
    "[": "has a [ without a ]",
    "{": "has a { without a }",
    "}": "has a } without a {",
    "\\": "ends with a backslash",
}


class Globs:
    """A list of globs, of which the last one that matches a name decides.

    All alternatives of all globs form one bit-parallel automaton (R. Baeza-Yates, G. H. Gonnet, "A
    new approach to text searching", 1992): a name of N bytes takes N steps of a few operations on
    integers of MAX_SIZE bits, whatever the globs and the name are.

    Raises InvalidGlobError if a glob is malformed or the list is too long.
    """

    def __init__(self, globs: Sequence[str]) -> None:
        if len(globs) > MAX_GLOBS:
            raise InvalidGlobError(f"There may be at most {MAX_GLOBS} globs.")
        if sum(map(len, globs)) > MAX_SIZE:
            raise InvalidGlobError(f"The globs may have at most {MAX_SIZE:,} characters in all.")
        self._starts = self._loops = self._ends = self._included = 0
        self._leads_to: dict[int, int] = {}  # a set of bytes: the positions behind it
        self._steps: list[int | None] = [None] * 256
        self._includes_others = True
        at = 0
        for glob in globs:
            line = glob if glob.endswith("\\ ") else glob.rstrip(_SPACES)
            if not line or line.startswith("#"):
                continue
            includes = not line.startswith("!")
            self._includes_others &= not includes
            alternatives = _alternatives(line.removeprefix("!"))
            if at + sum(map(len, alternatives)) + len(alternatives) > MAX_SIZE:
                raise InvalidGlobError(
                    f"The globs may have at most {MAX_SIZE:,} bytes, braces written out."
                )
            for items in alternatives:
                at = self._append(items, at, includes=includes)

    def match(self, name: str) -> bool:
        """Whether the globs select this name; one that none matches, if all of them exclude."""
        state = self._starts
        for byte in _encoded(name):
            step = self._steps[byte]
            if step is None:
                step = self._steps[byte] = self._step(byte)
            state = state << 1 & step | state & self._loops
            if not state:
                return self._includes_others
        ends = state & self._ends
        if not ends:
            return self._includes_others
        return bool(self._included >> ends.bit_length() - 1 & 1)

    def _append(self, items: Sequence[int], at: int, *, includes: bool) -> int:
        """Add an alternative at position `at`; returns the first position after it."""
        self._starts |= 1 << at
        for item in items:
            if item == _STAR:
                self._loops |= 1 << at
            else:
                at += 1
                self._leads_to[item] = self._leads_to.get(item, 0) | 1 << at
        self._ends |= 1 << at
        self._included |= includes << at
        return at + 1

    def _step(self, byte: int) -> int:
        """All positions behind this byte."""
        step = 0
        for item, positions in self._leads_to.items():
            if item >> byte & 1:
                step |= positions
        return step


class _Branch:
    """The progress of one alternative that is being read."""

    def __init__(self) -> None:
        self.variants: list[list[int]] = [[]]
        self.has_tokens = False
        self.is_empty = True  # also with `{}`, which is a token and adds nothing
        self.ends_in_prefix = False


class _Parser:
    """Reads one glob without its `!`."""

    def __init__(self, glob: str) -> None:
        self._glob = glob
        self._work = 0
        self._groups = [[_Branch()]]  # the open ones, each with its branches so far

    def parse(self) -> list[list[int]]:
        """Return all alternatives; raises InvalidGlobError if it is malformed or has too many."""
        at = 0
        while at < len(self._glob):
            token = _TOKEN.match(self._glob, at)
            assert token is not None  # noqa: S101 - it matches any character
            at = token.end()
            if token["members"]:
                self._add([[self._set(token["members"], negated=bool(token["negated"]))]])
            elif token["escaped"]:
                self._add([_literal(token["escaped"])])
            elif token["stars"] and not self._is_prefix(token["stars"], self._glob[at : at + 1]):
                at = token.start() + 2
                self._add([[_STAR]])
            elif token["other"]:
                self._take(token["other"])
        if len(self._groups) > 1:
            raise self._error(_UNPAIRED["{"])
        return self._groups[0][0].variants

    def _take(self, char: str) -> None:
        in_group = len(self._groups) > 1
        if char in "*?":
            self._add([[_STAR if char == "*" else _ANY]])
        elif char == "{":
            self._groups.append([_Branch()])
        elif char == "," and in_group:
            self._groups[-1].append(_Branch())
        elif char == "}" and in_group:
            branches = self._groups.pop()
            self._add([v for branch in branches if not branch.is_empty for v in branch.variants])
        elif char in _UNPAIRED:
            raise self._error(_UNPAIRED[char])
        else:
            self._add([_literal(char)])

    def _is_prefix(self, stars: str, follows: str) -> bool:
        """Take `**/` where it stands for any folders or none: a file's name never needs it."""
        branch = self._groups[-1][-1]
        if branch.ends_in_prefix:
            return stars == "**/" or (len(self._groups) > 1 and follows in {",", "}"})
        if branch.has_tokens or stars != "**/":
            return False
        branch.has_tokens = branch.ends_in_prefix = True
        branch.is_empty = False
        return True

    def _add(self, more: list[list[int]]) -> None:
        """Continue the innermost branch by each of these; by none, if there are none."""
        branch = self._groups[-1][-1]
        branch.has_tokens, branch.ends_in_prefix = True, False
        if not more:
            return
        branch.is_empty = False
        size, count = sum(map(len, more)) + len(more), len(branch.variants)
        self._work += size * count + (len(more) - 1) * sum(map(len, branch.variants))
        if self._work > _MAX_WORK:
            raise self._error("has too many alternatives in braces")
        if len(more) == 1:
            for variant in branch.variants:
                variant.extend(more[0])
        else:
            branch.variants = [before + after for before in branch.variants for after in more]

    def _set(self, members: str, *, negated: bool) -> int:
        """Return the bytes of a class: its ranges' ends are characters, written as their bytes."""
        ranges: list[tuple[str, str]] = []
        in_range = False
        for at, char in enumerate(members):
            if in_range:
                low = ranges.pop()[0]
                if char < low:
                    raise self._error(f"has a range that runs backwards, {low}-{char}")
                ranges.append((low, char))
                in_range = False
            elif char == "-" and at:
                in_range = True
            else:
                ranges.append((char, char))
        found = 1 << ord("-") if in_range else 0
        for low, high in ranges:
            first, last = _encoded(low), _encoded(high)
            both = first if low == high else first + bytes(range(first[-1], last[0] + 1)) + last
            for byte in both:
                found |= 1 << byte
        return ~found & (1 << 256) - 1 if negated else found

    def _error(self, what: str) -> InvalidGlobError:
        shown = self._glob if len(self._glob) <= _MAX_SHOWN else self._glob[:_MAX_SHOWN] + "…"
        return InvalidGlobError(f"The glob {shown} {what}.")


def _alternatives(line: str) -> list[list[int]]:
    """What a glob without its `!` matches among files."""
    anchored = line.startswith("/")
    line = line.removeprefix("/")
    only_folders = line.endswith("/")
    if only_folders:
        line = line[:-1].removesuffix("\\")
    if line == "**" or not (line or anchored):
        line = "*"
    parsed = _Parser(line + "/*" if line.endswith("/**") else line).parse()
    return [] if only_folders else parsed


def _literal(char: str) -> list[int]:
    return [1 << byte for byte in _encoded(char)]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
