"""`AdminService`: lists and numbers for people who watch. What is asked of one run is answered by `PastService`."""

import trio
from google.protobuf.message import DecodeError

from aether.core.doing import Doing
from aether.core.inputs import SurveyRuns
from aether.core.validate import check_name
from aether.errors import InvalidArgument
from aether.model.filters import Pattern, RunFilter, StateTerm, Term, TextTerm, parse_filter
from aether.model.limits import Limits
from aether.model.runs import RunState
from aether.server import answers
from aether.server.archive import Archive
from aether.server.clock import Clock
from aether.server.metrics_report import MetricsReport
from aether.server.replies import refuse, respond_later, stream_later
from aether.server.requests import refusing
from aether.server.row_states import with_true_state
from aether.store.interface import RunRow
from aether.wire.calls import Call, Method
from aether.wire.generated.aether.v1 import admin_pb2 as pb

_SERVICE = "/aether.v1.AdminService/"
# A list is told without what runs do if that is not known by then.
_SURVEY_S = 2.0
# Keys of stores are signed numbers of 64 bits.
_KEY_MAX = 2**63 - 1


class AdminService:
    def __init__(
        self, clock: Clock, limits: Limits, archive: Archive, report: MetricsReport, nursery: trio.Nursery
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._archive = archive
        self._report = report
        self._nursery = nursery

    def methods(self) -> list[Method]:
        return [
            Method(_SERVICE + "ListWorkflows", self.list_workflows, "unary"),
            Method(_SERVICE + "GetMetrics", self.get_metrics, "unary"),
        ]

    @refusing
    def list_workflows(self, call: Call, message: bytes) -> None:
        request = pb.ListRequest.FromString(message)
        check_name(self._limits, request.workflow_type, "workflow_type", required=False)
        check_name(self._limits, request.workflow_id_prefix, "workflow_id_prefix", required=False)
        limit = request.limit or self._limits.list_default
        if limit > self._limits.list_max:
            raise InvalidArgument(f"limit is {limit}; at most {self._limits.list_max}", field="limit")
        for field in ("before_run_key", "after_run_key"):
            if getattr(request, field) > _KEY_MAX:
                raise InvalidArgument(f"no run has the key {getattr(request, field)}", field=field)
        wanted = _wanted(request, self._clock.now())

        async def stream() -> None:
            before_key = None if request.oldest_first else request.before_run_key or None
            after_key = request.after_run_key if request.oldest_first else None
            rows = await self._archive.read(
                lambda reader: [
                    with_true_state(row, reader)
                    for row in reader.list_runs(wanted, before_key=before_key, after_key=after_key, limit=limit)
                ]
            )
            survey = await self._survey(rows) if request.doing else {}
            for row in rows:
                info = answers.info_of_row(row)
                if row.key in survey:
                    answers.add_doing(info, survey[row.key])
                call.send(info.SerializeToString())

        self._nursery.start_soon(stream_later, call, stream)

    async def _survey(self, rows: list[RunRow]) -> dict[int, Doing]:
        """What the engine knows of those that are open; nothing while it has no room, or answers wait for the disk."""
        loop = self._report.loop
        keys = tuple(row.key for row in rows if row.closed_at is None)
        if not keys or loop.is_full or self._report.readiness.writer.fault:
            return {}
        answered, survey = trio.Event(), dict[int, Doing]()

        def take(answer: object) -> None:
            assert isinstance(answer, dict)
            survey.update(answer)
            answered.set()

        loop.post(SurveyRuns(take, keys))
        with trio.move_on_after(_SURVEY_S):
            await answered.wait()
        return survey

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


def _wanted(request: pb.ListRequest, now: int) -> RunFilter:
    """What the fields say and what the filter says, as one."""
    terms: list[Term] = []
    if request.workflow_type:
        terms.append(TextTerm("type", (Pattern(request.workflow_type),)))
    if request.state:
        try:
            terms.append(StateTerm((RunState(request.state),)))
        except ValueError:
            raise InvalidArgument(f"{request.state} is no state of a run", field="state") from None
    if request.workflow_id_prefix:
        terms.append(TextTerm("id", (Pattern(request.workflow_id_prefix, is_prefix=True),)))
    return RunFilter((*terms, *parse_filter(request.filter, now).terms))
