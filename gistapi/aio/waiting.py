"""Lists what the tasks of a loop are waiting for, so that operators can diagnose stuck searches."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import FrameType

PACKAGE = "gistapi"


def waiting(loop: asyncio.AbstractEventLoop) -> list[str]:
    """One line for each kind of task: its name without numbers, the place it waits at, how many.

    A name contains no caller's text. Call it on the loop, or while the loop is idle.
    """
    counts = Counter(f"{_kind(task)} at {_place(task)}" for task in asyncio.all_tasks(loop))
    return [f"{text} ({count})" for text, count in counts.most_common()]


def _kind(task: asyncio.Task[object]) -> str:
    return task.get_name().partition(" ")[0].partition("-")[0]


def _place(task: asyncio.Task[object]) -> str:
    """The innermost line of ours that the task is suspended at."""
    awaited: object = task.get_coro()
    place = "start"
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if isinstance(frame, FrameType) and PACKAGE in frame.f_code.co_filename:
            _, _, file = frame.f_code.co_filename.rpartition(f"{PACKAGE}/")
            place = f"{file}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return place
