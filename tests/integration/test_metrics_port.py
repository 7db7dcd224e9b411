"""The metrics port of a real server."""

import http.client
import json
import signal
import socket
import urllib.request
from urllib.parse import urlsplit

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from aether.cli.call import Caller
from aether.errors import AetherError
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2, model_pb2
from tests.processes import Server, aether


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path, "--metrics-port", "0", AETHER_METRICS_ENABLED="true") as running:
        running.metrics = urlsplit(running.wait_for("metrics ").split()[1]).netloc
        yield running


def get(where, path, **headers):
    connection = http.client.HTTPConnection(where, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read().decode()
    finally:
        connection.close()


def scrape(server):
    _, _, text = get(server.metrics, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def start(server, workflow_id):
    request = client_pb2.StartWorkflowRequest(
        workflow_type="order", workflow_id=workflow_id, input=model_pb2.Payload(data=b"[]")
    )
    Caller(server.url).unary("/aether.v1.ClientService/StartWorkflow", request)


def test_prometheus_reads_what_the_server_did(server):
    start(server, "a")
    start(server, "b")
    status, kind, text = get(server.metrics, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    found = {sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples}
    assert found["aether_workflows_started_total"].value == 2
    assert found["aether_storage_commits_total"].value >= 0
    assert found["aether_storage_database_bytes"].value > 0
    assert found["aether_storage_wal_bytes"].value > 0
    assert found["aether_storage_unwritten_seconds"].value == 0
    assert found["aether_build_info"].labels["persistence"] == "state-action-log"
    older, kind, text = get(server.metrics, "/metrics")
    assert (older, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'aether_workflows_started_total{workflow_type="order"} 2\n' in text


def test_calls_and_connections_are_counted_also_those_that_fail(server):
    start(server, "a")
    caller = Caller(server.url)
    with pytest.raises(AetherError):
        caller.unary("/aether.v1.ClientService/GetWorkflowStatus", client_pb2.GetStatusRequest(workflow_id="nobody"))
    with socket.create_connection(urlsplit(server.url).netloc.split(":")) as held:
        held.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        held.recv(10)
        metrics = admin_pb2.Metrics.FromString(
            caller.unary("/aether.v1.AdminService/GetMetrics", admin_pb2.GetMetricsRequest())
        )
        # The one that is held, and the one that asks.
        assert metrics.connections >= 2
        found = scrape(server)
        assert found["aether_connections", ()] >= 1
    for method, code in (("StartWorkflow", "OK"), ("GetWorkflowStatus", "NOT_FOUND"), ("GetMetrics", "OK")):
        assert found["aether_api_requests_total", (("code", code), ("method", method))] == 1
        assert found["aether_api_request_duration_seconds_count", (("method", method),)] == 1


def test_how_late_the_event_loop_is_is_looked_at_while_something_happens(server):
    start(server, "a")
    while not scrape(server)["aether_event_loop_lag_seconds_count", ()]:
        start(server, "a")


def test_a_scrape_leads_from_how_long_a_run_lasted_to_its_trace(server):
    trace = "0af7651916cd43dd8448eb211c80319c"
    request = client_pb2.StartWorkflowRequest(
        workflow_type="order", workflow_id="a", input=model_pb2.Payload(data=b"[]"),
        traceparent=f"00-{trace}-b7ad6b7169203331-01",
    )  # fmt: skip
    caller = Caller(server.url)
    caller.unary("/aether.v1.ClientService/StartWorkflow", request)
    caller.unary("/aether.v1.ClientService/CancelWorkflow", client_pb2.CancelRequest(workflow_id="a", force=True))
    _, _, text = get(server.metrics, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    exemplars = [each.exemplar for each in families["aether_workflow_duration_seconds"].samples if each.exemplar]
    assert [each.labels for each in exemplars] == [{"trace_id": trace}]


def test_whoever_started_the_server_is_told_that_it_is_ready_lives_and_stops(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        with Server(tmp_path, **variables) as running:
            assert b"READY=1" in manager.recv(1_000)
            assert [manager.recv(1_000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            running.tell(signal.SIGTERM)
            while b"STOPPING=1" not in manager.recv(1_000):
                pass
            assert running.finish()[0] == 0


def test_the_port_tells_that_the_server_lives_and_can_work(server):
    assert get(server.metrics, "/livez") == (200, "text/plain; charset=utf-8", "ok\n")
    status, _, text = get(server.metrics, "/readyz")
    assert (status, json.loads(text)["ready"]) == (200, True)
    assert json.loads(get(server.metrics, "/version")[2])["version"]
    assert get(server.metrics, "/nothing")[0] == 404


def test_a_server_that_stops_says_which_check_fails_and_lives_on_until_its_workers_have_finished(server, tmp_path):
    (tmp_path / "app.py").write_text(
        "import aether, trio\n"
        "client = aether.Client()\n"
        "@client.workflow('order')\n"
        "async def order(ctx):\n"
        "    await ctx.step('wait', forever)\n"
        "async def forever():\n"
        "    print('in the step', flush=True)\n"
        "    with trio.CancelScope(shield=True):\n"
        "        await trio.sleep_forever()\n"
    )
    from tests.processes import Child

    with Child("-m", "aether.cli", "worker", "app:client", cwd=tmp_path, AETHER_SERVER=server.url) as worker:
        start(server, "a")
        worker.wait_for("in the step")
        server.tell(signal.SIGTERM)
        server.wait_for("stopping")
        status, _, text = get(server.metrics, "/readyz")
        assert (status, json.loads(text)["failing"]) == (503, {"draining": "the server is stopping"})
        assert get(server.metrics, "/livez")[0] == 200


def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for_and_a_warning_otherwise(server, tmp_path):
    port = server.metrics.rpartition(":")[2]
    done = aether(
        "serve", "--grpc-port", "0", "--metrics-port", port, "--metrics-enabled", "--db", str(tmp_path / "b.db")
    )
    assert done.returncode == 1
    assert "in use" in done.stderr


def test_a_scraper_that_goes_away_in_the_middle_disturbs_nobody(server):
    for _ in range(20):
        connection = http.client.HTTPConnection(server.metrics, timeout=20)
        connection.connect()
        connection.sock.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\nGET /metr")
        connection.close()
    with urllib.request.urlopen(f"http://{server.metrics}/readyz", timeout=20) as answer:
        assert answer.status == 200
