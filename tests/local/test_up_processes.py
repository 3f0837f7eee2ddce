"""The local stack's processes: ready, dead, stopped, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.processes import Process, StackFault, until_ready
from deploy.local.stack import Stack

ROOT = Path(__file__).parents[2]
SLEEPS = "import time; time.sleep(60)"
IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
PARENT = """
import subprocess, sys
from deploy.local.processes import make_leash
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], preexec_fn=make_leash(),
                         start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


async def answers_at_once() -> bool:
    """Be ready."""
    return True


@pytest.fixture
def make_process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Return a maker of processes that run a line of Python; what still runs is killed at the end."""
    made: list[Process] = []

    def make(code: str, *, name: str = "worker", answers: Callable[[], Awaitable[bool]] = answers_at_once) -> Process:
        command = [sys.executable, "-c", code]
        log = tmp_path / f"{name}.log"
        process = Process(name, command, environ=os.environ, log=log, answers=answers, stop_s=0.5)
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()


def log_holds(log: Path, text: str) -> Callable[[], Awaitable[bool]]:
    """Make an answer: whether a log holds a text."""

    async def answers() -> bool:
        return await asyncio.to_thread(lambda: text in log.read_text())

    return answers


async def test_a_process_that_ends_at_start_is_told_with_its_last_words(make_process: Callable[..., Process]) -> None:
    """Its name, its exit status and the end of its log."""

    async def never() -> bool:
        return False

    process = make_process("import sys; print('what is wrong'); sys.exit(2)", answers=never)
    process.start()
    with pytest.raises(StackFault) as fault:
        await until_ready([process], say=lambda _: None)

    assert "process worker ended with exit status 2" == str(fault.value)
    assert "what is wrong" in fault.value.details


async def test_a_process_that_never_answers_is_given_up(make_process: Callable[..., Process]) -> None:
    """After the deadline, not for ever."""

    async def never() -> bool:
        return False

    process = make_process(SLEEPS, answers=never)
    process.start()
    with pytest.raises(StackFault, match="process worker was not ready within 0 s"):
        await until_ready([process], say=lambda _: None, within_s=0.2)


def test_a_missing_program_is_one_sentence(tmp_path: Path) -> None:
    """Not a traceback."""
    process = Process(
        "worker", ["/nowhere/celery"], environ={}, log=tmp_path / "log", answers=answers_at_once, stop_s=1
    )
    with pytest.raises(StackFault, match="/nowhere/celery cannot be started: No such file or directory"):
        process.start()


async def test_a_process_that_does_not_stop_is_killed(make_process: Callable[..., Process], tmp_path: Path) -> None:
    """SIGTERM first, SIGKILL when that does nothing."""
    process = make_process(IGNORES_TERM, answers=log_holds(tmp_path / "worker.log", "up"))
    process.start()
    await until_ready([process], say=lambda _: None)
    await process.stop()

    assert -signal.SIGKILL == process.status


async def test_a_frozen_process_stops(make_process: Callable[..., Process]) -> None:
    """It hears of the signal, for it is woken."""
    process = make_process(SLEEPS)
    process.start()
    assert process._child
    os.kill(process._child.pid, signal.SIGSTOP)
    await process.stop()

    assert -signal.SIGTERM == process.status


async def test_what_was_killed_is_started_again(make_process: Callable[..., Process]) -> None:
    """And it is said; after the fifth time it is no accident."""
    said: list[str] = []
    process = make_process(SLEEPS)
    stack = Stack([[process]], server=None, say=said.append)
    await stack.start()
    for _ in range(5):
        process.kill()
        stack.mend()
    process.kill()
    with pytest.raises(StackFault, match="process worker was killed by SIGKILL, and that 6 times"):
        stack.mend()

    assert ["worker: ready", *["worker: was killed by SIGKILL; started again"] * 5] == said


async def test_what_ends_of_itself_ends_the_stack(make_process: Callable[..., Process]) -> None:
    """A status of its own is a fault, which starting again would hide."""
    process = make_process("pass")
    process.start()
    assert process._child
    process._child.wait()
    with pytest.raises(StackFault, match="process worker ended with exit status 0"):
        Stack([[process]], server=None, say=print).mend()


async def test_stages_stop_one_after_the_other(make_process: Callable[..., Process], tmp_path: Path) -> None:
    """What others use outlives them."""
    says = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print(time.time()))); "
    code = f"{says} print('up', flush=True); time.sleep(60)"
    stages = [
        [make_process(code, name=name, answers=log_holds(tmp_path / f"{name}.log", "up"))] for name in ("one", "two")
    ]
    stack = Stack(stages, server=None, say=lambda _: None)
    await stack.start()
    await stack.stop()
    ends = [float((tmp_path / f"{name}.log").read_text().split()[1]) for name in ("one", "two")]

    assert sorted(ends) == ends


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_parent_takes_its_children_along() -> None:
    """Even kill -9 leaves nothing running, though each child is in a session of its own."""
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline


def is_running(pid: int) -> bool:
    """Say whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
