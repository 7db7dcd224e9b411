"""`aether serve`: settings from all their sources, then the server until it is told to stop."""

import gc
import os
import ssl
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import trio
import typer

from aether.cli.exit_codes import ExitCode
from aether.cli.options import say
from aether.errors import SettingsError
from aether.server.listener import BindError
from aether.server.serve import serve
from aether.server.settings import Settings, load_settings
from aether.server.telemetry import configure_logging, flush_logs


def run_server(flags: Mapping[str, object], config: Path | None) -> None:
    """Runs the server; raises SettingsError before anything has started, and what ended the server otherwise."""
    settings = load_settings(flags, os.environ, config)
    configure_logging(settings.log_format, settings.log_level)
    try:
        trio.run(partial(serve, settings, ready=partial(_announce, settings), opened=_announce_window))
    except ssl.SSLError as error:
        files = [str(path) for path in (settings.tls_cert, settings.tls_key, settings.tls_client_ca) if path]
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise SettingsError([f"tls: {', '.join(files)} can not be used together: {reason}"]) from None
    except BindError as error:
        flush_logs()
        say(f"aether: {error}")
        raise typer.Exit(ExitCode.FAILED) from None
    finally:
        flush_logs()


def _announce(settings: Settings, address: str) -> None:
    """The first line on stdout, for programs that let the system choose the port."""
    # Recovered runs are out of the collector's way: 100,000 of them take it 0.2 s each time it looks.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    _tell_programs(f"{'https' if settings.tls_cert else 'http'}://{address}\n")


def _announce_window(name: str, url: str) -> None:
    _tell_programs(f"{name} {url}\n")


def _tell_programs(line: str) -> None:
    """On stdout; where it is closed or full the server serves all the same, and its log says where."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(line)
        sys.stdout.flush()
    except OSError:
        # What was not written is not tried again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
