"""Wake-ups leave by a thread of their own."""

import threading
import time

import pytest

from receiver.notifier import MAX_MESSAGE, MAX_PAUSE_S, MAX_WAITING, Notifier, pause_s


@pytest.mark.parametrize(
    ("ids", "within_s", "pause"),
    [(1, 3600.0, 0.001), (1, 0.01, 0.002), (50, 0.05, 0.02), (500, 0.05, MAX_PAUSE_S), (1, 0.0, MAX_PAUSE_S)],
    ids=["lone", "100 a second", "1,000 a second", "10,000 a second", "no time between"],
)
def test_the_pause_grows_with_the_rate_of_ids_alone(ids: int, within_s: float, pause: float):
    """At least as long as the work; a pause that was long once is not long for ever."""
    assert pause == pytest.approx(pause_s(worked_s=0.001, ids=ids, within_s=within_s))


def test_ids_that_come_during_a_publish_go_in_one_message():
    """At most one publish is under way, however slow the broker; ids are sent once."""
    free, begun, sent = threading.Event(), threading.Event(), []

    def publish(ids):
        sent.append(ids)
        begun.set()
        return free.wait(10)

    notifier = Notifier(lambda: publish)
    notifier.wake(["1"])
    begun.wait(10)
    for i in range(100):
        notifier.wake([str(i % 10), "x"])
    free.set()
    notifier.close(timeout_s=10)

    assert [["1"], ["0", "x", *map(str, range(1, 10))]] == sent


def test_a_failure_is_harmless_and_the_next_one_goes():
    """The clock finds what was not woken."""
    sent = []

    def publish(ids):
        sent.append(ids)
        if len(sent) == 1:
            raise OSError("no broker")
        return True

    notifier = Notifier(lambda: publish)
    notifier.wake(["1"])
    deadline = time.monotonic() + 10
    while not sent and time.monotonic() < deadline:
        time.sleep(0.001)
    notifier.wake(["2"])
    notifier.close(timeout_s=10)

    assert [["1"], ["2"]] == sent


def test_unpublished_ids_join_the_next_batch():
    """Workers that are behind get fewer messages of more ids, and every id in the end."""
    asked, sent, looked = [], [], threading.Event()

    def publish(ids):
        asked.append(ids)
        if len(asked) == 1:
            looked.wait(10)
            return False
        sent.append(ids)
        return True

    notifier = Notifier(lambda: publish)
    notifier.wake(["1"])
    while not asked:
        time.sleep(0.001)
    notifier.wake(["2"])
    looked.set()
    deadline = time.monotonic() + 10
    while not sent and time.monotonic() < deadline:
        time.sleep(0.001)
    notifier.close(timeout_s=10)

    assert [["1", "2"]] == sent


def test_messages_and_what_waits_are_bounded():
    """A broker that is away for hours costs a bounded list."""
    free, begun, sent = threading.Event(), threading.Event(), []

    def publish(ids):
        sent.append(ids)
        begun.set()
        return free.wait(10)

    notifier = Notifier(lambda: publish)
    notifier.wake(["first"])
    begun.wait(10)
    for i in range(MAX_WAITING * 2):
        notifier.wake([str(i)])
    free.set()
    notifier.close(timeout_s=10)

    assert MAX_WAITING == sum(len(ids) for ids in sent[1:])
    assert MAX_MESSAGE == max(len(ids) for ids in sent)


def test_a_publish_that_hangs_does_not_hold_up_the_end():
    """The close gives up after its time."""
    free = threading.Event()

    def publish(ids):
        return free.wait(10)

    notifier = Notifier(lambda: publish)
    notifier.wake(["1"])
    begun = time.monotonic()
    notifier.close(timeout_s=0.05)

    assert time.monotonic() - begun < 5
    free.set()
