"""Start options, signals, promises, published values, step retries and forced ends, message by message."""

from pathlib import Path

import pytest
import trio

from aether import errors
from aether.wire.generated.aether.v1 import client_pb2 as cpb
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb
from tests.integration.peers import Peer, ServerProcess, Worker, done, payload, peer_of, served, step

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"])]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "aether.db"


async def signal(peer: Peer, workflow_id: str, value: str, signal_id: str = "") -> cpb.SignalResponse:
    request = cpb.SignalRequest(workflow_id=workflow_id, name="news", value=payload(value), signal_id=signal_id)
    return await peer.call("ClientService/SignalWorkflow", request, cpb.SignalResponse)


async def start(peer: Peer, **fields: object) -> cpb.StartWorkflowResponse:
    request = cpb.StartWorkflowRequest(workflow_type="t", input=payload(), **fields)  # type: ignore[arg-type]
    return await peer.call("ClientService/StartWorkflow", request, cpb.StartWorkflowResponse)


async def complete_promise(peer: Peer, token: str, **outcome: object) -> cpb.CompletePromiseResponse:
    request = cpb.CompletePromiseRequest(token=token, **outcome)  # type: ignore[arg-type]
    return await peer.call("ClientService/CompletePromise", request, cpb.CompletePromiseResponse)


async def read(peer: Peer, workflow_id: str, key: str) -> cpb.ReadValueResponse:
    request = cpb.ReadValueRequest(workflow_id=workflow_id, key=key)
    return await peer.call("ClientService/ReadValue", request, cpb.ReadValueResponse)


async def next_facts(worker: Worker) -> list[str]:
    return [str(event.WhichOneof("fact")) for event in (await worker.task()).workflow.events]


async def test_signals_arrive_in_order_once_and_also_before_any_worker_is_there(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        for number in range(3):
            assert not (await signal(peer, "a", str(number), f"id-{number}")).duplicate
        assert (await signal(peer, "a", "1", "id-1")).duplicate
        worker = await peer.worker()
        task = await worker.task()
        values = [
            event.signal_received.value.data for event in task.workflow.events if event.HasField("signal_received")
        ]
        assert values == [b"0", b"1", b"2"]
        await signal(peer, "a", "3")
        assert await next_facts(worker) == ["signal_received"]
        await worker.complete(task.token, done())
        with pytest.raises(errors.WorkflowClosed):
            await signal(peer, "a", "4")
        with pytest.raises(errors.WorkflowNotFound):
            await signal(peer, "nobody", "5")


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_start_whose_answer_was_lost_makes_one_run_even_if_that_is_over_by_now(
    db: Path, is_restarted: bool
) -> None:
    server = ServerProcess.start(db)
    async with peer_of(server.address) as peer:
        assert (await start(peer, workflow_id="a", run_id="mine")).run_id == "mine"
        worker = await peer.worker()
        await worker.complete((await worker.task()).token, done("7"))
    if is_restarted:
        server.kill()
        server = ServerProcess.start(db)
    try:
        async with peer_of(server.address) as peer:
            again = await start(peer, workflow_id="a", run_id="mine")
            assert (again.run_id, again.existing) == ("mine", True)
            awaited = await start(peer, workflow_id="a", run_id="mine", await_result=True)
            assert awaited.result.result == payload("7")
            assert not (await start(peer, workflow_id="a", run_id="other")).existing
    finally:
        assert server.stop() == 0


async def test_a_start_may_be_answered_with_the_result(db: Path) -> None:
    async with served(db) as peer, trio.open_nursery() as nursery:
        results: list[cpb.StartWorkflowResponse] = []

        async def run() -> None:
            results.append(await start(peer, workflow_id="a", await_result=True))

        nursery.start_soon(run)
        worker = await peer.worker()
        task = await worker.task()
        assert results == []
        await worker.complete(task.token, done("7"))
    assert results[0].result.result == payload("7")


async def test_whoever_gives_up_waiting_for_a_start_that_has_to_look_on_disk_starts_nothing(db: Path) -> None:
    reject = cpb.ID_REUSE_POLICY_REJECT
    async with served(db) as peer:
        assert not (await start(peer, workflow_id="before", id_reuse_policy=reject)).existing
        with trio.move_on_after(0):
            await start(peer, workflow_id="a", id_reuse_policy=reject, await_result=True)
        assert not (await start(peer, workflow_id="behind", id_reuse_policy=reject)).existing
        with pytest.raises(errors.WorkflowNotFound):
            await peer.status("a")


async def test_a_signal_that_was_acknowledged_survives_the_server_and_is_still_known_by_its_id(db: Path) -> None:
    server = ServerProcess.start(db)
    async with peer_of(server.address) as peer:
        await peer.start("a")
        await signal(peer, "a", "1", "x")
    server.kill()
    server = ServerProcess.start(db)
    try:
        async with peer_of(server.address) as peer:
            assert (await signal(peer, "a", "1", "x")).duplicate
            assert (await peer.facts("a")).count("signal_received") == 1
    finally:
        assert server.stop() == 0


async def test_a_promise_is_kept_once_by_whoever_has_its_token(db: Path) -> None:
    async with served(db) as peer:
        run_id = (await peer.start("a/b")).run_id
        worker = await peer.worker()
        task = await worker.task()
        promise = wpb.Command(create_promise=wpb.CreatePromise(path="1", name="approval"))
        await worker.complete(task.token, promise, blocked=True, known_seq=2)
        pending = (await peer.status("a/b")).pending
        assert [(item.kind, item.name) for item in pending] == [("promise", "approval")]
        token = f"1/{run_id}/a/b"
        assert not (await complete_promise(peer, token, result=payload('"yes"'))).duplicate
        assert (await complete_promise(peer, token, result=payload('"no"'))).duplicate
        assert (await worker.task()).workflow.events[0].promise_resolved.result.data == b'"yes"'
        for wrong in ("", "1", f"2/{run_id}/a/b"):
            with pytest.raises(errors.InvalidArgument):
                await complete_promise(peer, wrong, result=payload())
        with pytest.raises(errors.InvalidArgument):
            await complete_promise(peer, token)
        await worker.complete(task.token, done())
        assert (await complete_promise(peer, token, result=payload())).duplicate


async def test_a_promise_may_be_broken_or_given_up(db: Path) -> None:
    async with served(db) as peer:
        run_id = (await peer.start("a")).run_id
        worker = await peer.worker()
        token = (await worker.task()).token
        for path in ("1", "2"):
            await worker.complete(token, wpb.Command(create_promise=wpb.CreatePromise(path=path, name="p")))
        await complete_promise(peer, f"1/{run_id}/a", failure=mpb.Failure(type="Refused", message="no"))
        assert (await worker.task()).workflow.events[0].promise_rejected.failure.type == "Refused"
        await worker.complete(token, wpb.Command(cancel_pending=wpb.CancelPending(path="2")))
        assert (await complete_promise(peer, f"2/{run_id}/a", result=payload())).duplicate
        assert (await peer.facts("a"))[-1] == "promise_dropped"


async def test_what_a_run_publishes_may_be_read_while_it_is_open_and_afterwards(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        token = (await worker.task()).token
        assert not (await read(peer, "a", "progress")).found
        for path, value in (("1", "10"), ("2", "20")):
            publish = wpb.PublishValue(path=path, key="progress", value=payload(value))
            await worker.complete(token, wpb.Command(publish_value=publish))
        assert (await read(peer, "a", "progress")).value.data == b"20"
        await worker.complete(token, done())
        assert (await read(peer, "a", "progress")).value.data == b"20"
        assert not (await read(peer, "a", "other")).found
        with pytest.raises(errors.WorkflowNotFound):
            await read(peer, "nobody", "progress")


async def test_a_step_that_is_to_be_tried_again_wakes_its_run_when_it_is_due(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        token = (await worker.task()).token
        failure = mpb.Failure(type="ValueError", message="not yet")
        policy = mpb.RetryPolicy(initial_ms=20, factor=1, maximum_ms=20, max_attempts=2)
        attempt = wpb.FailStep(path="1", name="s", failure=failure, attempt=1, retry=policy)
        await worker.complete(token, wpb.Command(fail_step=attempt))
        retried = (await worker.task()).workflow.events[0]
        assert retried.step_retried.next_at_us == retried.at_us + 20_000
        await worker.complete(token, blocked=True, known_seq=retried.seq)
        pending = (await peer.status("a")).pending
        assert [(item.kind, item.name, item.last_failure.message) for item in pending] == [("step", "s", "not yet")]
        fired = (await worker.task()).workflow.events[0]
        assert fired.timer_fired.path == "1"
        assert fired.at_us >= retried.step_retried.next_at_us
        attempt.attempt = 2
        await worker.complete(token, wpb.Command(fail_step=attempt))
        assert await next_facts(worker) == ["step_failed"]


async def test_a_delayed_start_is_pending_until_it_is_due_whatever_happens_to_it(db: Path) -> None:
    async with served(db) as peer:
        worker = await peer.worker()
        started = await start(peer, workflow_id="a", start_delay_ms=150)
        await signal(peer, "a", "1")
        assert (await peer.status("a")).info.state == mpb.RUN_STATE_PENDING
        events = (await worker.task()).workflow.events
        assert events[-1].at_us >= events[0].run_created.start_at_us > events[0].at_us
        assert events[0].run_created.run_id == started.run_id


async def test_a_run_that_outlives_its_timeout_fails_and_its_worker_is_told(db: Path) -> None:
    async with served(db) as peer:
        worker = await peer.worker()
        await start(peer, workflow_id="a", run_timeout_ms=50)
        task = await worker.task()
        assert (await worker.task()).HasField("revoked")
        result = await peer.result("a")
        assert (result.state, result.failure.type) == (mpb.RUN_STATE_FAILED, "WorkflowTimeout")
        assert (await worker.complete(task.token, step("1"))).refusal.type == "StaleLease"


@pytest.mark.parametrize(
    ("policy", "after_completed", "after_failed"),
    [("ALLOW", True, True), ("ALLOW_IF_FAILED", False, True), ("REJECT", False, False)],
)
async def test_an_id_is_used_again_only_as_its_policy_says(
    db: Path, policy: str, after_completed: bool, after_failed: bool
) -> None:
    reuse = cpb.IdReusePolicy.Value(f"ID_REUSE_POLICY_{policy}")
    fail = wpb.Command(fail_run=wpb.FailRun(failure=mpb.Failure(type="E")))
    for restart in (False, True):
        async with served(db) as peer:
            worker = await peer.worker()
            if not restart:
                for workflow_id, end in (("completed", done()), ("failed", fail)):
                    await start(peer, workflow_id=workflow_id, id_reuse_policy=reuse)
                    await worker.complete((await worker.task()).token, end)
            for workflow_id, allowed in (("completed", after_completed), ("failed", after_failed)):
                if allowed:
                    continue
                with pytest.raises(errors.WorkflowAlreadyExists, match="was used before"):
                    await start(peer, workflow_id=workflow_id, id_reuse_policy=reuse)
            if restart and after_failed:
                assert not (await start(peer, workflow_id="failed", id_reuse_policy=reuse)).existing


async def test_force_ends_a_run_whatever_its_code_does(db: Path) -> None:
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        task = await worker.task()
        request = cpb.CancelRequest(workflow_id="a", force=True, reason="stuck")
        response = await peer.call("ClientService/CancelWorkflow", request, cpb.CancelResponse)
        assert response.state == mpb.RUN_STATE_CANCELLED
        assert (await worker.task()).HasField("revoked")
        assert (await worker.complete(task.token, step("1"))).refusal.type == "StaleLease"
        assert (await peer.facts("a"))[-2:] == ["cancel_requested", "run_cancelled"]


@pytest.mark.parametrize(
    ("policy", "state"), [("TERMINATE", mpb.RUN_STATE_CANCELLED), ("ABANDON", mpb.RUN_STATE_RUNNING)]
)
async def test_what_becomes_of_a_child_when_its_parent_ends_is_the_parents_choice(
    db: Path, policy: str, state: int
) -> None:
    async with served(db) as peer:
        await peer.start("parent")
        worker = await peer.worker("t", "child")
        task = await worker.task()
        child = wpb.StartChild(
            path="1",
            workflow_type="child",
            parent_close_policy=f"PARENT_CLOSE_POLICY_{policy}",
        )
        await worker.complete(task.token, wpb.Command(start_child=child))
        while (await worker.task()).workflow.workflow_id != "parent/1":
            pass
        await worker.complete(task.token, done())
        assert (await peer.status("parent/1")).info.state == state


async def test_tags_and_memo_stay_with_the_run(db: Path) -> None:
    async with served(db) as peer:
        await start(peer, workflow_id="a", tags={"customer": "7"}, memo={"note": payload('"hello"')})
        status = await peer.status("a")
        assert dict(status.info.tags) == {"customer": "7"}
        assert status.memo["note"].data == b'"hello"'
        with pytest.raises(errors.LimitExceeded):
            await start(peer, workflow_id="b", tags={str(number): "" for number in range(33)})
        with pytest.raises(errors.LimitExceeded):
            await start(peer, workflow_id="b", memo={"note": payload("1" * 300_000)})
        with pytest.raises(errors.InvalidArgument) as refusal:
            await start(peer, workflow_id="b", priority=6)
        assert refusal.value.field == "priority"


async def test_a_run_that_does_not_end_after_a_cancel_is_ended(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attrs import evolve

    from aether.model.limits import DEFAULT_LIMITS
    from aether.server import serve as serve_module

    monkeypatch.setattr(serve_module, "DEFAULT_LIMITS", evolve(DEFAULT_LIMITS, cancel_grace_ms=50))
    async with served(db) as peer:
        await peer.start("a")
        worker = await peer.worker()
        await worker.task()
        await peer.cancel("a")
        assert await next_facts(worker) == ["cancel_requested"]
        with trio.fail_after(10):
            assert (await worker.task()).HasField("revoked")
        assert (await peer.result("a")).state == mpb.RUN_STATE_CANCELLED
