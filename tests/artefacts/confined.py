"""Runs a command under what systemd would lay on it: user, capabilities, system calls, no code in writable memory.

    python tests/artefacts/confined.py USER CALL,CALL,... COMMAND ARGUMENT...

Not emulated: the mount namespaces (ProtectSystem, ProtectHome, PrivateTmp, PrivateDevices, ProcSubset).
"""

import ctypes
import os
import sys

_PR_SET_MDWE = 65
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the latter answers EPERM


def allow_only(calls: list[str]) -> int:
    """Refuse every system call but these; return how many this kernel knows."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    context = seccomp.seccomp_init(_REFUSE)
    known = [number for name in calls if (number := seccomp.seccomp_syscall_resolve_name(name.encode())) >= 0]
    for number in known:
        assert seccomp.seccomp_rule_add(context, _ALLOW, number, 0) == 0
    assert seccomp.seccomp_load(context) == 0, "the filter was not taken"
    return len(known)


def main() -> None:
    """Lay everything on, in systemd's order, and become the command."""
    user, calls, *command = sys.argv[1:]
    capabilities = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    if os.geteuid() == 0:  # the interpreter may stand in root's home
        capabilities = [f"--{kind}=-all,+dac_read_search" for kind in ("bounding-set", "inh-caps", "ambient-caps")]
    if user != "-":
        who = [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        again = [sys.executable, __file__, "-", calls, *command]
        os.execvp("setpriv", ["setpriv", *who, *capabilities, *again])
    ctypes.CDLL(None).prctl(_PR_SET_MDWE, 1, 0, 0, 0)  # where the kernel has it, since 6.3
    assert allow_only(calls.split(",")) > 100
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
