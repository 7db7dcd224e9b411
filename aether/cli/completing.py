"""What a shell offers when somebody presses Tab: ids of runs, types and task queues, as the server knows them.

A key press must not wait: the server has 300 ms, and what it said is good for a few seconds. When anything is wrong,
nothing is offered.
"""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import typer

from aether.cli.clock import now_us

_PATIENCE_S = 0.3
_FRESH_US = 5_000_000
_OFFERED = 100


def complete_id(ctx: typer.Context, incomplete: str) -> list[str]:
    return _offer(ctx, "id", incomplete, _ids)


def complete_type(ctx: typer.Context, incomplete: str) -> list[str]:
    return _offer(ctx, "type", incomplete, _types)


def complete_queue(ctx: typer.Context, incomplete: str) -> list[str]:
    return _offer(ctx, "queue", incomplete, _queues)


def one_of(*choices: str) -> Callable[[str], list[str]]:
    """For what has few values, which no server has to be asked for."""

    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def _offer(ctx: typer.Context, kind: str, begin: str, ask: Callable[[str, str], Iterable[str]]) -> list[str]:
    # The function that completes is called before variables and defaults have been looked at.
    from aether.cli.options import DEFAULT_SERVER, SERVER_VARIABLE

    server = str(ctx.params.get("server") or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER)
    file = _cache(server, kind, begin)
    offered = _kept(file)
    if offered is None:
        try:
            found = list(ask(server, begin))
        except Exception:  # noqa: BLE001 - whatever it is, a shell that is about to complete is no place to tell it
            return []
        offered = sorted({name for name in found if name.startswith(begin) and name.isprintable()})[:_OFFERED]
        _keep(file, offered)
    return offered


def _ids(server: str, begin: str) -> Iterable[str]:
    from aether.cli.finding import ids_that_begin

    return ids_that_begin(server, begin, _PATIENCE_S)


def _types(server: str, begin: str) -> Iterable[str]:
    metrics = _metrics(server)
    known = {row.workflow_type for row in metrics.runs} | {row.workflow_type for row in metrics.run_traffic}
    return known.union(*(worker.workflow_types for worker in metrics.workers)) - {"__other__"}


def _queues(server: str, begin: str) -> Iterable[str]:
    from aether.cli.call import Caller
    from aether.wire.generated.aether.v1 import admin_pb2 as pb

    answer = Caller(server, _PATIENCE_S).unary("/aether.v1.AdminService/ListQueues", pb.ListQueuesRequest())
    return [queue.task_queue for queue in pb.ListQueuesResponse.FromString(answer).queues]


def _metrics(server: str) -> Any:
    from aether.cli.call import Caller
    from aether.wire.generated.aether.v1 import admin_pb2 as pb

    answer = Caller(server, _PATIENCE_S).unary("/aether.v1.AdminService/GetMetrics", pb.GetMetricsRequest())
    return pb.Metrics.FromString(answer)


def _cache(server: str, kind: str, begin: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aether"
    return folder / f"complete-{sha256(repr((server, kind, begin)).encode()).hexdigest()[:24]}.json"


def _kept(file: Path) -> list[str] | None:
    with suppress(OSError, ValueError):
        age = now_us() - file.stat().st_mtime_ns // 1000
        if 0 <= age < _FRESH_US:
            return [str(name) for name in json.loads(file.read_text())]
    return None


def _keep(file: Path, offered: list[str]) -> None:
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in file.parent.glob("complete-*.json"):
            if now_us() - old.stat().st_mtime_ns // 1000 > _FRESH_US:
                old.unlink(missing_ok=True)
        file.write_text(json.dumps(offered))
