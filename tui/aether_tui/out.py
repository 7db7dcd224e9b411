"""Text on stdout where there is no screen of ours."""

import os
import sys

from aether import AetherError


def write(text: str) -> None:
    """At once: somebody may wait for it at the other end of a pipe. Raises `AetherError` if it can not be written."""
    try:
        sys.stdout.write(text.encode(sys.stdout.encoding, "backslashreplace").decode(sys.stdout.encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who reads has enough
    except OSError as error:
        # What was not written is not tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise AetherError(f"the output can not be written: {error.strerror or error}") from None
