"""Windows: ports on which people and scrapers look in. The server does its work without them.

Their sockets are bound before anything else starts, so that what is printed is true; what serves them is imported and
started when somebody looks. A window that fails is closed, logged, and opened again after a pause that grows.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio
from attrs import frozen

from aether.server.listener import BindError, Listener, bind_tcp
from aether.server.settings import Settings
from aether.server.telemetry import Log

log = Log("aether.server")

_FIRST_PAUSE_S: Final = 0.1
_PAUSE_MAX_S: Final = 60.0

Serve = Callable[[], Awaitable[None]]


@frozen
class Window:
    """`name` is what logs call it, `url` where to look."""

    name: str
    listener: Listener
    url: str


def bind_windows(settings: Settings) -> list[Window]:
    """The windows that are wanted.

    A port that somebody asked for must be free, or BindError is raised. A default port may be another server's: then
    there is no such window, and a warning.
    """
    wanted = []
    if settings.web_enabled:
        wanted.append(("web", settings.http_host, settings.http_port, "http_port", "/"))
    if settings.metrics_enabled:
        wanted.append(("metrics", settings.metrics_host, settings.metrics_port, "metrics_port", "/metrics"))
    windows: list[Window] = []
    for name, host, port, field, path in wanted:
        try:
            listener = bind_tcp(host, port)
        except BindError as error:
            if field in settings.given:
                close_windows(windows)
                raise
            log.warning("window_closed", window=name, error=str(error), setting=field)
            continue
        windows.append(Window(name, listener, f"http://{listener.address}{path}"))
    return windows


def close_windows(windows: list[Window]) -> None:
    for window in windows:
        window.listener.close()


async def keep_open(name: str, serve: Serve) -> None:
    """Serve for ever; what goes wrong concerns nobody else."""
    pause_s = _FIRST_PAUSE_S
    while True:
        started = trio.current_time()
        try:
            await serve()
        except* Exception as group:  # a window's failure is contained here
            log.error("window_failed", window=name, again_in_s=pause_s, exc_info=group)
        if trio.current_time() - started > _PAUSE_MAX_S:
            pause_s = _FIRST_PAUSE_S
        await trio.sleep(pause_s)
        pause_s = min(2 * pause_s, _PAUSE_MAX_S)
