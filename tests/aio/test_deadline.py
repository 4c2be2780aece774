"""How long work may go on, and how it is called off."""

from __future__ import annotations

import threading
import time

import pytest

from gistapi.aio.deadline import Deadline
from gistapi.errors import CancelledError, DeadlineError

FOREVER = 3600.0


def test_a_deadline_passes() -> None:
    """Work goes on until the deadline, and then it stops."""
    deadline = Deadline(FOREVER)
    deadline.check()
    assert 0 < deadline.remaining() <= FOREVER
    over = Deadline(0)
    assert over.remaining() == 0
    with pytest.raises(DeadlineError):
        over.check()
    assert not over.cancelled


def test_work_that_is_called_off_stops() -> None:
    """After `cancel` every check raises, also when the deadline has passed meanwhile."""
    deadline = Deadline(0)
    deadline.cancel()
    assert deadline.cancelled
    with pytest.raises(CancelledError):
        deadline.check()


def test_sleep_ends_with_the_time_that_was_asked_for() -> None:
    """A sleep inside the deadline simply ends."""
    began = time.monotonic()
    Deadline(FOREVER).sleep(0.01)
    assert time.monotonic() - began >= 0.01


def test_sleep_ends_at_the_deadline() -> None:
    """A sleep that is longer than the deadline raises when that has passed."""
    deadline = Deadline(0.01)
    with pytest.raises(DeadlineError):
        deadline.sleep(FOREVER)


def test_sleep_ends_when_the_work_is_called_off() -> None:
    """A thread that sleeps is woken by `cancel`."""
    deadline = Deadline(FOREVER)
    threading.Timer(0.01, deadline.cancel).start()
    with pytest.raises(CancelledError):
        deadline.sleep(FOREVER)


def test_a_child_ends_with_its_parent() -> None:
    """Calling the parent off calls its children off, and theirs."""
    parent = Deadline(FOREVER)
    child = parent.child()
    grandchild = child.child()
    parent.cancel()
    assert child.cancelled
    assert grandchild.cancelled


def test_a_parent_goes_on_without_its_child() -> None:
    """Calling a child off leaves its parent and the parent's other children alone."""
    parent = Deadline(FOREVER)
    child, sibling = parent.child(), parent.child()
    child.cancel()
    assert child.cancelled
    assert not parent.cancelled
    assert not sibling.cancelled


def test_a_child_of_work_that_was_called_off_is_called_off() -> None:
    """There is no beginning anew under a parent that is over."""
    parent = Deadline(FOREVER)
    parent.cancel()
    assert parent.child().cancelled


@pytest.mark.parametrize(("of_parent", "of_child"), [(5.0, FOREVER), (FOREVER, 5.0)])
def test_a_child_has_the_earlier_deadline(of_parent: float, of_child: float) -> None:
    """A child can't outlast its parent, and may have less time."""
    assert Deadline(of_parent).child(of_child).remaining() <= 5.0


def test_a_released_child_is_forgotten() -> None:
    """What was released is not called off any more, and the parent keeps nothing of it."""
    parent = Deadline(FOREVER)
    child = parent.child()
    child.release()
    assert not parent._callbacks
    parent.cancel()
    assert not child.cancelled
    parent.release()  # has no parent: nothing to forget


def test_callbacks_run_once_each() -> None:
    """Each callback runs when the work is called off, once however often that is done."""
    deadline = Deadline(FOREVER)
    ran: list[str] = []
    deadline.attach(lambda: ran.append("first"))
    deadline.attach(lambda: ran.append("second"))
    deadline.cancel()
    deadline.cancel()
    assert sorted(ran) == ["first", "second"]


def test_a_callback_for_work_that_was_called_off_runs_at_once() -> None:
    """Nobody who comes late waits for ever."""
    deadline = Deadline(FOREVER)
    deadline.cancel()
    ran: list[str] = []
    undo = deadline.attach(lambda: ran.append("late"))
    undo()
    assert ran == ["late"]


def test_a_callback_holds_while_its_body_runs() -> None:
    """`on_cancel` forgets its callback when the body is over, by an error too."""
    deadline = Deadline(FOREVER)
    ran: list[str] = []
    with pytest.raises(ZeroDivisionError), deadline.on_cancel(lambda: ran.append("never")):
        raise ZeroDivisionError
    with deadline.on_cancel(lambda: ran.append("inside")):
        deadline.cancel()
    assert ran == ["inside"]


def test_a_callback_may_call_off_and_forget() -> None:
    """Callbacks run outside the lock: what they do to the deadline can't block."""
    deadline = Deadline(FOREVER)
    undo = deadline.attach(lambda: None)
    deadline.attach(deadline.cancel)
    deadline.attach(undo)
    deadline.cancel()
    assert deadline.cancelled
