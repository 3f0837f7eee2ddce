"""The disk of the logs is full: every write of a line fails, and nothing else may."""

import pytest

from tests.acceptance.stack import Stack, end_of, landed, start_of


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_log_that_takes_no_line_costs_no_call(make_stack, log_format: str):
    """Receiver and worker start, take and deliver calls, and end as they always do."""
    stack: Stack = make_stack(environ={"LOG_FORMAT": log_format})
    for name in ("receiver", "worker0"):
        (stack.folder / f"{name}.log").symlink_to("/dev/full")
    stack.start_receiver()
    stack.start_worker("worker0")
    stack.wait_for(stack.receiver_answers, 20, "the receiver")
    for number in range(3):
        assert 200 == stack.post("create", start_of(f"full-{number}", f"+6149157015{number}"))[0]
        assert 200 == stack.post("update", end_of(f"full-{number}"))[0]
    stack.wait_for(lambda: landed(stack, 3), 30, "three calls at each vendor")

    processes = list(stack.processes.values())
    stack.stop()
    assert [0, 0] == [process.returncode for process in processes]
