"""Commands that can be interrupted, whoever started the tests.

A shell starts what runs in the background with SIGINT ignored, and so do children inherit it: a
command that a test means to interrupt would go on to its end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

_RESET = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def interruptible(command: Sequence[str]) -> list[str]:
    """Return a command that starts another with SIGINT as in the foreground, in its own place.

    The process keeps its number, so that signals sent to it reach the command.
    """
    return [sys.executable, "-c", _RESET, *command]
