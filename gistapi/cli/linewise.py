r"""A pattern whose matches stay within a line, as ripgrep's do without `-U`.

What could match a line end is rewritten: `\s` as `[^\S\n]`, `[^a]` as `[^a\n]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

NEWLINE = 10
_WITHOUT = {"s": r"[^\S\n]", "W": r"[^\w\n]", "D": r"[^\d\n]"}
"""Classes that contain the line end, rewritten without it."""
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7, "b": 8}
_CODE = re.compile(
    r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|0[0-7]{0,2}|[0-7]{3}|.", re.DOTALL
)
_DOTALL = re.compile(r"\(\?[aiLmux]*s")


class LineEndError(ValueError):
    """The pattern contains a line end; `position` is where."""

    def __init__(self, position: int) -> None:
        super().__init__("a match within one line has no line end; -U lets it span lines")
        self.position = position


def linewise(pattern: str) -> str:
    """Rewrite a valid pattern so that no match contains a line end.

    Raises:
        LineEndError: it names the line end outside of a class with other members.
    """
    return "".join(_Scanner(pattern).pieces())


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of a class: its source, and its character unless it is a class itself."""

    source: str
    code: int | None


class _Scanner:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        flags = re.compile(pattern).flags
        self._verbose = bool(flags & re.VERBOSE)
        self._dotall = bool(flags & re.DOTALL or _DOTALL.search(pattern))

    def pieces(self) -> Iterator[str]:
        while self._at < len(self._pattern):
            start, char = self._at, self._pattern[self._at]
            if char == "\\":
                yield self._escape()
            elif char == "[":
                yield self._class()
            elif self._pattern.startswith("(?#", start):
                yield self._through(")")
            elif self._verbose and char == "#":
                yield self._through("\n")
            elif char == "\n" and not self._verbose:
                raise LineEndError(start)
            else:
                self._at += 1
                yield r"[^\n]" if char == "." and self._dotall else char

    def _through(self, end: str) -> str:
        start = self._at
        found = self._pattern.find(end, start)
        self._at = len(self._pattern) if found < 0 else found + 1
        return self._pattern[start : self._at]

    def _escape(self) -> str:
        start = self._at
        member = self._member()
        if member.code == NEWLINE:
            raise LineEndError(start)
        return _WITHOUT.get(member.source[1:], member.source)

    def _member(self) -> _Member:
        """Read one escape or character."""
        start = self._at
        if self._pattern[start] != "\\":
            self._at += 1
            return _Member(self._pattern[start], ord(self._pattern[start]))
        found = _CODE.match(self._pattern, start + 1)
        if found is None:  # a valid pattern does not end in a backslash
            raise LineEndError(start)
        self._at = found.end()
        return _Member("\\" + found[0], _code_of(found[0]))

    def _class(self) -> str:
        start = self._at
        self._at += 1
        negated = self._pattern.startswith("^", self._at)
        self._at += negated
        kept: list[str] = []
        pulled: list[str] = []
        first = self._at
        while self._pattern[self._at] != "]" or self._at == first:
            member = self._member()
            last = self._range_end()
            if last is not None:
                kept += _without_newline(member, last)
            elif not negated and member.source[1:] in _WITHOUT and member.source[0] == "\\":
                pulled.append(_WITHOUT[member.source[1:]])
            elif negated or member.code != NEWLINE:
                kept.append(member.source)
        self._at += 1
        if negated:
            return "[^" + "".join(kept) + r"\n]"
        if not kept and not pulled:
            raise LineEndError(start)
        if not pulled:
            return _class_of(kept)
        return "(?:" + "|".join(([_class_of(kept)] if kept else []) + pulled) + ")"

    def _range_end(self) -> _Member | None:
        """Read `-z` after a member; None if the class ends there, or no `-` follows."""
        rest = self._pattern[self._at : self._at + 2]
        if not rest.startswith("-") or rest == "-]":
            return None
        self._at += 1
        return self._member()


def _class_of(members: list[str]) -> str:
    text = "".join(members)
    # A `^` that stood behind another member, and is now first, would negate the class.
    return "[" + ("\\" if text.startswith("^") else "") + text + "]"


def _without_newline(first: _Member, last: _Member) -> Iterator[str]:
    whole = f"{first.source}-{last.source}"
    low, high = first.code, last.code
    if low is None or high is None or not low <= NEWLINE <= high:
        yield whole
        return
    if low < NEWLINE:
        yield rf"{first.source}-\x09"
    if high > NEWLINE:
        yield rf"\x0b-{last.source}"


def _code_of(escape: str) -> int | None:
    """The character that an escape stands for; None for a class, an assertion or a reference."""
    if escape[0] in "xuU" and len(escape) > 1:
        return int(escape[1:], 16)
    if escape[0] == "0" or (len(escape) == 3 and escape.isdigit()):  # noqa: PLR2004 - octal
        return int(escape, 8)
    if escape == "N{LINE FEED}":
        return NEWLINE
    if escape in _CONTROLS:
        return _CONTROLS[escape]
    return None if escape.isalnum() else ord(escape[0])
