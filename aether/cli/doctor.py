"""`aether doctor`: looks at everything that a server needs, and says of each what is wrong and what to do about it.

Nothing is changed, and a server that runs is not disturbed: the database is read on a connection of its own, and the
lock of its owner is only asked about.
"""

import fcntl
import os
import platform
import shutil
import socket
import sysconfig
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import apsw
import typer

from aether.cli.call import Caller
from aether.cli.checkup import check_machine, check_ports
from aether.cli.clock import now_us
from aether.cli.exit_codes import ExitCode
from aether.cli.findings import Finding, Level
from aether.cli.moments import duration
from aether.cli.options import DEFAULT_SERVER, SERVER_VARIABLE, show_rows
from aether.cli.output import Column, Format, Row
from aether.errors import AetherError, SettingsError
from aether.server.settings import Persistence, Settings, StoreUrl, load_settings
from aether.store import sqlite_schema
from aether.store.interface import StoreError
from aether.store.open import open_store
from aether.store.sqlite_check import check_file
from aether.version import VERSION
from aether.wire.generated.aether.v1 import admin_pb2
from aether.wire.generated.grpc.health.v1 import health_pb2
from aether.wire.plain import iso_time

# A server answers at once or is in trouble.
_PATIENCE_S = 5.0
_FAULTS_SHOWN = 20
# A larger database takes too long to be read whole.
_READ_BYTES_MAX = 256 << 20
_CHECK = "it is large: `aether db check` reads all of it"
# Less room than this on the disk of the database is soon none.
_FREE_BYTES_MIN = 1 << 30
# With less than this nothing can be written soon: the log of a busy server takes a megabyte at a time.
_FULL_BYTES = 16 << 20
# Clocks of two machines that are kept right differ by less.
_SKEW_MAX_US = 2_000_000
# This code was written later than this: a clock before it was never set.
_NEVER_BEFORE_US = 1_750_000_000_000_000


_COLUMNS = (Column("CHECK"), Column("STATE"), Column("FOUND", can_shrink=True), Column("WHAT TO DO", can_shrink=True))


def examine(server: str, output: Format, config: Path | None) -> None:
    """Shows all findings; ends with 1 when one of them is a fail."""
    findings = list(_findings(server, config))
    # As names only what is not in order.
    shown = [each for each in findings if output is not Format.NAME or each.level is not Level.OK]
    show_rows(output, "finding", _COLUMNS, map(_row, shown))
    if any(each.level is Level.FAIL for each in findings):
        raise typer.Exit(ExitCode.FAILED)


def _row(each: Finding) -> Row:
    cells = (each.subject, each.level.value, each.text, each.advice)
    return Row(cells, dict(zip(("check", "state", "found", "advice"), cells, strict=True)), each.subject)


def _findings(server: str, config: Path | None) -> Iterator[Finding]:
    now = now_us()
    yield check_python(sysconfig.get_config_var("CONFIG_ARGS"))
    yield check_sqlite(apsw.sqlite_lib_version())
    settings = None
    try:
        settings = load_settings(environ=os.environ, config=config)
    except SettingsError as error:
        yield from (Finding(Level.FAIL, "settings", fault, "mend it there") for fault in error.faults)
    if settings is not None:
        yield from check_host(settings.grpc_host)
        yield Finding(Level.OK, "settings", f"{settings.persistence}, {settings.grpc_host}:{settings.grpc_port}")
        yield from check_database(settings)
        yield from check_ports(settings)
    yield from check_machine(_folder_of(settings))
    yield check_clock(now, _last_written_us(settings))
    yield from check_server(server, now, is_wanted=server != DEFAULT_SERVER or SERVER_VARIABLE in os.environ)


def check_python(built_with: str | None) -> Finding:
    """`built_with` is what the interpreter's configure script was given; None where there was none."""
    text = f"{platform.python_version()}, aether {VERSION}"
    if built_with is None or "--enable-optimizations" in built_with:
        return Finding(Level.OK, "python", text)
    return Finding(
        Level.WARN,
        "python",
        f"{text}; built without --enable-optimizations, so everything takes about 1.4 times as long",
        "take an optimised one, as of a Linux distribution or uv; pyenv builds one with PYTHON_CONFIGURE_OPTS",
    )


def check_sqlite(number: str) -> Finding:
    try:
        sqlite_schema.refuse_old_sqlite(number)
    except StoreError as error:
        return Finding(Level.FAIL, "sqlite", error.what, error.advice)
    return Finding(Level.OK, "sqlite", f"{number}, apsw {apsw.apsw_version()}")


def check_host(host: str) -> Iterator[Finding]:
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        text = f"server.grpc_host {host!r} is the name of no machine ({error.strerror})"
        yield Finding(Level.FAIL, "settings", text, "a server can not listen there: name an address of this machine")


def check_clock(now: int, last_written: int) -> Finding:
    """`last_written` is when the database was changed last, 0 if that is not known."""
    if now < _NEVER_BEFORE_US:
        return Finding(Level.FAIL, "clock", f"says {iso_time(now)}", "set it")
    if last_written > now + _SKEW_MAX_US:
        behind = duration(last_written - now)
        return Finding(Level.WARN, "clock", f"{behind} behind the last write of the database", "set it; timers wait")
    return Finding(Level.OK, "clock", iso_time(now))


def _folder_of(settings: Settings | None) -> Path | None:
    """Where the database is or will be; None if there is none on a disk of this machine."""
    if settings is None or settings.persistence is Persistence.MEMORY or isinstance(settings.db_path, StoreUrl):
        return None
    return next(parent for parent in settings.db_path.absolute().parents if parent.exists())


def _last_written_us(settings: Settings | None) -> int:
    if settings is None or settings.persistence is Persistence.MEMORY or isinstance(settings.db_path, StoreUrl):
        return 0
    if not settings.db_path.is_file():
        return 0
    return settings.db_path.stat().st_mtime_ns // 1000


def check_database(settings: Settings) -> Iterator[Finding]:
    if settings.persistence is Persistence.MEMORY:
        yield Finding(Level.OK, "database", "none, by its setting: everything is gone when the server ends")
        return
    path = settings.db_path
    if isinstance(path, StoreUrl):
        yield _check_custom(path)
        return
    if not path.exists():
        yield _check_place(path)
        return
    free = shutil.disk_usage(path.parent).free
    if free < _FREE_BYTES_MIN:
        level = Level.FAIL if free < _FULL_BYTES else Level.WARN
        yield Finding(level, "disk", f"{free >> 20} MiB left beside {path}", "make room")
    try:
        if _format_of(path) < sqlite_schema.FORMAT:
            older = f"{path}: of an older format"
            yield Finding(Level.WARN, "database", older, "it is migrated by `aether db migrate`, or by a start")
            return
        if path.stat().st_size > _READ_BYTES_MAX:
            yield Finding(Level.OK, "database", f"{path}: {path.stat().st_size >> 20} MiB, {_used(path)}", _CHECK)
            return
        faults = list(islice(check_file(str(path), None), _FAULTS_SHOWN))
    except StoreError as error:
        yield Finding(Level.FAIL, "database", f"{error.where}: {error.what}", error.advice)
        return
    if faults:
        restore = "stop the server and restore the newest backup that is whole"
        yield from (Finding(Level.FAIL, "database", f"{path}: {fault}", restore) for fault in faults)
        return
    yield Finding(Level.OK, "database", f"{path}: whole, {path.stat().st_size >> 10} KiB, {_used(path)}")


def _used(path: Path) -> str:
    holder = lock_holder(path)
    return f"in use by {holder}" if holder else "not in use"


def _check_custom(url: StoreUrl) -> Finding:
    try:
        store = open_store(url)
    except StoreError as error:
        return Finding(Level.FAIL, "database", f"{error.where}: {error.what}", error.advice)
    return Finding(Level.OK, "database", f"{store.location}: of the store {store.name}, not looked into")


def _check_place(path: Path) -> Finding:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(Level.FAIL, "database", f"{path} can not be made: {folder} is closed to this user", "open it")
    return Finding(Level.OK, "database", f"{path} is not there yet; a server makes it")


def _format_of(path: Path) -> int:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        with closing(connection):
            return sqlite_schema.read_format(connection, str(path))
    except apsw.NotADBError:
        raise StoreError("is no SQLite database", where=str(path), advice="name another file") from None
    except apsw.Error as error:
        raise StoreError(f"can not be read ({error})", where=str(path), advice="see who else has it") from None


def lock_holder(path: Path) -> str:
    """What the owner of the database says of itself; empty when nobody has it."""
    try:
        file = os.open(f"{path}.lock", os.O_RDONLY)
    except OSError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.pread(file, 200, 0).decode(errors="replace").strip() or "another process"
    finally:
        os.close(file)
    return ""


def check_server(server: str, now: int, *, is_wanted: bool) -> Iterator[Finding]:
    """A server that nobody named may be missing: engines that are embedded in scripts need none."""
    caller = Caller(server, _PATIENCE_S)
    try:
        answer = caller.unary("/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest())
        metrics = admin_pb2.Metrics.FromString(
            caller.unary("/aether.v1.AdminService/GetMetrics", admin_pb2.GetMetricsRequest())
        )
    except AetherError as error:
        yield Finding(Level.FAIL if is_wanted else Level.WARN, "server", str(error), "see `aether serve --help`")
        return
    # A server that can not write does not call itself ready either.
    if metrics.storage_fault:
        advice = "make room on its disk, or mend it; the server goes on by itself"
        yield Finding(Level.FAIL, "server", f"{server} can not write: {metrics.storage_fault}", advice)
    elif health_pb2.HealthCheckResponse.FromString(answer).status != health_pb2.HealthCheckResponse.SERVING:
        yield Finding(Level.WARN, "server", f"{server} is about to stop", "wait, or start it again")
    else:
        workers = f"{len(metrics.workers)} worker" + ("" if len(metrics.workers) == 1 else "s")
        kept = f"aether {metrics.version}, {metrics.persistence}"
        if metrics.snapshot_interval_ms:
            kept += f" ({duration(metrics.snapshot_interval_ms * 1000)} behind at most)"
        yield Finding(Level.OK, "server", f"{server} answers: {kept}, {workers}")
    yield from _check_work(metrics)
    if metrics.version != VERSION:
        advice = "install the same, or nearly the same, on both sides"
        yield Finding(Level.WARN, "version", f"{server} is aether {metrics.version}, and this is {VERSION}", advice)
    if metrics.started_at_us > now + _SKEW_MAX_US:
        ahead = duration(metrics.started_at_us - now)
        yield Finding(Level.WARN, "clock", f"the server's is ahead by {ahead} or more", "set both clocks")


def _check_work(metrics: admin_pb2.Metrics) -> Iterator[Finding]:
    """Tasks that are ready, and nobody takes from their queue."""
    served = {worker.task_queue for worker in metrics.workers if not worker.draining}
    waiting: dict[str, int] = {}
    for line in metrics.queues:
        if line.task_queue not in served:
            waiting[line.task_queue] = waiting.get(line.task_queue, 0) + line.ready
    for queue, count in sorted(waiting.items()):
        tasks = "1 task waits" if count == 1 else f"{count} tasks wait"
        text = f"{tasks} in task queue {queue}, and no worker takes from it"
        yield Finding(Level.WARN, "workers", text, "start one: `aether worker MODULE:CLIENT`")
