"""`AdminService`: lists, numbers and histories for people who watch."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio
from google.protobuf.message import DecodeError

from aether.core.validate import check_name
from aether.errors import AetherError, InvalidArgument
from aether.model.limits import Limits
from aether.server import answers
from aether.server.archive import PAGE_EVENTS, Archive
from aether.server.metrics_report import MetricsReport
from aether.server.replies import fail, find_row, refuse, respond_later
from aether.store.interface import EventRow, Reader
from aether.wire.calls import Call, Method
from aether.wire.generated.aether.v1 import admin_pb2 as pb

_SERVICE = "/aether.v1.AdminService/"


class AdminService:
    def __init__(
        self,
        limits: Limits,
        archive: Archive,
        report: MetricsReport,
        nursery: trio.Nursery,
    ) -> None:
        self._limits = limits
        self._archive = archive
        self._report = report
        self._nursery = nursery

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "ListWorkflows", self.list_workflows, "unary"),
            Method(_SERVICE + "GetMetrics", self.get_metrics, "unary"),
            Method(_SERVICE + "GetHistory", self.get_history, "unary"),
        ]

    def list_workflows(self, call: Call, message: bytes) -> None:
        try:
            request = pb.ListRequest.FromString(message)
            check_name(self._limits, request.workflow_type, "workflow_type", required=False)
            check_name(self._limits, request.workflow_id_prefix, "workflow_id_prefix", required=False)
            limit = request.limit or self._limits.list_default
            if limit > self._limits.list_max:
                raise InvalidArgument(f"limit is {limit}; at most {self._limits.list_max}", field="limit")
        except (AetherError, DecodeError) as fault:
            refuse(call, fault)
            return

        async def stream() -> None:
            rows = await self._archive.read(
                lambda reader: reader.list_runs(
                    type=request.workflow_type or None,
                    state=int(request.state) or None,
                    workflow_id_prefix=request.workflow_id_prefix or None,
                    limit=limit,
                )
            )
            for row in rows:
                call.send(answers.info_of_row(row).SerializeToString())

        self._nursery.start_soon(_stream, call, stream)

    def get_metrics(self, call: Call, message: bytes) -> None:
        try:
            request = pb.GetMetricsRequest.FromString(message)
        except DecodeError as fault:
            refuse(call, fault)
            return

        async def produce() -> bytes:
            metrics = await self._report.take(samples=request.samples)
            return metrics.SerializeToString()

        self._nursery.start_soon(respond_later, call, produce)

    def get_history(self, call: Call, message: bytes) -> None:
        try:
            request = pb.GetHistoryRequest.FromString(message)
            check_name(self._limits, request.workflow_id, "workflow_id")
            check_name(self._limits, request.run_id, "run_id", required=False)
            if request.after_seq > self._limits.history_max:
                raise InvalidArgument(f"no history has {request.after_seq} events", field="after_seq")
        except (AetherError, DecodeError) as fault:
            refuse(call, fault)
            return

        async def stream() -> None:
            row = await self._archive.read(partial(find_row, request.workflow_id, request.run_id))
            after = request.after_seq
            while True:
                page = await self._archive.read(partial(_events_after, row.key, after))
                for event in page:
                    await _room(call)
                    call.send(event.body)
                if len(page) < PAGE_EVENTS:
                    return
                after = page[-1].seq

        self._nursery.start_soon(_stream, call, stream)


def _events_after(run_key: int, after_seq: int, reader: Reader) -> list[EventRow]:
    return reader.events(run_key, after_seq, PAGE_EVENTS)


async def _room(call: Call) -> None:
    """Wait until the peer has read enough of what it was sent."""
    if not call.is_congested:
        return
    writable = trio.Event()
    call.on_writable = writable.set
    call.on_closed = lambda reason: writable.set()
    await writable.wait()


async def _stream(call: Call, produce: Callable[[], Awaitable[None]]) -> None:
    try:
        await produce()
    except Exception as fault:  # noqa: BLE001 - contained: one answer is lost, everybody else carries on
        fail(call, fault)
    else:
        call.finish()
