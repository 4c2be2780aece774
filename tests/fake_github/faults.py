"""Faults: how answers go wrong, and for which requests."""

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
    """What happens to one answer; by default nothing.

    `answer` replaces the true answer. Then, in the order of the wire:
    `latency_seconds` pass before the first byte, and `held` delays it until that event is set;
    the head is sent at `head_bytes_per_second`, the body at `bytes_per_second` (10: a byte every
    tenth of a second). `cut_head_at` and `cut_body_at` end the connection after this number of
    bytes of the head (0: before the answer) or of the body as sent: by RST if `reset`, by
    silence if `hang`, else cleanly.
    `content_length_delta` is added to the true length; `chunked` sends chunks without a length.
    `gzip` sends a body that cannot be inflated: `corrupt`, `truncated`, or a `bomb` of 1 GiB
    of zeros. `corrupt` sends other bytes of the same length. `close_after` closes the connection
    after a complete answer that announced to keep it.
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
    """A fault and the requests that it applies to; `hits` counts them."""

    fault: Fault
    origin: OriginName | None
    path: Predicate
    times: int | None
    until: float | None
    probability: float
    random: random.Random
    hits: int = field(default=0)

    def applies_to(self, request: Request) -> bool:
        """Whether the fault applies to this request, which is then counted."""
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
    """The rules in force; the first rule that applies to a request decides."""

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
        """Add a rule behind the others.

        `path`: a part of the target as it was sent, or a function of the request; `times`: the
        number of requests after which the rule ends; `seconds`: from now on; `probability`: drawn
        from `seed`.
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
        """Remove all rules."""
        self._rules = []

    def remove(self, rule: Rule) -> None:
        """Remove one rule."""
        self._rules = [other for other in self._rules if other is not rule]

    def of(self, request: Request) -> Fault:
        """The fault that applies to this request."""
        return next((rule.fault for rule in self._rules if rule.applies_to(request)), NO_FAULT)
