"""`aether dev`: a server with its page, and a worker that is started again when code changes, in one command.

Both are processes as they would be anywhere else, so a worker that ends by a mistake in the code takes nothing with it.
The server stays: runs go on with the new code where they were. Both have sessions of their own, or Ctrl-C on the
terminal would reach them a second time; they end all the same when this process is killed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import trio
import typer

from aether.cli.exit_codes import ExitCode
from aether.cli.options import say

_LOOK_S = 0.3
_STOP_S = 20.0
_FILES_MAX = 10_000
_NOT_CODE = {"venv", "node_modules", "__pycache__", "data"}


def run_dev(place: str, options: list[str]) -> None:
    """Runs until told to stop, or until the server ends."""
    if not trio.run(_Dev(place, options).run):
        raise typer.Exit(ExitCode.FAILED)


class _Dev:
    def __init__(self, place: str, options: list[str]) -> None:
        self._place = place
        self._options = options
        self._children: list[trio.Process] = []
        self._is_stopping = False
        # The other ends are the children's; see `leash.py`.
        self._leash, self._hand = os.pipe()

    async def run(self) -> bool:
        """False if the server ended by itself."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_on_signal, signals, nursery.cancel_scope)
                try:
                    await self._serve(nursery)
                finally:
                    with trio.CancelScope(shield=True):
                        # The worker first: it tells the server what it has finished.
                        for process in reversed(self._children):
                            await _end(process)
        return self._is_stopping

    async def _serve(self, nursery: trio.Nursery) -> None:
        server = await self._spawn("serve", *self._options, stdout=subprocess.PIPE)
        assert server.stdout is not None
        lines = _lines(server.stdout)
        url = await anext(lines, "")
        if url:
            say(f"aether dev: server {url}")
            nursery.start_soon(self._work, url)
            async for line in lines:
                say(f"aether dev: {line}")
        code = await server.wait()
        say(
            f"aether dev: the server ended with {code}, and the worker ends with it; start both again with this command"
        )
        nursery.cancel_scope.cancel()

    async def _work(self, url: str) -> None:
        while True:
            seen = _code()
            worker = await self._spawn("worker", self._place, "--server", url)
            has_told = False
            while (now := _code()) == seen:
                if worker.returncode is not None and not has_told:
                    say(f"aether dev: the worker ended with {worker.returncode}; it is started again when code changes")
                    has_told = True
                await trio.sleep(_LOOK_S)
            changed = min(set(now.items()) ^ set(seen.items()))[0]
            say(f"aether dev: {changed} has changed; starting the worker again")
            await _end(worker)
            self._children.remove(worker)

    async def _spawn(self, *words: str, stdout: int | None = None) -> trio.Process:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "aether.cli.leash", str(self._leash), *words],
            stdout=stdout,
            start_new_session=True,
            pass_fds=[self._leash],
        )
        self._children.append(process)
        return process

    async def _stop_on_signal(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async for _ in signals:
            self._is_stopping = True
            scope.cancel()
            return


async def _end(process: trio.Process) -> None:
    if process.returncode is None:
        process.terminate()
        with trio.move_on_after(_STOP_S):
            await process.wait()
            return
        process.kill()
        await process.wait()


async def _lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[str]:
    rest = b""
    async for data in stream:
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")


def _code() -> dict[str, int]:
    """When each file of code below this folder was changed."""
    found: dict[str, int] = {}
    folders = [Path()]
    while folders and len(found) < _FILES_MAX:
        for entry in _entries(folders.pop()):
            if entry.suffix == ".py":
                found[str(entry)] = _changed_at(entry)
            elif entry.is_dir() and entry.name not in _NOT_CODE and not entry.name.startswith("."):
                folders.append(entry)
    return found


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
