"""Whoever reads what a command shows as it comes: when they are gone, as after `aether tail | head -1`, so is it.

The next write would tell of it too, but there may be none for hours.
"""

import io
import os
import select
import sys
import threading

from aether.cli.exit_codes import ExitCode


def end_with_reader() -> None:
    """From now on. A terminal that goes away tells by a signal, and what is no file has no other end."""
    try:
        output = sys.stdout.fileno()
    except io.UnsupportedOperation:
        return
    if not os.isatty(output):
        threading.Thread(target=_watch, args=(output,), name="aether reader", daemon=True).start()


def _watch(output: int) -> None:
    ends = select.poll()
    # Nothing is asked for: that the other end is closed is told anyway. A file never tells.
    ends.register(output, 0)
    ends.poll()
    # As when a write fails; the thread that waits for the server has nothing to bring to an end.
    os._exit(ExitCode.FAILED)
