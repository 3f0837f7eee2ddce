"""Ties child processes to this one: when it is killed, even by kill -9, they are killed with it."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)


def make_leash() -> Callable[[], None] | None:
    """Give what a child must run before its program, as ``preexec_fn`` of ``Popen``; ``None`` beyond Linux.

    The kernel watches the *thread* that starts the child: start children from a thread that
    lives as long as the process, the main one.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: little may be done between fork and exec
    parent = os.getpid()

    def leash() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died in between: nobody would tell us
            os._exit(1)

    return leash
