"""The answers that the clients of a load received, checked against the contract."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Record:
    """Counts of answers; `wrong` should stay empty, `seconds` are times to judge. Thread-safe.

    `by_the_book` has the codes with which the service may answer a 5xx.
    """

    by_the_book: Collection[str]
    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, kind: str, status: int, body: bytes) -> None:
        """Count an answer; an error without a code, or with a 5xx that may not be, is wrong."""
        code = ""
        if status >= 400:
            with suppress(ValueError, KeyError, TypeError):
                code = json.loads(body)["code"]
        with self._lock:
            self.answers[f"{kind} {status} {code}".strip()] += 1
            if status >= 400 and (not code or (status >= 500 and code not in self.by_the_book)):
                self.wrong.append(f"{kind}: {status} {body[:200]!r}")

    def took(self, seconds: float) -> None:
        """Add a time."""
        with self._lock:
            self.seconds.append(seconds)

    def note(self, kind: str) -> None:
        """Count a request without an answer."""
        with self._lock:
            self.answers[kind] += 1

    def fault(self, words: str) -> None:
        """Record something that must not happen."""
        with self._lock:
            self.wrong.append(words)
