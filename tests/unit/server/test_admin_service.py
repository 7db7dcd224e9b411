"""Lists are told with what the engine has room to say."""

import trio
import trio.testing

from aether.core.engine import Engine
from aether.model.limits import Limits
from aether.server.admin_service import AdminService
from aether.server.archive import Archive
from aether.server.census import Census
from aether.server.clock import Clock
from aether.server.engine_loop import EngineLoop
from aether.server.histories import Histories
from aether.server.http.local_call import LocalCall
from aether.server.metrics_report import MetricsReport
from aether.server.readiness import Readiness
from aether.server.tally import Tally
from aether.server.tiers import Tier
from aether.server.writer import DirectWriter
from aether.store.interface import Batch, RunRow
from aether.store.memory import MemoryStore
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.generated.aether.v1 import client_pb2


def test_a_list_adds_nothing_to_an_inbox_that_is_full():
    async def main() -> tuple[list[str], int]:
        store = MemoryStore()
        store.open()
        store.commit([Batch([RunRow(1, "w", "r", "order", "q", 1, None, 1, None)], [], [])])
        clock, limits, archive = Clock(), Limits(inbox_max=0), Archive(store)
        loop = EngineLoop(Engine(clock.now(), limits=limits), clock, Histories(1_000), Tally({}))
        writer = DirectWriter(store, loop.on_durable)
        loop.attach(writer)
        report = MetricsReport(loop, Readiness(loop, writer, Tier("memory")), Census(loop.engine.state), "node")
        call = LocalCall("ListWorkflows", 10)
        async with trio.open_nursery() as nursery:
            service = AdminService(clock, limits, archive, report, nursery)
            service.list_workflows(call, pb.ListRequest(doing=True).SerializeToString())
            await call.over()
        return [client_pb2.WorkflowInfo.FromString(each).workflow_id for each in call.messages], loop.waiting_count

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == (["w"], 0)
