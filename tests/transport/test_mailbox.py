"""Waking a thread that waits on a descriptor."""

import threading

from secure_chat.transport.mailbox import Mailbox, Wakeup
from secure_chat.transport.poller import READ, Poller


def test_a_wakeup_is_readable_until_it_is_cleared() -> None:
    """Any number of `set` calls are one wake-up."""
    wakeup, poller = Wakeup(), Poller()
    poller.register(wakeup.fileno(), READ)
    assert poller.poll(0) == []
    wakeup.set()
    wakeup.set()
    assert poller.poll(0) == [(wakeup.fileno(), READ)]
    wakeup.clear()
    assert poller.poll(0) == []
    wakeup.clear()
    poller.close()
    wakeup.close()


def test_no_item_of_any_thread_is_lost_or_left_waiting() -> None:
    """Four threads post while one waits on the descriptor alone: it never sleeps on a full queue."""
    mailbox: Mailbox[int] = Mailbox()
    poller = Poller()
    poller.register(mailbox.fileno(), READ)
    count = 20_000

    def post(start: int) -> None:
        for number in range(start, start + count):
            mailbox.post(number)

    threads = [threading.Thread(target=post, args=(index * count,)) for index in range(4)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    while len(taken) < 4 * count:
        assert poller.poll(20.0), f"asleep with {4 * count - len(taken)} items missing"
        taken += mailbox.take()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(4 * count))
    for index in range(4):
        mine = [number for number in taken if number // count == index]
        assert mine == sorted(mine)
    poller.close()
    mailbox.close()
