"""Spans of real runs, as a collector gets them."""

import json
import signal

import pytest

from aether.cli.call import Caller
from aether.model.tracing import span_id
from aether.wire.generated.aether.v1 import client_pb2, model_pb2
from tests.integration.collector import Collector
from tests.processes import Child, Server

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
APP = """
import aether, anyio
client = aether.Client()

@client.workflow("inner")
async def inner(ctx: aether.Context) -> str:
    return await ctx.step("deep", lambda: "secret")

@client.workflow("outer")
async def outer(ctx: aether.Context) -> str:
    return await ctx.child(inner)

@client.activity("try", retry=aether.RetryPolicy(initial_s=0.01, max_attempts=2))
async def attempt() -> None:
    if aether.activity_info().attempt == 1:
        raise ValueError("secret")

@client.workflow("stuck")
async def stuck(ctx: aether.Context) -> str:
    await ctx.step("before", lambda: None)
    await ctx.activity(attempt)
    return await ctx.wait_signal("go")

async def main():
    async with client.serve(outer, inner, stuck):
        print("ready", flush=True)
        await anyio.sleep_forever()

anyio.run(main, backend="trio")
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def worker_of(server, folder):
    return Child("app.py", cwd=folder, AETHER_SERVER=server.url)


def start(server, workflow_type, workflow_id, *, wait=False, traceparent=TRACEPARENT):
    request = client_pb2.StartWorkflowRequest(
        workflow_type=workflow_type, workflow_id=workflow_id, input=model_pb2.Payload(data=b"[]"),
        await_result=wait, traceparent=traceparent,
    )  # fmt: skip
    Caller(server.url).unary("/aether.v1.ClientService/StartWorkflow", request)


def status(server, workflow_id):
    request = client_pb2.GetStatusRequest(workflow_id=workflow_id)
    answer = Caller(server.url).unary("/aether.v1.ClientService/GetWorkflowStatus", request)
    return client_pb2.WorkflowStatus.FromString(answer)


def send(server, workflow_id, traceparent=""):
    request = client_pb2.SignalRequest(
        workflow_id=workflow_id, name="go", value=model_pb2.Payload(data=b'"secret"'), traceparent=traceparent
    )
    Caller(server.url).unary("/aether.v1.ClientService/SignalWorkflow", request)


def attributes(span):
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def test_a_run_and_its_child_are_one_trace_that_began_with_the_caller(folder):
    with (
        Collector(answers=(503,)) as collector,
        Server(folder, "--traces-endpoint", collector.url) as server,
        worker_of(server, folder) as worker,
    ):
        worker.wait_for("ready")
        start(server, "outer", "a", wait=True)
        outer = collector.next("workflow outer")
        by_name = {span["name"]: span for span in collector.seen}
        seen = [status(server, workflow_id).trace_id for workflow_id in ("a", "a/1")]
    assert seen == [TRACE, TRACE]
    child, inner, step = (by_name[name] for name in ("child inner", "workflow inner", "step deep"))
    assert collector.refused == 1
    assert {span["traceId"] for span in collector.seen} == {TRACE}
    assert outer["parentSpanId"] == CALLER
    assert child["parentSpanId"] == outer["spanId"]
    assert inner["parentSpanId"] == child["spanId"]
    assert child["links"] == [{"traceId": TRACE, "spanId": inner["spanId"]}]
    assert step["parentSpanId"] == inner["spanId"]
    assert "secret" not in json.dumps(collector.seen)
    assert inner["spanId"] == span_id(attributes(inner)["aether.run.id"])
    assert int(step["endTimeUnixNano"]) >= int(step["startTimeUnixNano"]) >= int(inner["startTimeUnixNano"])


def test_a_run_that_is_stuck_shows_how_it_came_there_and_who_freed_it(folder):
    with (
        Collector() as collector,
        Server(folder, "--traces-endpoint", collector.url) as server,
        worker_of(server, folder) as worker,
    ):
        worker.wait_for("ready")
        start(server, "stuck", "a")
        before = collector.next("step before")
        failed, good = collector.next("activity try"), collector.next("activity try")
        assert (failed["status"]["message"], "status" in good) == ("ValueError", False)
        assert [attributes(span)["aether.attempt"] for span in (failed, good)] == ["1", "2"]
        assert status(server, "a").trace_id == before["traceId"] == TRACE
        send(server, "a", f"00-{'c' * 32}-{'d' * 16}-01")
        freed = collector.next("signal go")
        assert freed["links"] == [{"traceId": "c" * 32, "spanId": "d" * 16}]
        run = collector.next("workflow stuck")
    assert {span["parentSpanId"] for span in (before, failed, good, freed)} == {run["spanId"]}
    assert "secret" not in json.dumps(collector.seen)


def test_no_kill_of_the_server_loses_or_repeats_a_span_that_was_noted(folder):
    db = str(folder / "a.db")
    with Collector() as collector:
        with (
            Server(folder, "--db", db, "--traces-endpoint", collector.url) as server,
            worker_of(server, folder) as worker,
        ):
            worker.wait_for("ready")
            start(server, "stuck", "a")
            collector.next("step before")
            port = server.url.rpartition(":")[2]
            noted = collector.next("activity try")
            server.tell(signal.SIGKILL)
            server.finish()
            # While nobody tells spans, things go on: these are told by the one after it.
            with Server(folder, "--db", db, "--grpc-port", port) as between:
                send(between, "a")
                Caller(between.url).unary(
                    "/aether.v1.ClientService/AwaitResult", client_pb2.AwaitResultRequest(workflow_id="a")
                )
                between.tell()
                between.finish()
            with Server(folder, "--db", db, "--grpc-port", port, "--traces-endpoint", collector.url):
                run = collector.next("workflow stuck")
        ids = [span["spanId"] for span in collector.seen]
    assert noted["parentSpanId"] == run["spanId"]
    # What was sent, and not noted when the server was killed, may come twice; each time it is the same.
    assert len(set(ids)) == 5
    unique = {span["spanId"]: span for span in collector.seen}
    assert all(span == unique[span["spanId"]] for span in collector.seen)


def test_a_collector_that_does_not_answer_keeps_nobody_waiting(folder):
    with (
        Collector(answers=(0,) * 9) as collector,
        Server(folder, "--traces-endpoint", collector.url) as server,
        worker_of(server, folder) as worker,
    ):
        worker.wait_for("ready")
        for number in range(30):
            start(server, "outer", f"run-{number}", wait=True)
        while not collector.refused:
            start(server, "outer", "once-more", wait=True)
        start(server, "outer", "while-it-waits", wait=True)
        server.tell()
        code, said = server.finish()
    assert code == 0, said
    assert not collector.seen


def test_a_collector_that_is_not_there_gets_all_of_it_when_it_comes(folder):
    with Collector() as once:
        port = once.port
    with (
        Server(folder, "--traces-endpoint", f"http://127.0.0.1:{port}") as server,
        worker_of(server, folder) as worker,
    ):
        worker.wait_for("ready")
        for number in range(5):
            start(server, "outer", f"run-{number}", wait=True)
        server.wait_for("traces_not_sent")
        with Collector(port=port) as collector:
            for _ in range(5):
                collector.next("workflow outer")
            server.wait_for("traces_sent_again")
            assert len({span["spanId"] for span in collector.seen}) == len(collector.seen) == 20


NESTED = """
import aether, anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

class Printer(SpanExporter):
    def export(self, spans):
        for span in spans:
            c, p = span.context, span.parent
            words = ("span", span.name, f"{c.trace_id:032x}", f"{p.span_id:016x}" if p else "-")
            # In one piece: threads end spans at the same time.
            print(" ".join(words) + "\\n", end="", flush=True)
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Printer()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("app")
client = aether.Client()

@client.activity("charge")
def charge() -> None:
    with tracer.start_as_current_span("in-thread"):
        pass

@client.workflow("leaf")
async def leaf(ctx: aether.Context) -> None:
    await ctx.step("leaf-step", leaf_step)

async def leaf_step() -> None:
    with tracer.start_as_current_span("in-leaf"):
        pass

async def pack() -> None:
    await anyio.sleep(0)
    with tracer.start_as_current_span("in-step"):
        await leaf.options(workflow_id="started-by-a-step").start_and_wait()

@client.workflow("order")
async def order(ctx: aether.Context) -> None:
    async with ctx.nursery() as nursery:
        nursery.start_soon(ctx.step, "pack", pack)
        nursery.start_soon(ctx.activity, charge)
    assert not trace.get_current_span().get_span_context().is_valid

async def main():
    async with client.serve(order, leaf):
        with tracer.start_as_current_span("caller"):
            handle = await order.options(workflow_id="a").start()
        await handle.result()
        print("done", flush=True)

anyio.run(main, backend="asyncio")
"""


def test_spans_of_users_nest_in_those_of_the_attempts_that_they_are_made_in(tmp_path):
    (tmp_path / "app.py").write_text(NESTED)
    with (
        Collector() as collector,
        Server(tmp_path, "--traces-endpoint", collector.url) as server,
        Child("app.py", cwd=tmp_path, AETHER_SERVER=server.url) as program,
    ):
        program.wait_for("done")
        order = collector.next("workflow order")
        by_name = {span["name"]: span for span in collector.seen}
    users = {line.split()[1]: line.split()[2:] for line in program.said if line.startswith("span ")}
    assert (
        {trace for trace, _ in users.values()} == {order["traceId"]} == {span["traceId"] for span in by_name.values()}
    )
    assert users["in-step"][1] == by_name["step pack"]["spanId"]
    assert users["in-thread"][1] == by_name["activity charge"]["spanId"]
    assert users["in-leaf"][1] == by_name["step leaf-step"]["spanId"]
    assert users["caller"][1] == "-"
    assert by_name["workflow leaf"]["traceId"] == order["traceId"]
