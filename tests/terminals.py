"""Real terminals for tests: tmux with a socket of its own. Its screen is read until it shows what is waited for."""

import os
import shlex
import subprocess
import sys
import time

from tests.processes import ROOT, environment

_PATIENCE_S = 20
_PAUSE_S = 0.05
_LOOKS_MAX = 400


class Terminal:
    """One window with a shell in it, as large as it is asked to be."""

    def __init__(self, folder, width=118, height=32, **variables):
        self.folder = folder
        self._socket = str(folder / "tmux.sock")
        # The variables of tests say NO_COLOR, which is what one test is about.
        kept = {key: value for key, value in environment(**variables).items() if key != "NO_COLOR" or key in variables}
        self._environment = kept | {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        self.run(
            "-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", str(height), "-c", str(folder),
            "exec env PS1='$ ' bash --norc --noprofile",
        )  # fmt: skip
        self.wait_for("$")

    def run(self, *command):
        done = subprocess.run(
            ["tmux", "-S", self._socket, *command],
            env=self._environment, capture_output=True, text=True, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"tmux {command}: {done.stderr}"
        return done.stdout

    def type(self, *keys):
        """Names of keys as tmux has them: "C-c", "Enter", "Escape"; the rest is typed as it is."""
        for key in keys:
            self.run("send-keys", "--", key)

    def start(self, *arguments):
        """`aether top`; afterwards the shell says how it ended."""
        command = shlex.join([sys.executable, "-m", "aether.cli", "top", *arguments])
        self.type(f"clear; PYTHONPATH={shlex.quote(str(ROOT))} {command}; echo ended-with-$?", "Enter")

    def screen(self, *options):
        return self.run("capture-pane", "-p", *options)

    def asks(self, what):
        """A format of tmux, as `alternate_on`."""
        return self.run("display-message", "-p", f"#{{{what}}}").strip()

    def wait_for(self, *words):
        """The screen once all words are on it."""
        return self._until(lambda: all(word in self.screen() for word in words), f"{words} to be shown")

    def wait_until(self, is_so, what):
        self._until(is_so, what)

    def _until(self, is_so, what):
        for _ in range(_LOOKS_MAX):
            if is_so():
                return self.screen()
            time.sleep(_PAUSE_S)
        raise AssertionError(f"waited for {what}; the screen is\n{self.screen()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)
