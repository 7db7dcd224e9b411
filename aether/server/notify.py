"""Tells systemd how the server is (sd_notify): READY=1, STOPPING=1, and WATCHDOG=1 for as long as the event loop turns.

Who started the server says with NOTIFY_SOCKET where to, and with WATCHDOG_USEC how often it wants to hear; without them
nothing is said. A message that can not be delivered is nobody's fault and stops nothing.
"""

import os
import socket
from collections.abc import Mapping

import trio
from attrs import frozen

# Messages in the time after which the server is taken for dead.
_PER_WATCHDOG = 3


@frozen
class Notifier:
    """`address` is empty when nobody listens; `watchdog_s` 0 when nobody waits for signs of life."""

    address: str = ""
    watchdog_s: float = 0.0

    @classmethod
    def of(cls, environ: Mapping[str, str], pid: int) -> "Notifier":
        """What the environment says. WATCHDOG_PID names the process that is meant."""
        is_meant = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        after_us = environ.get("WATCHDOG_USEC", "")
        watchdog_s = int(after_us) / 1e6 if is_meant and after_us.isdecimal() else 0.0
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_s)

    def tell(self, *lines: str) -> None:
        if not self.address:
            return
        # "@" stands for the byte 0 of names that are in no folder.
        where = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                # A full buffer is not waited for: the next sign of life is as good.
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), where)
        except (OSError, ValueError):
            return

    def ready(self) -> None:
        self.tell("READY=1", "STATUS=serving", f"MAINPID={os.getpid()}")

    def stopping(self) -> None:
        self.tell("STOPPING=1", "STATUS=stopping: workers finish what they have")

    async def live(self) -> None:
        """Signs of life for ever, if somebody waits for them."""
        while self.address and self.watchdog_s:
            self.tell("WATCHDOG=1")
            await trio.sleep(self.watchdog_s / _PER_WATCHDOG)
