"""Turns of tasks that hold the loop for long, step by step."""

from __future__ import annotations

import asyncio
from collections import deque


class Rounds:
    """One step a round of the loop for all tasks together, in the order in which they ask.

    A round runs every callback that is ready. Without turns, each round would contain a step of
    each long task, and a short task that needs ten rounds would wait ten times for all of them.
    For the loop alone.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def step(self) -> None:
        """Wait for a round in which no other task has a step. Without others, never waits."""
        loop = asyncio.get_running_loop()
        if self._taken:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
        else:
            self._taken = True
            loop.call_soon(self._end_round)

    def _end_round(self) -> None:
        self._taken = False
        while self._waiting and not self._taken:
            turn = self._waiting.popleft()
            if not turn.done():  # else its task was cancelled
                turn.set_result(None)
                self._taken = True
                turn.get_loop().call_soon(self._end_round)
