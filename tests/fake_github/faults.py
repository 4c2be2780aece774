"""What can go wrong on the way, and for which requests it does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.fake_github.message import Answer, OriginName, Request

Predicate = str | Callable[[Request], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of one answer; the default is nothing.

    `answer` is given instead of the true one. Then, in the order of the wire:
    `latency_seconds` pass before the first byte, and `held` keeps it back until that event is set;
    the head goes at `head_bytes_per_second`, the body at `bytes_per_second` (10 is a slow drip: a
    byte every tenth of a second). `cut_head_at` and `cut_body_at` end the connection after so many
    bytes of the head (0: before the answer) or of the body as on the wire: by RST when `reset`, by
    falling silent when `hang`, else cleanly.
    `content_length_delta` is added to the true length; `chunked` sends chunks without a length.
    `gzip` makes the body one that no inflater likes: `corrupt`, `truncated`, or a `bomb` of 1 GiB
    of zeros. `corrupt` sends other bytes of the same length. `close_after` closes the connection
    after a whole answer that promised to keep it.
    """

    answer: Answer | None = None
    latency_seconds: float = 0
    held: threading.Event | None = None
    head_bytes_per_second: float | None = None
    bytes_per_second: float | None = None
    cut_head_at: int | None = None
    cut_body_at: int | None = None
    reset: bool = False
    hang: bool = False
    content_length_delta: int = 0
    chunked: bool = False
    gzip: Literal["corrupt", "truncated", "bomb"] | None = None
    corrupt: bool = False
    close_after: bool = False


NO_FAULT = Fault()


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault and the requests that meet it; `hits` counts them."""

    fault: Fault
    origin: OriginName | None
    path: Predicate
    times: int | None
    until: float | None
    probability: float
    random: random.Random
    hits: int = field(default=0)

    def takes(self, request: Request) -> bool:
        """Whether this request meets the fault; one that does is counted."""
        if self.origin not in {None, request.origin}:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if self.until is not None and time.monotonic() >= self.until:
            return False
        if not _fits(self.path, request) or self.random.random() >= self.probability:
            return False
        self.hits += 1
        return True


def _fits(path: Predicate, request: Request) -> bool:
    return path in request.target if isinstance(path, str) else path(request)


class Faults:
    """The rules in force; the first that takes a request decides."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def inject(
        self,
        fault: Fault,
        *,
        origin: OriginName | None = None,
        path: Predicate = "",
        times: int | None = None,
        seconds: float | None = None,
        probability: float = 1,
        seed: int = 0,
    ) -> Rule:
        """Let requests meet a fault, the newest rule last.

        `path`: a part of the target as it was sent, or a function of the request; `times`: so many
        requests, then no more; `seconds`: from now on; `probability`: drawn from `seed`.
        """
        rule = Rule(
            fault=fault,
            origin=origin,
            path=path,
            times=times,
            until=None if seconds is None else time.monotonic() + seconds,
            probability=probability,
            random=random.Random(seed),
        )
        self._rules = [*self._rules, rule]
        return rule

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._rules = []

    def remove(self, rule: Rule) -> None:
        """Take one rule back."""
        self._rules = [other for other in self._rules if other is not rule]

    def of(self, request: Request) -> Fault:
        """What this request meets."""
        return next((rule.fault for rule in self._rules if rule.takes(request)), NO_FAULT)
