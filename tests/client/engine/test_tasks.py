"""Tasks go on when what they wait for is settled, and end with a value or an error."""

import pytest

from secure_chat.client.engine.tasks import Promise, Task, Tasks, wait
from secure_chat.client.errors import CommandFailed
from secure_chat.client.events import FailureCode


def refusal() -> CommandFailed:
    return CommandFailed(FailureCode.REFUSED, "no")


def adding(first: Promise[int], second: Promise[int]) -> Task[int]:
    return (yield from wait(first)) + (yield from wait(second))


def test_a_task_waits_for_each_promise_in_turn() -> None:
    """Whatever the order in which they are kept."""
    tasks, first, second = Tasks(), Promise[int](), Promise[int]()
    result = tasks.start(adding(first, second))
    tasks.run()
    second.keep(2)
    tasks.run()
    assert result.open
    first.keep(1)
    tasks.run()
    assert result.result() == 3


def test_a_broken_promise_raises_inside_the_task() -> None:
    """Which may catch it."""

    def careful(promise: Promise[int]) -> Task[str]:
        try:
            yield from wait(promise)
        except CommandFailed as error:
            return str(error)
        return "kept"

    tasks, promise = Tasks(), Promise[int]()
    caught, passed = tasks.start(careful(promise)), tasks.start(adding(promise, promise))
    tasks.run()
    promise.fail(refusal())
    tasks.run()
    assert caught.result() == "no"
    with pytest.raises(CommandFailed):
        passed.result()


def test_a_settled_promise_stays_as_it_is() -> None:
    """The first word counts."""
    promise = Promise[int]()
    promise.keep(1)
    promise.keep(2)
    promise.fail(refusal())
    assert promise.result() == 1


def test_who_asks_later_is_told_at_once() -> None:
    """And each is told once."""
    told: list[str] = []
    promise = Promise[int]()
    promise.when_settled(lambda: told.append("before"))
    promise.keep(1)
    promise.when_settled(lambda: told.append("after"))
    assert told == ["before", "after"]


def test_done_gets_the_settled_promise_of_a_task_that_failed_at_once() -> None:
    """Even before it has waited for anything."""

    def failing() -> Task[None]:
        yield from wait(broken)

    broken = Promise[None]()
    broken.fail(refusal())
    outcomes: list[bool] = []
    tasks = Tasks()
    tasks.start(failing(), lambda promise: outcomes.append(promise.open))
    tasks.run()
    assert outcomes == [False]


def test_a_bug_in_a_task_is_not_hidden() -> None:
    """Only our own errors are outcomes."""

    def buggy() -> Task[int]:
        return 1 // (yield from wait(zero))

    zero = Promise[int]()
    zero.keep(0)
    tasks = Tasks()
    tasks.start(buggy())
    with pytest.raises(ZeroDivisionError):
        tasks.run()
