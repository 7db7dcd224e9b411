"""The server by its public contract, message by message."""

from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import evolve

from aether import errors
from aether.model.limits import DEFAULT_LIMITS
from aether.server import serve as serve_module
from aether.server.engine_loop import EngineLoop
from aether.server.settings import Persistence
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as cpb
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from aether.wire.status import RpcError
from tests.integration.peers import ServerProcess, done, payload, peer_of, served, step, timer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"])]

COMPLETED, FAILED, CANCELLED = mpb.RUN_STATE_COMPLETED, mpb.RUN_STATE_FAILED, mpb.RUN_STATE_CANCELLED


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "aether.db"


@pytest.mark.parametrize("mode", list(Persistence))
async def test_a_run_goes_from_start_to_result(db: Path, mode: Persistence) -> None:
    async with served(db, persistence=mode) as peer:
        started = await peer.start("order-1", '["a"]')
        worker = await peer.worker()
        task = await worker.task()
        assert task.workflow.run_id == started.run_id
        assert [event.seq for event in task.workflow.events] == [1, 2]
        assert task.workflow.events[0].run_created.input.data == b'["a"]'
        assert (await worker.complete(task.token, step("1"), step("2"))).seq == 4
        assert (await worker.complete(task.token, done('"ok"'))).seq == 5
        result = await peer.result("order-1")
        assert (result.state, result.result.data) == (COMPLETED, b'"ok"')
        status = await peer.status("order-1")
        assert (status.info.state, status.info.history_length, status.persistence) == (COMPLETED, 5, mode)
        assert await peer.facts("order-1") == [
            "run_created",
            "run_started",
            "step_completed",
            "step_completed",
            "run_completed",
        ]


async def test_who_waits_before_the_end_is_answered_at_the_end(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        results: list[cpb.WorkflowResult] = []

        async def wait() -> None:
            results.append(await peer.result("a"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
            worker = await peer.worker()
            await worker.complete((await worker.task()).token, done())
        assert [result.state for result in results] == [COMPLETED, COMPLETED]


async def test_starting_an_open_id_again_finds_the_same_run(db: Path) -> None:
    async with served(db) as peer:
        first = await peer.start("a", "1")
        again = await peer.start("a", "1")
        assert (again.run_id, again.existing, first.existing) == (first.run_id, True, False)
        with pytest.raises(errors.WorkflowAlreadyExists, match="with another input"):
            await peer.start("a", "2")
        with pytest.raises(errors.WorkflowAlreadyExists, match="as a t"):
            await peer.start("a", "1", workflow_type="other")


async def test_a_closed_id_may_be_started_anew(db: Path) -> None:
    async with served(db) as peer:
        worker = await peer.worker()
        runs = []
        for _ in range(2):
            runs.append((await peer.start("a")).run_id)
            await worker.complete((await worker.task()).token, done())
        assert runs[0] != runs[1]
        assert (await peer.status("a")).info.run_id == runs[1]
        assert (await peer.status("a", runs[0])).info.run_id == runs[0]


async def test_unknown_and_closed_runs_are_refused_by_name(db: Path) -> None:
    async with served(db) as peer:
        with pytest.raises(errors.WorkflowNotFound, match="'nope'"):
            await peer.status("nope")
        with pytest.raises(errors.WorkflowNotFound):
            await peer.result("nope")
        with pytest.raises(errors.WorkflowNotFound):
            await peer.cancel("nope")
        with pytest.raises(errors.WorkflowNotFound):
            await peer.history("nope")
        await peer.start("a")
        worker = await peer.worker()
        await worker.complete((await worker.task()).token, done())
        with pytest.raises(errors.WorkflowClosed, match="COMPLETED"):
            await peer.cancel("a")


async def test_a_run_that_nobody_has_begun_is_cancelled_at_once(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        assert (await peer.cancel("a")).state == CANCELLED
        assert await peer.facts("a") == ["run_created", "cancel_requested", "run_cancelled"]


async def test_wrong_requests_name_the_field_and_change_nothing(db: Path) -> None:
    async with served(db) as peer:
        wrong: list[tuple[str, cpb.StartWorkflowRequest]] = [
            ("workflow_type", cpb.StartWorkflowRequest(workflow_id="a")),
            ("workflow_id", cpb.StartWorkflowRequest(workflow_type="t", workflow_id="x" * 201)),
            ("workflow_id", cpb.StartWorkflowRequest(workflow_type="t", workflow_id="a\x1b[2J")),
            ("task_queue", cpb.StartWorkflowRequest(workflow_type="t", task_queue="q\n")),
        ]
        for name, request in wrong:
            with pytest.raises(errors.InvalidArgument) as refusal:
                await peer.call("ClientService/StartWorkflow", request, cpb.StartWorkflowResponse)
            assert refusal.value.field == name
        with pytest.raises(errors.LimitExceeded, match="at most"):
            await peer.start("a", "x" * (2 * 1024 * 1024 + 1))
        for method in ("ClientService/StartWorkflow", "WorkerService/CompleteStep", "AdminService/GetHistory"):
            with pytest.raises(RpcError, match="INVALID_ARGUMENT"):
                await peer.transport.unary(f"/aether.v1.{method}", b"\xff\xff\xff\xff")
        assert await peer.stream("AdminService/ListWorkflows", apb.ListRequest(), cpb.WorkflowInfo) == []


async def test_a_worker_that_leaves_loses_its_run_to_the_next(db: Path) -> None:
    async with served(db) as peer, peer_of(peer.address) as other:
        await peer.start("a")
        first = await peer.worker(worker_id="first")
        task = await first.task()
        await first.complete(task.token, step("1"))
        second = await other.worker(worker_id="second")
        first.stream.cancel()
        again = await second.task()
        assert again.token > task.token
        assert [event.WhichOneof("fact") for event in again.workflow.events] == [
            "run_created",
            "run_started",
            "step_completed",
            "run_started",
        ]
        restarted = again.workflow.events[-1].run_started
        assert (restarted.worker_id, restarted.attempt) == ("second", 2)
        with pytest.raises(errors.StaleLease):
            late = wpb.CompleteStepRequest(token=task.token, commands=[step("2")])
            await peer.call("WorkerService/CompleteStep", late, wpb.CompleteStepResponse)
        await second.complete(again.token, done())
        assert (await peer.result("a")).state == COMPLETED


async def test_a_refused_request_leaves_the_session_and_the_run_as_they_were(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        token = (await worker.task()).token
        refused = [
            wpb.CompleteStepRequest(token=token, commands=[wpb.Command()]),
            wpb.CompleteStepRequest(token=token, commands=[step("1"), step("x")]),
            wpb.CompleteStepRequest(token=token, commands=[done(), step("1")]),
            wpb.CompleteStepRequest(token=token, commands=[wpb.Command(complete_activity=wpb.CompleteActivity())]),
            wpb.CompleteStepRequest(token=token, commands=[wpb.Command(record_step=wpb.RecordStep(path="1"))]),
        ]
        worker.stream.send(wpb.WorkerMessage(completions=refused).SerializeToString())
        for _ in refused:
            response = (await worker.next()).response
            assert (response.refusal.type, response.token) == ("InvalidArgument", token)
        assert (await worker.complete(token + 1, step("1"))).refusal.type == "StaleLease"
        assert (await worker.complete(token, step("1"))).seq == 3


async def test_a_timer_wakes_a_parked_run_at_the_worker_that_keeps_it(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        task = await worker.task()
        answer = await worker.complete(task.token, timer("1", 30), blocked=True, known_seq=2)
        news = await worker.task()
        assert news.token == task.token
        assert [event.WhichOneof("fact") for event in news.workflow.events] == ["timer_fired"]
        assert news.workflow.events[0].at_us >= answer.at_us + 30_000
        await worker.complete(task.token, done())


async def test_who_comes_while_too_much_waits_is_told_to_come_back(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        token = (await worker.task()).token
        monkeypatch.setattr(EngineLoop, "is_full", True)
        told = r"too many requests wait; (ask again|come back) in a moment"
        for ask in (
            partial(peer.start, "b"),
            peer.worker,
            partial(worker.complete, token, done()),
            partial(peer.call, "WorkerService/CompleteStep", wpb.CompleteStepRequest(token=token), mpb.Event),
        ):
            with pytest.raises((RpcError, errors.ServerUnavailable), match=told):
                await ask()
        monkeypatch.undo()
        # What the worker had in hand is given to another one.
        assert (await (await peer.worker()).task()).workflow.workflow_id == "a"


async def test_a_long_history_arrives_in_parts_and_whole(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No room in memory: the events are read from the disk.
    monkeypatch.setattr(serve_module, "DEFAULT_LIMITS", evolve(DEFAULT_LIMITS, histories_bytes_max=1))
    async with served(db) as peer, peer_of(peer.address) as other:
        await peer.start("a")
        worker = await peer.worker()
        token = (await worker.task()).token
        big = '"' + "x" * 400_000 + '"'
        for number in range(1, 6):
            await worker.complete(token, step(str(number), big))
        await worker.complete(token, *[step(str(number)) for number in range(6, 900)])
        await peer.start("b")
        assert (await worker.task()).workflow.workflow_id == "b"
        successor = await other.worker()
        worker.stream.cancel()
        events: dict[str, list[int]] = {}
        ids: dict[int, str] = {}
        parts = 0
        while len(events.get("a", ())) < 902 or "b" not in events:
            task = await successor.task()
            parts += 1
            workflow_id = ids.setdefault(task.token, task.workflow.workflow_id)
            events.setdefault(workflow_id, []).extend(event.seq for event in task.workflow.events)
            assert task.workflow.more == (workflow_id == "a" and events["a"][-1] < 902)
        assert events == {"a": list(range(1, 903)), "b": [1, 2, 3]}
        assert parts >= 4


async def test_children_end_before_their_parent(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("parent")
        worker = await peer.worker("t", "child")
        task = await worker.task()
        child = wpb.Command(start_child=wpb.StartChild(path="1", workflow_type="child", input=payload("7")))
        assert (await worker.complete(task.token, child)).seq == 3
        child_task = await worker.task()
        assert child_task.workflow.workflow_id == "parent/1"
        assert child_task.workflow.events[0].run_created.parent_workflow_id == "parent"
        refused = await worker.complete(task.token, done())
        assert refused.refusal.type == "InvalidArgument"
        assert "children at 1 are open" in refused.refusal.message
        await worker.complete(child_task.token, done("49"))
        news = await worker.task()
        assert news.workflow.events[0].child_completed.result.data == b"49"
        await worker.complete(task.token, done())
        assert (await peer.status("parent/1")).info.parent_workflow_id == "parent"


async def test_what_does_not_fit_the_code_is_blocked_until_other_code_comes(db: Path) -> None:
    async with served(db) as peer, peer_of(peer.address) as other:
        await peer.start("a")
        worker = await peer.worker()
        token = (await worker.task()).token
        misfit = mpb.Failure(type="NonDeterminism", message="at path 1: history has step 'a', the code asks for 'b'")
        await worker.complete(token, wpb.Command(block_run=wpb.BlockRun(failure=misfit)))
        status = await peer.status("a")
        assert (status.blocked, status.failure.message, status.info.state) == (
            True,
            misfit.message,
            mpb.RUN_STATE_RUNNING,
        )
        fixed = await other.worker()
        task = await fixed.task()
        await fixed.complete(task.token, done())
        assert (await peer.result("a")).state == COMPLETED


async def test_health_and_reflection_answer_as_tools_expect(db: Path) -> None:
    from aether.wire.generated.grpc.health.v1 import health_pb2
    from aether.wire.generated.grpc.reflection.v1 import reflection_pb2

    async with served(db) as peer:
        raw = await peer.transport.unary("/grpc.health.v1.Health/Check", b"")
        assert health_pb2.HealthCheckResponse.FromString(raw).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(RpcError, match="NOT_FOUND"):
            unknown = health_pb2.HealthCheckRequest(service="nope")
            await peer.transport.unary("/grpc.health.v1.Health/Check", unknown.SerializeToString())
        stream = await peer.transport.open_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        answers = []
        for request in (
            reflection_pb2.ServerReflectionRequest(list_services="*"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="aether.v1.WorkerService"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="nope"),
        ):
            stream.send(request.SerializeToString())
            answers += [reflection_pb2.ServerReflectionResponse.FromString(raw) for raw in await stream.receive()]
        names = [service.name for service in answers[0].list_services_response.service]
        assert "aether.v1.ClientService" in names
        assert len(answers[1].file_descriptor_response.file_descriptor_proto) == 2
        assert answers[2].error_response.error_code == 5


async def test_metrics_count_what_happened(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        await peer.start("b", workflow_type="nobody-has-it")
        worker = await peer.worker(worker_id="w1")
        await worker.complete((await worker.task()).token, done())
        metrics = await peer.call("AdminService/GetMetrics", apb.GetMetricsRequest(), apb.Metrics)
        counts = {(item.workflow_type, item.state): item.count for item in metrics.runs}
        assert counts == {("t", COMPLETED): 1, ("nobody-has-it", mpb.RUN_STATE_PENDING): 1}
        assert [(item.kind, item.type, item.ready) for item in metrics.queues] == [("workflow", "nobody-has-it", 1)]
        assert [(item.worker_id, item.workflow_slots_used) for item in metrics.workers] == [("w1", 0)]
        assert (metrics.runs_started, metrics.runs_closed) == (2, 1)


async def test_metrics_tell_how_it_goes_and_what_went_wrong(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        await peer.start("b")
        await peer.start("c", workflow_type="nobody-has-it")
        worker = await peer.worker()
        tasks = [await worker.task(), await worker.task()]
        packed = step("1", name="pack")
        await worker.complete(tasks[0].token, packed, done())
        await worker.complete(tasks[1].token, wpb.Command(fail_run=wpb.FailRun(failure=mpb.Failure(type="Boom"))))
        metrics = await peer.call("AdminService/GetMetrics", apb.GetMetricsRequest(samples=True), apb.Metrics)
        traffic = {row.workflow_type: row for row in metrics.run_traffic}
        assert (traffic["t"].started, traffic["t"].completed, traffic["t"].failed) == (2, 1, 1)
        assert [(row.step, row.completed) for row in metrics.step_traffic] == [("pack", 1)]
        queues = [(row.task_queue, row.kind, row.added, row.taken) for row in metrics.queue_traffic]
        assert queues == [("default", "workflow", 3, 2)]
        assert (metrics.open.queued, metrics.open.running, metrics.steps) == (1, 0, 1)
        assert [(each.kind, each.workflow_id, each.failure_type) for each in metrics.problems] == [("run", "b", "Boom")]
        assert metrics.start_lag.count == 2
        assert 0 < metrics.start_lag.p50_us <= metrics.start_lag.p99_us
        assert metrics.writer.commits == metrics.commits > 0
        assert 0 < metrics.writer.commit.p50_us <= metrics.writer.commit.p99_us
        assert metrics.rss_bytes > 10_000_000
        assert metrics.at_us > metrics.started_at_us
        assert sum(sample.started for sample in metrics.samples) == 3


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(db: Path) -> None:
    server = ServerProcess.start(db)
    acknowledged: dict[str, int] = {}
    try:
        async with peer_of(server.address) as peer:
            worker = await peer.worker()
            for number in range(20):
                await peer.start(f"run-{number}")
            tasks = [await worker.task() for _ in range(20)]
            for round_ in range(1, 4):
                for task in tasks:
                    await worker.complete(task.token, step(str(round_)))
                    acknowledged[task.workflow.workflow_id] = round_
            server.kill()
        server = ServerProcess.start(db)
        async with peer_of(server.address) as peer:
            worker = await peer.worker()
            for _ in range(20):
                task = await worker.task()
                facts = [event.WhichOneof("fact") for event in task.workflow.events]
                assert facts.count("step_completed") == acknowledged[task.workflow.workflow_id]
                assert facts[-1] == "run_started"
                assert task.token > max(item.token for item in tasks)
                await worker.complete(task.token, done())
            with pytest.raises(errors.StaleLease):
                late = wpb.CompleteStepRequest(token=tasks[0].token, commands=[step("4")])
                await peer.call("WorkerService/CompleteStep", late, wpb.CompleteStepResponse)
    finally:
        assert server.stop() == 0


async def test_a_timer_that_was_due_while_the_server_was_dead_fires_when_it_is_back(db: Path) -> None:
    server = ServerProcess.start(db)
    async with peer_of(server.address) as peer:
        await peer.start("a")
        worker = await peer.worker()
        await worker.complete((await worker.task()).token, timer("1", 50), blocked=True, known_seq=2)
    server.kill()
    server = ServerProcess.start(db)
    try:
        async with peer_of(server.address) as peer:
            worker = await peer.worker()
            task = await worker.task()
            facts = [event.WhichOneof("fact") for event in task.workflow.events]
            assert facts == ["run_created", "run_started", "timer_started", "timer_fired"]
    finally:
        assert server.stop() == 0


async def test_sigterm_tells_workers_and_those_who_wait_and_ends_with_zero(db: Path) -> None:
    server = ServerProcess.start(db)
    async with peer_of(server.address) as peer:
        await peer.start("a")
        worker = await peer.worker()
        task = await worker.task()
        refused: list[Exception] = []

        async def wait() -> None:
            try:
                await peer.result("a")
            except errors.ServerUnavailable as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            for _ in range(2):
                # Answered in order: after the second, the server has the question of `wait`.
                await peer.status("a")
            server.process.terminate()
            assert (await worker.task()).HasField("drain")
            # What it has in hand may still be finished, and is kept.
            assert (await worker.complete(task.token, step("1"))).seq == 3
            assert (await worker.complete(task.token, done())).seq == 4
        assert len(refused) == 1
    assert server.wait() == 0


async def test_in_memory_mode_nothing_is_left_after_a_restart(db: Path) -> None:
    server = ServerProcess.start(db, Persistence.MEMORY)
    async with peer_of(server.address) as peer:
        await peer.start("a")
    server.kill()
    server = ServerProcess.start(db, Persistence.MEMORY)
    try:
        async with peer_of(server.address) as peer:
            with pytest.raises(errors.WorkflowNotFound):
                await peer.status("a")
        assert not db.exists()
    finally:
        assert server.stop() == 0
