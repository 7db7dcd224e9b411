"""What the page tells of the server itself: versions, settings and where they come from, what keeps it from working.

No secrets and no paths of the machine: of a setting that is a path it is told that there is one.
"""

import platform
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import PurePath

import h11
import trio

from aether.server.metrics_report import MetricsReport
from aether.server.settings import OPTIONS, Settings
from aether.version import VERSION
from aether.wire.plain import iso_time


def about_server(report: MetricsReport, settings: Settings) -> dict[str, object]:
    checks = report.readiness.checks()
    return {
        "version": VERSION,
        "node": report.node,
        "persistence": str(report.readiness.persistence),
        "started_at": iso_time(report.loop.clock.started_at),
        "versions": dict(_versions()),
        "settings": list(_settings(settings)),
        "checks": {name: fault or "ok" for name, fault in checks.items()},
    }


def _versions() -> Iterator[tuple[str, str]]:
    yield "aether", VERSION
    yield "python", platform.python_version()
    yield "trio", trio.__version__
    yield "h11", str(getattr(h11, "__version__", ""))
    # Where nothing is kept on disk, it was never loaded.
    apsw = sys.modules.get("apsw")
    if apsw is not None:
        yield "sqlite", apsw.sqlite_lib_version()


def _settings(settings: Settings) -> Iterator[dict[str, object]]:
    for option in OPTIONS:
        value = getattr(settings, option.field)
        given = settings.given.get(option.field)
        yield {
            "key": option.key,
            "value": _hidden(value) if option.is_path else _shown(value),
            "origin": _origin(given, option.key) if given else "default",
            "about": option.about,
        }


def _hidden(value: object) -> str:
    """Of a path or the address of a store: whether there is one."""
    return "" if value is None else "set"


def _shown(value: object) -> object:
    if isinstance(value, Enum):
        return str(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _origin(given: str, key: str) -> str:
    """A flag, a variable, or the name of a file and the line in it."""
    where = given.removesuffix(key).strip().removesuffix(":")
    path, colon, line = where.rpartition(":")
    return f"{PurePath(path).name}:{line}" if colon and line.isdigit() else given
