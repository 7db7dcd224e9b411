"""The terminal as a resource: taken over on entry, and given back whatever happens.

Theory of operation. stdin, stdout and stderr of a shell's child share one open file description, and O_NONBLOCK is a
property of the description. So the terminal is opened anew by its name: our descriptor does not block, everybody else's
stays as it was. A terminal that has stopped reading (a slow link, copy mode, ctrl-S) then delays painting only; keys
are still read. Giving it back must work in that state too: what is queued is thrown away first, and a control sequence
that was cut in the middle is ended by CAN.

What prints while we paint would tear the picture, so stdout and stderr lead into `on_text` meanwhile.
"""

import contextlib
import io
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

import trio
from attrs import define, field

ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[2J"
MOUSE_ON: Final = "\x1b[?1000h\x1b[?1006h"
MOUSE_OFF: Final = "\x1b[?1006l\x1b[?1000l"
LEAVE: Final = f"\x18\x1b[?2026l\x1b[0m{MOUSE_OFF}\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l"
_READ_BYTES: Final = 4096
_LFLAG, _CC = 3, 6  # places in what tcgetattr answers
_TEXT_MAX: Final = 2000


class TerminalGone(Exception):
    """The window was closed, or the line was cut."""


def find_terminal() -> str | None:
    """The name of the terminal that we were started from; None when there is none."""
    # Also where stdin is something else: keys come from the terminal itself.
    for fd in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.ttyname(fd)
    return None


@define
class Terminal:
    """Bytes to and from the terminal `fd`; `take` and `give_back` switch it."""

    fd: int
    has_mouse: bool = False
    _modes: list[Any] = field(factory=list)

    def take(self) -> None:
        self._modes = termios.tcgetattr(self.fd)
        modes = termios.tcgetattr(self.fd)
        # ISIG stays: ctrl-C and ctrl-Z are signals, also while we are busy.
        modes[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
        modes[_CC][termios.VMIN], modes[_CC][termios.VTIME] = 1, 0
        termios.tcsetattr(self.fd, termios.TCSANOW, modes)
        with contextlib.suppress(OSError):
            os.write(self.fd, (ENTER + (MOUSE_ON if self.has_mouse else "")).encode())

    def switch_mouse(self, *, on: bool) -> bytes:
        """What the terminal has to be told; it is told again when we come back, and the contrary when we leave."""
        self.has_mouse = on
        return (MOUSE_ON if on else MOUSE_OFF).encode()

    def give_back(self) -> None:
        # A closed window answers every call with EIO; there is nothing left to give back then.
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(self.fd, termios.TCOFLUSH)
            os.write(self.fd, LEAVE.encode())
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self.fd, termios.TCSANOW, self._modes)

    def size(self) -> tuple[int, int]:
        """Columns and lines; 80 and 24 where the terminal does not know."""
        try:
            width, height = os.get_terminal_size(self.fd)
        except OSError:
            return 80, 24
        return width or 80, height or 24

    async def read(self) -> bytes:
        """What was typed. Raises `TerminalGone`."""
        while True:
            await trio.lowlevel.wait_readable(self.fd)
            try:
                data = os.read(self.fd, _READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as error:
                raise TerminalGone(str(error)) from None
            if not data:
                raise TerminalGone("end of file")
            return data

    async def write(self, data: bytes) -> None:
        """Returns when the terminal has taken all of it. Raises `TerminalGone`."""
        await trio.lowlevel.checkpoint()
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.fd)
            except OSError as error:
                raise TerminalGone(str(error)) from None

    def suspend(self) -> None:
        """What ctrl-Z asks for; returns when the shell has put us into the foreground again."""
        self.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.take()


@contextlib.contextmanager
def taken(name: str, on_text: Callable[[str], None]) -> Iterator[Terminal]:
    """The terminal of that name while the block lasts."""
    fd = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    terminal = Terminal(fd)
    outputs: tuple[TextIO, TextIO] = sys.stdout, sys.stderr
    try:
        terminal.take()
        try:
            sys.stdout = sys.stderr = _Diverted(on_text)
            yield terminal
        finally:
            sys.stdout, sys.stderr = outputs
            terminal.give_back()
    finally:
        os.close(fd)


class _Diverted(io.TextIOBase):
    """A stream that hands on whole lines."""

    encoding = "utf-8"

    def __init__(self, on_text: Callable[[str], None]) -> None:
        super().__init__()
        self._on_text = on_text
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        self._rest = self._rest[-_TEXT_MAX:]
        for line in lines:
            if line.strip():
                self._on_text(line[:_TEXT_MAX])
        return len(text)
