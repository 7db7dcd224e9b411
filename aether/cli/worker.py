"""`aether worker`: imports a client and serves what is defined on it until told to stop."""

import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator

import anyio
import typer

from aether.cli.exit_codes import ExitCode
from aether.cli.options import SERVER_VARIABLE, say
from aether.errors import AetherError
from aether.sdk.client import Client
from aether.sdk.transport import check_target
from aether.server.settings import LogFormat
from aether.server.telemetry import LEVELS, configure_logging

_LOOPS = ("trio", "asyncio")
# The client's own grace for work in hand is ten seconds; what is not over then will not be over soon.
_FINISH_S = 15.0
# The files that a traceback of an import begins with.
_IMPORTING = (__file__, importlib.__file__, "<frozen importlib")


def run_worker(place: str, server: str, loop: str, labels: list[str], log_format: str, log_level: str) -> None:
    """Serves the client at `module:name`, against `server` unless the client names another itself."""
    for option, given, choices in (
        ("--loop", loop, _LOOPS),
        ("--log-format", log_format, tuple(LogFormat)),
        ("--log-level", log_level, tuple(LEVELS)),
    ):
        if given not in choices:
            raise typer.BadParameter(f"must be {', '.join(choices[:-1])} or {choices[-1]}", param_hint=option)
    check_target(server)
    # Set before the import: a client that is not told its server takes it from here.
    os.environ[SERVER_VARIABLE] = server
    client = load_client(place)
    if not logging.getLogger("aether").hasHandlers():
        # Who has set up logging of his own has ours in it.
        configure_logging(log_format, log_level)
    anyio.run(_Worker(client, place, server, _labels(labels)).run, backend=loop)


def _labels(texts: list[str]) -> dict[str, str]:
    labels = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise typer.BadParameter(f"must be NAME=VALUE, not {text!r}", param_hint="--label")
        labels[name] = value
    return labels


def load_client(place: str) -> Client:
    module_name, _, name = place.partition(":")
    if not module_name or not name:
        raise typer.BadParameter(f"must be MODULE:CLIENT, not {place!r}", param_hint="MODULE:CLIENT")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        module = importlib.import_module(module_name)
    except AetherError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a module raises while it is imported
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            raise typer.BadParameter(
                f"there is no module {module_name} here or among the installed packages", param_hint="MODULE:CLIENT"
            ) from None
        # The module is there. What is wrong with it, or with what it needs, stands in its own lines, not in ours.
        raise AetherError(f"{module_name} can not be imported:\n{_own_lines(error)}") from None
    client = getattr(module, name, None)
    if not isinstance(client, Client):
        there = ", ".join(key for key, value in vars(module).items() if isinstance(value, Client))
        hint = f"it has {there}" if there else "it has none"
        raise typer.BadParameter(f"{module_name} has no aether.Client named {name}; {hint}", param_hint="MODULE:CLIENT")
    return client


def _own_lines(error: Exception) -> str:
    """The traceback from where the import has come to code of the user's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_IMPORTING):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


class _Worker:
    """Serves until the first signal, then finishes what it has; the second signal cuts that short."""

    def __init__(self, client: Client, place: str, server: str, labels: dict[str, str]) -> None:
        self._client = client
        self._place = place
        self._server = server
        self._labels = labels
        self._stop = anyio.Event()
        self._is_serving = False

    async def run(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with anyio.create_task_group() as group:
                group.start_soon(self._listen, signals, group.cancel_scope)
                say(f"aether worker: waiting for a server ({SERVER_VARIABLE} is {self._server})")
                async with self._client.serve(labels=self._labels):
                    self._is_serving = True
                    say(f"aether worker: serving {self._place}, stop with Ctrl-C")
                    await self._stop.wait()
                group.cancel_scope.cancel()

    async def _listen(self, signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope) -> None:
        async for _ in signals:
            break
        if not self._is_serving:  # a worker that waits for its server has nothing to finish
            scope.cancel()
            return
        say("aether worker: finishing what it has; once more to stop at once")
        self._stop.set()
        with anyio.move_on_after(_FINISH_S):
            async for _ in signals:
                break
        # Threads, and code under a shield, are reached by no cancel. The server gives to others what is lost here.
        say("aether worker: stopped with work in hand, which goes to another worker")
        sys.stdout.flush()
        os._exit(ExitCode.FAILED)
