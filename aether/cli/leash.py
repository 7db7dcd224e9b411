"""`python -m aether.cli.leash FD …`: an aether command that ends when whoever started it is gone, however that ended.

FD is the reading end of a pipe whose writing end only the other one has. Nothing is ever written to it: it ends when
that process does, also by SIGKILL. The signal that a child can have sent for the death of its parent is no use here: it
is the parent's thread that counts there, and threads come and go.
"""

import os
import signal
import sys
import threading

from aether.cli.clock import pause
from aether.cli.main import main

# As long as a server and a worker may take to stop.
_GRACE_S = 20.0


def _watch(end: int) -> None:
    os.read(end, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    pause(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch, args=(int(sys.argv.pop(1)),), name="aether leash", daemon=True).start()
    main()
