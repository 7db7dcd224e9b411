"""Spans of real runs, as a collector gets them."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from aether.cli.call import Caller
from aether.server.spans import span_id
from aether.wire.generated.aether.v1 import client_pb2, model_pb2
from tests.processes import Child, Server

APP = """
import aether, anyio
client = aether.Client()

@client.workflow("inner")
async def inner(ctx: aether.Context) -> str:
    return await ctx.step("deep", lambda: "secret")

@client.workflow("outer")
async def outer(ctx: aether.Context) -> str:
    return await ctx.child(inner)

async def main():
    async with client.serve(outer, inner):
        print("ready", flush=True)
        await anyio.sleep_forever()

anyio.run(main, backend="trio")
"""


class Collector:
    """Takes spans as OpenTelemetry's collector does, but refuses the first request."""

    def __init__(self):
        self.requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        collector = self
        seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                seen.append(self.path)
                if len(seen) == 1:
                    self.send_response(503)
                else:
                    collector.requests.put((self.path, self.headers["content-type"], json.loads(body)))
                    self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


def test_a_run_and_its_child_are_one_trace_that_began_with_the_caller(collector, tmp_path):
    (tmp_path / "app.py").write_text(APP)
    trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with (
        Server(tmp_path, "--traces-endpoint", collector.url) as server,
        Child("app.py", cwd=tmp_path, AETHER_SERVER=server.url) as worker,
    ):
        worker.wait_for("ready")
        request = client_pb2.StartWorkflowRequest(
            workflow_type="outer", workflow_id="a", input=model_pb2.Payload(data=b"[]"), await_result=True,
            traceparent=f"00-{trace}-{caller}-01",
        )  # fmt: skip
        Caller(server.url).unary("/aether.v1.ClientService/StartWorkflow", request)
        spans: list[dict[str, Any]] = []
        while len(spans) < 4:
            path, kind, document = collector.requests.get(timeout=20)
            assert (path, kind) == ("/v1/traces", "application/json")
            spans += document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    by_name = {span["name"]: span for span in spans}
    outer, child, inner, step = (
        by_name[name] for name in ("workflow outer", "child inner", "workflow inner", "step deep")
    )
    assert {span["traceId"] for span in spans} == {trace}
    assert outer["parentSpanId"] == caller
    assert child["parentSpanId"] == outer["spanId"]
    assert inner["parentSpanId"] == child["spanId"]
    assert step["parentSpanId"] == inner["spanId"]
    assert "secret" not in json.dumps(spans)
    run_id = next(each["value"]["stringValue"] for each in inner["attributes"] if each["key"] == "aether.run.id")
    assert inner["spanId"] == span_id(run_id)
    assert int(step["endTimeUnixNano"]) >= int(step["startTimeUnixNano"]) >= int(inner["startTimeUnixNano"])
