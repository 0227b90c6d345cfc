"""Run as a script: becomes the given command, which the kernel kills when the parent dies.

    python leash.py PARENT_PID COMMAND [ARGUMENT...]

It replaces itself, so the pid stays the command's own. A `preexec_fn` would do the same, but runs
Python between fork and exec, which may deadlock in a process with threads (gRPC has many).
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _die_with(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the kernel knew what we asked
        sys.exit("the parent is gone already")


if __name__ == "__main__":
    if sys.platform == "linux":
        _die_with(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
