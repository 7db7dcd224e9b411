"""The JSON API, its stream and its walls."""

import json
import random
from typing import Any

import trio
import trio.testing

from aether.server.http.api import ROUTES
from aether.server.http.connection import HttpConnection
from aether.server.http.limits import DEFAULT_HTTP_LIMITS
from aether.server.http.messages import Request
from aether.server.http.metrics_site import MetricsSite
from aether.server.http.openapi import document
from tests.integration.web import mutated, web


def run(test):
    """The test as a function that pytest calls."""

    def runner():
        trio.run(test)

    runner.__name__ = test.__name__
    return runner


@run
async def test_runs_are_listed_page_by_page():
    async with web() as site:
        for number in range(5):
            await site.start(f"order-{number}", tags={"half": str(number % 2)})
        first = await site.get("/workflows?limit=2")
        assert [info["workflow_id"] for info in first["workflows"]] == ["order-4", "order-3"]
        second = await site.get(f"/workflows?limit=2&before_run_key={first['next']}")
        assert [info["workflow_id"] for info in second["workflows"]] == ["order-2", "order-1"]
        third = await site.get(f"/workflows?limit=2&before_run_key={second['next']}")
        assert ([info["workflow_id"] for info in third["workflows"]], third["next"]) == (["order-0"], None)
        oldest = await site.get("/workflows?limit=3&oldest_first=true")
        assert [info["workflow_id"] for info in oldest["workflows"]] == ["order-0", "order-1", "order-2"]
        newer = await site.get(f"/workflows?limit=3&oldest_first=true&after_run_key={oldest['next']}")
        assert ([info["workflow_id"] for info in newer["workflows"]], newer["next"]) == (["order-3", "order-4"], None)
        odd = await site.get("/workflows?filter=tag.half:1 state:open")
        assert [info["workflow_id"] for info in odd["workflows"]] == ["order-3", "order-1"]
        wrong = await site.send("GET", "/api/v1/workflows?filter=state:odd")
        assert wrong.status == 400
        assert "'odd' is no state" in json.loads(wrong.body)["error"]["message"]


@run
async def test_a_list_tells_nothing_that_it_does_not_know_and_the_document_says_so():
    async with web() as site:
        await site.start("a", tags={"k": "v"})
        (row,) = (await site.get("/workflows"))["workflows"]
        info = (await site.get("/workflows/a"))["info"]
        assert info["history_length"] == 1
        assert row == {name: info[name] for name in info.keys() - {"parent_workflow_id", "history_length", "worker_id"}}
        schemas: Any = document()["components"]
        assert row.keys() <= schemas["schemas"]["WorkflowInfo"]["properties"].keys()
        await site.start("b")
        await site.post("/workflows/b/cancel", {})
        closed, open_ = (await site.get("/workflows?doing=true"))["workflows"]
        assert (open_["doing"]["what"], open_["history_length"], "worker_id" in open_) == ("queued", 1, True)
        assert ("doing" in closed, "worker_id" in closed) == (False, False)


@run
async def test_a_run_is_shown_from_all_sides_also_if_its_id_has_a_slash():
    async with web() as site:
        run_id = await site.start("a/1", memo={"note": "hello"})
        status = await site.get("/workflows/a%2F1")
        assert (status["info"]["run_id"], status["info"]["state"]) == (run_id, "PENDING")
        assert status["memo"] == {"note": "hello"}
        history = await site.get("/workflows/a%2F1/history")
        assert [event["event"] for event in history["events"]] == ["RunCreated"]
        assert history["events"][0]["input"] == [1]
        rows = (await site.get(f"/workflows/a%2F1/timeline?run_id={run_id}"))["rows"]
        assert [(row["kind"], row["state"]) for row in rows] == [("run", "queued")]
        assert "no worker" in (await site.get("/workflows/a%2F1/why"))["sentence"]
        items = (await site.get("/workflows/a%2F1/at/1"))["items"]
        assert [(key, item[key]["seq"]) for item in items for key in item] == [("run", 1)]
        assert (await site.send("GET", "/api/v1/workflows/a%2F1/at/9")).status == 400
        missing = await site.send("GET", "/api/v1/workflows/nobody")
        assert (missing.status, json.loads(missing.body)["error"]["code"]) == (404, "NOT_FOUND")


@run
async def test_a_long_history_comes_in_pages():
    async with web() as site:
        await site.start("a")
        for number in range(450):
            await site.post("/workflows/a/signal", {"name": "go", "value": number})
        seqs, after = [], 0
        while after is not None:
            page = await site.get(f"/workflows/a/history?after_seq={after}")
            assert len(page["events"]) <= 200
            seqs += [event["seq"] for event in page["events"]]
            after = page["next"]
        assert seqs == list(range(1, 452))


@run
async def test_what_happens_over_all_runs_is_told_from_where_one_was():
    async with web() as site:
        await site.start("a", tags={"k": "v"})
        first = await site.get("/events?last=10")
        assert [(event["kind"], event["workflow_id"]) for event in first["events"]] == [("RunCreated", "a")]
        await site.start("b")
        await site.post("/workflows/a/cancel", {"reason": "enough"})
        second = await site.get(f"/events?after_position={first['next']}")
        kinds = [(event["kind"], event["workflow_id"]) for event in second["events"]]
        assert kinds == [("RunCreated", "b"), ("CancelRequested", "a"), ("RunCancelled", "a")]
        assert await site.get(f"/events?after_position={second['next']}") == {
            "events": [],
            "dropped": 0,
            "next": second["next"],
        }
        closed = await site.get("/events?last=10&kinds=RunCancelled,RunFailed&filter=tag.k:v")
        assert [event["kind"] for event in closed["events"]] == ["RunCancelled"]
        for wrong in ("kinds=Nonsense", "filter=state:odd", "last=100000", "last=x", "follow=true", "whole=true"):
            assert (await site.send("GET", f"/api/v1/events?{wrong}")).status == 400


@run
async def test_runs_are_changed_and_a_change_that_is_wrong_says_all_that_is_wrong():
    async with web() as site:
        await site.start("a")
        assert (await site.post("/workflows/a/signal", {"name": "go", "value": {"x": 1}}))[0] == 200
        assert (await site.post("/workflows/a/signal", {"name": "go", "value": None}))[0] == 200
        assert (await site.get("/workflows/a/history"))["events"][-1]["value"] is None
        assert (await site.post("/workflows/a/pause", {"reason": "lunch"}))[0] == 200
        assert (await site.get("/workflows/a"))["paused"] is True
        assert (await site.post("/workflows/a/resume", {}))[0] == 200
        code, answer = await site.post("/workflows/a/cancel", {"reason": 7, "why": "x", "force": "perhaps"})
        assert (code, answer["error"]["message"]) == (
            400,
            "reason must be a text; there is no field 'why'; force must be true or false",
        )
        assert await site.post("/workflows/a/cancel", {"reason": "enough"}) == (
            200,
            {"run_id": (await site.get("/workflows/a"))["info"]["run_id"], "state": "CANCELLED"},
        )
        assert (await site.post("/workflows/a/signal", {"name": "go", "value": 1}))[0] == 409
        assert (await site.post("/workflows", {"input": [1]}))[0] == 400
        for body in (b"{", b"[1]", b'"x"', b"[" * 100_000):
            assert (await site.send("POST", "/api/v1/workflows", body)).status == 400
        assert (await site.send("DELETE", "/api/v1/workflows/a")).status == 405
        assert (await site.send("GET", "/api/v1/nothing")).status == 404


@run
async def test_a_number_that_json_does_not_have_is_refused_by_its_name():
    async with web() as site:
        await site.start("a")
        for text in (b"NaN", b"Infinity", b"-Infinity", b"1e999"):
            for target, body in (
                ("/workflows/a/signal", b'{"name":"go","value":[%b]}'),
                ("/workflows", b'{"workflow_type":"order","input":[%b]}'),
            ):
                answer = await site.send("POST", f"/api/v1{target}", body % text)
                assert (answer.status, text in answer.body) == (400, True)
        assert len((await site.get("/workflows"))["workflows"]) == 1
        assert len((await site.get("/workflows/a/history"))["events"]) == 1
        assert (await site.post("/workflows/a/signal", {"name": "go", "value": 1.5e300}))[0] == 200


@run
async def test_a_parameter_that_is_not_there_is_called_one():
    async with web() as site:
        await site.start("a")
        answer = await site.send("GET", "/api/v1/workflows/a/timeline?limit=5")
        assert (answer.status, json.loads(answer.body)["error"]["message"]) == (400, "there is no parameter 'limit'")


@run
async def test_numbers_workers_and_queues_are_shown():
    async with web() as site:
        await site.start("a")
        assert (await site.get("/metrics?samples=true"))["runs_started"] == 1
        (queue,) = (await site.get("/queues"))["queues"]
        assert (queue["task_queue"], queue["runs_waiting"], queue["paused"]) == ("default", 1, False)
        assert (await site.get("/workers"))["workers"] == []


@run
async def test_a_name_that_is_not_ours_is_refused_whatever_it_asks():
    async with web("Aether.Example.org") as site:
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "localhost:1@evil", "[::2]:80"):
            assert (await site.send("GET", "/", host=host)).status == 403
            assert (await site.send("GET", "/api/v1/metrics", host=host)).status == 403
        for host in ("localhost", "127.0.0.1:7234", "[::1]:7234", "LOCALHOST:1", "aether.example.org"):
            assert (await site.send("GET", "/api/v1/metrics", host=host)).status == 200


@run
async def test_pages_of_others_change_nothing():
    async with web() as site:
        token = site.guard.token
        for headers in (
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://evil.example", "x_aether_token": token},
            {"sec_fetch_site": "cross-site", "x_aether_token": token},
            {"sec_fetch_site": "same-site", "x_aether_token": token},
            {"origin": "http://localhost:7234"},
            {"origin": "http://localhost:7234", "x_aether_token": "guessed"},
        ):
            assert (await site.post("/workflows", {"workflow_type": "order"}, **headers))[0] == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            assert (await site.post("/workflows", {"workflow_type": "order"}, content_type=kind))[0] == 415
        assert (await site.get("/workflows"))["workflows"] == []
        ours = {"origin": "http://localhost:7234", "sec_fetch_site": "same-origin", "x_aether_token": token}
        assert (await site.post("/workflows", {"workflow_type": "order"}, **ours))[0] == 200
        assert (await site.get("/about"))["token"] == token


@run
async def test_a_page_that_only_looks_changes_nothing():
    async with web(read_only=True) as site:
        assert (await site.post("/workflows", {"workflow_type": "order"}))[0] == 403
        assert (await site.get("/about"))["read_only"] is True


@run
async def test_every_answer_has_the_policy_that_keeps_foreign_scripts_out():
    async with web() as site:
        for target in ("/", "/workflows/a", "/static/nothing", "/api/v1/metrics", "/api/v1/nothing"):
            headers = dict((await site.send("GET", target)).headers)
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
            assert headers["x-content-type-options"] == "nosniff"


@run
async def test_a_stream_tells_when_something_has_changed():
    async with web() as site:
        response = await site.send("GET", "/api/v1/stream")
        assert response.stream is not None
        events: list[bytes] = []
        heard = trio.Event()

        async def send(data: bytes) -> None:
            nonlocal heard
            events.append(data)
            heard.set()
            heard = trio.Event()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(response.stream, send)
            await heard.wait()
            assert events[0].startswith(b"id: 0\nevent: metrics\ndata: {")
            assert site.site.feed.listeners == 1
            await site.start("a")
            await heard.wait()
            assert json.loads(events[1].partition(b"data: ")[2])["runs_started"] == 1
            nursery.cancel_scope.cancel()
        assert site.site.feed.listeners == 0


def test_who_does_not_read_is_told_what_was_left_out_and_let_go_and_costs_nobody_else_anything():
    async def main() -> None:
        async with web() as site, trio.open_nursery() as nursery:
            streams = site.running.report.streams
            heard: list[bytes] = []

            async def hear(data: bytes) -> None:
                heard.append(data)
                await trio.lowlevel.checkpoint()

            slow = trio.testing.lockstep_stream_pair()
            deaf = trio.testing.lockstep_stream_pair()
            for ours, theirs in (slow, deaf):
                nursery.start_soon(HttpConnection(theirs, site.site.handle, DEFAULT_HTTP_LIMITS).run)
                await ours.send_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
                while b"event: metrics" not in await ours.receive_some():
                    pass
            quick = await site.send("GET", "/api/v1/stream")
            assert quick.stream is not None
            nursery.start_soon(quick.stream, hear)
            for number in range(19):
                await site.start(f"order-{number}")
                await trio.sleep(1)
                if streams.dropped >= 2 * 8:
                    break
            # Both have missed all that had waited for them.
            assert (streams.open, streams.dropped) == (3, 2 * 8)
            await site.start("last")
            assert not any(b"resync" in event for event in heard)
            received = b""
            while b'"runs_started":%d' % (number + 2) not in received:
                received += bytes(await slow[0].receive_some())
            assert received.count(b"event: resync") == 1
            await trio.sleep(20)
            # Who read is still there; who did not is gone.
            assert streams.open == 2
            page = await MetricsSite(site.running.report, "memory").handle(
                Request("GET", "/metrics", ("metrics",), {}, {})
            )
            assert b"aether_sse_clients 2\n" in page.body
            assert b"aether_sse_dropped_total 16\n" in page.body
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.001))


@run
async def test_a_stream_ends_with_the_connection_of_who_listened():
    async with web() as site, trio.open_nursery() as nursery:
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(HttpConnection(theirs, site.site.handle, DEFAULT_HTTP_LIMITS).run)
        await ours.send_all(b"GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        while b"event: metrics" not in await ours.receive_some():
            pass
        assert site.site.feed.listeners == 1
        await ours.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert site.site.feed.listeners == 0


@run
async def test_streams_are_bounded():
    async with web() as site, trio.open_nursery() as nursery:
        for _ in range(64):
            response = await site.send("GET", "/api/v1/stream")
            assert response.stream is not None
            nursery.start_soon(response.stream, _swallow)
            await trio.testing.wait_all_tasks_blocked()
        assert (await site.send("GET", "/api/v1/stream")).status == 429
        nursery.cancel_scope.cancel()
    async with web() as site, trio.open_nursery() as nursery:
        # Nobody is over the bound either when all come at once.
        for response in [await site.send("GET", "/api/v1/stream") for _ in range(70)]:
            assert response.stream is not None
            nursery.start_soon(response.stream, _swallow)
        await trio.testing.wait_all_tasks_blocked()
        assert site.running.report.streams.open == 64
        nursery.cancel_scope.cancel()


async def _swallow(data: bytes) -> None:
    await trio.lowlevel.checkpoint()


@run
async def test_the_document_of_the_api_names_all_there_is_and_nothing_else():
    made: Any = document()
    paths = made["paths"]
    assert set(paths["/api/v1/workflows"]) == {"get", "post"}
    verbs = {"get", "post", "put", "patch", "delete"}
    async with web() as site:
        for path, operations in paths.items():
            target = (
                path.replace("{workflow_id}", "a")
                .replace("{key}", "k")
                .replace("{task_queue}", "q")
                .replace("{seq}", "1")
            )
            for verb in verbs - operations.keys():
                for kind in ("application/json", ""):
                    assert (await site.send(verb.upper(), target, b"", content_type=kind)).status == 405, (verb, path)
            for verb, operation in operations.items():
                # Something that is there answers, or tells what is wrong with the question.
                kind = next(iter(operation.get("requestBody", {}).get("content", ())), "")
                answer = await site.send(verb.upper(), target, b"", content_type=kind)
                assert answer.status in {200, 400, 404}, (verb, path)
                assert b"no such path" not in answer.body
        known = {f"/api/v1{route.pattern}" for route in ROUTES} | {f"/api/v1{path}" for path in site.site._extras}
        assert known == paths.keys()
    text = json.dumps(made)
    for reference in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in made["components"]["schemas"]
    identifiers = [each["operationId"] for path in paths.values() for each in path.values()]
    assert len(identifiers) == len(set(identifiers))


def test_no_mutation_of_requests_breaks_the_site(caplog):
    """Noise that can be repeated: every answer is one that was meant, and nothing escapes."""
    caplog.set_level("WARNING", "aether")
    head = b"host: localhost\r\ncontent-type: application/json\r\n"
    bodies = [
        b'{"workflow_type":"order","workflow_id":"a","input":[1],"tags":{"k":"v"},"priority":3}',
        b'{"name":"go","value":{"base64":"AA==","encoding":"x"}}',
        b'{"reason":"x","force":true}',
        b'{"token":"1/2/3","failure":{"type":"A","causes":[{"type":"B"}]}}',
    ]
    targets = [b"/api/v1/workflows", b"/api/v1/workflows/a/signal", b"/api/v1/workflows/a/cancel"]
    targets.append(b"/api/v1/promises/complete")
    seeds = [
        b"POST %b HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n%b" % (target, head, len(body), body)
        for target, body in zip(targets, bodies, strict=True)
    ]
    for target in (
        b"/", b"/static/app.js", b"/api/v1/workflows?filter=state:failed%20type:a*&limit=5", b"/api/v1/workflows/a",
        b"/api/v1/workflows/a/history?after_seq=1", b"/api/v1/workflows/a/timeline", b"/api/v1/metrics?samples=true",
        b"/api/v1/openapi.json", b"/api/v1/workflows/a/values/x", b"/readyz",
    ):  # fmt: skip
        seeds.append(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, head))  # noqa: PERF401
    draw = random.Random(7)
    statuses: set[bytes] = set()

    async def main() -> None:
        async with web() as site:
            for _ in range(800):
                received = await site.exchange(mutated(draw, seeds))
                statuses.update(line[9:12] for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 "))
            assert (await site.get("/metrics"))["version"]

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.001))
    assert b"500" not in statuses, caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    assert {b"200", b"400", b"404"} <= statuses
