"""Real processes for tests: started with this source tree, read line by line, and ended by their id."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PATIENCE_S = 20


def environment(**variables):
    """The environment of a child: this tree first, none of the caller's settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AETHER_", "PYTHON", "COVERAGE"))}
    # Windows have fixed ports by default; who tests them says so.
    closed = {"AETHER_METRICS_ENABLED": "false", "AETHER_WEB_ENABLED": "false"}
    closed |= {"XDG_CONFIG_HOME": os.devnull}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"} | closed | variables


class Child:
    """A running process; its output is read by threads, so it never stands still for us."""

    def __init__(self, *command, cwd, **variables):
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self._output = self.process.stdout
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._output:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait_for(self, words):
        """The next line that has `words` in it."""
        while True:
            try:
                line = self.lines.get(timeout=_PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"nothing with {words!r} came; so far:\n" + "\n".join(self.said)) from None
            if line is None:
                raise AssertionError(f"ended without {words!r}; it said:\n" + "\n".join(self.said))
            self.said.append(line)
            if words in line:
                return line

    def finish(self):
        """Its exit code and everything it said, once it has ended by itself."""
        code = self.process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)
        while (line := self.lines.get(timeout=_PATIENCE_S)) is not None:
            self.said.append(line)
        return code, "\n".join(self.said)

    def tell(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its own children too: it leads a session
        self.process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)
        self._output.close()


class Server(Child):
    """A real `aether serve`, ready for calls; `url` is where it is."""

    def __init__(self, folder, *options, **variables):
        port = () if "--grpc-port" in options else ("--grpc-port", "0")
        super().__init__("-m", "aether.cli", "serve", *port, *options, cwd=folder, **variables)
        try:
            self.url = self.wait_for("://")
        except BaseException:
            self.__exit__()
            raise


def aether(*arguments, cwd=None, **variables):
    """Runs one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "aether.cli", *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
