"""What the JSON API does to many runs at once, with task queues, and with a history from a file."""

import json
from typing import Any

import trio

from aether.server.http.batch import CHUNK
from aether.server.settings import load_settings
from tests.integration.web import Web, web


def run(test):
    """The test as a function that pytest calls."""

    def runner():
        trio.run(test)

    runner.__name__ = test.__name__
    return runner


async def batch(site: Web, **fields: object) -> Any:
    status, document = await site.post("/batch", fields)
    assert status == 200, document
    return document


async def view(site: Web, *events: object) -> tuple[int, Any]:
    """A history in a file, sent as the page sends it."""
    lines = "\n".join(event if isinstance(event, str) else json.dumps(event) for event in events)
    answer = await site.send("POST", "/api/v1/import", lines.encode(), content_type="application/jsonl")
    return answer.status, json.loads(answer.body)


async def states(site: Web) -> dict[str, str]:
    runs = (await site.get("/workflows?limit=999"))["workflows"]
    return {info["workflow_id"]: info["state"] for info in runs}


@run
async def test_a_dry_run_counts_and_changes_nothing_and_what_starts_later_is_not_meant():
    async with web() as site:
        for number in range(CHUNK + 20):
            await site.start(f"order-{number}", tags={"half": str(number % 2)})
        asked = {"action": "cancel", "filter": "tag.half:1"}
        counted = await batch(site, **asked, dry_run=True)
        assert (counted["count"], counted["is_more"]) == (60, False)
        assert set((await states(site)).values()) == {"PENDING"}
        await site.start("late", tags={"half": "1"})
        done = await batch(site, **asked, before_run_key=counted["before_run_key"], fields={"reason": "too many"})
        assert done == {"done": 60, "failed": [], "next": None}
        after = await states(site)
        assert after.pop("late") == "PENDING"
        assert sum(state == "CANCELLED" for state in after.values()) == 60
        history = await site.get("/workflows/order-1/history")
        assert "too many" in {event.get("reason") for event in history["events"]}


@run
async def test_a_hundred_are_done_at_a_time_until_none_is_left():
    async with web() as site:
        for number in range(2 * CHUNK + 1):
            await site.start(f"order-{number}")
        done, before = [], 0
        while before is not None:
            answer = await batch(site, action="cancel", filter="", before_run_key=before)
            done.append(answer["done"])
            before = answer["next"]
        assert done == [CHUNK, CHUNK, 1]
        assert await batch(site, action="cancel", filter="") == {"done": 0, "failed": [], "next": None}


@run
async def test_runs_that_are_marked_are_meant_if_their_state_fits():
    async with web() as site:
        ids = [await site.start(f"order-{number}") for number in range(40)]
        await site.post("/workflows/order-3/cancel", {})
        assert (await batch(site, action="pause", runs=ids[:35], dry_run=True))["count"] == 34
        assert (await batch(site, action="pause", runs=ids[:35], fields={"reason": "lunch"}))["done"] == 34
        assert (await site.get("/workflows/order-4"))["paused"] is True
        assert (await site.get("/workflows/order-39"))["paused"] is False
        assert (await batch(site, action="resume", runs=ids))["done"] == 39
        assert (await batch(site, action="signal", runs=ids[:2], fields={"name": "go", "value": None}))["done"] == 2
        assert (await site.get("/workflows/order-1/history"))["events"][-1]["event"] == "SignalReceived"


@run
async def test_each_run_that_refuses_is_named_with_its_reason():
    async with web() as site:
        for number in range(3):
            await site.start(f"order-{number}")
        await batch(site, action="cancel", filter="")
        await site.start("order-1")  # the id is taken again, so its old run can not be retried under it
        answer = await batch(site, action="retry", filter="")
        assert answer["done"] == 2
        (failed,) = answer["failed"]
        assert (failed["workflow_id"], failed["code"]) == ("order-1", "ALREADY_EXISTS")
        answer = await batch(site, action="fork", filter="order-0", fields={"at_seq": 99})
        assert answer["failed"][0]["code"] == "INVALID_ARGUMENT"


@run
async def test_a_batch_that_is_none_says_all_that_is_wrong_and_does_nothing():
    async with web() as site:
        await site.start("a")
        code, answer = await site.post("/batch", {"action": "explode", "runs": ["*"], "filter": 1, "why": 2})
        assert (code, answer["error"]["message"]) == (
            400,
            (
                "action must be one of cancel, pause, resume, signal, retry, fork; runs must be a list of at most 500 "
                "run ids; filter must be a filter; there is no field 'why'; one of filter and runs must be given"
            ),
        )
        wrong: tuple[object, ...] = (
            [],
            {"filter": ""},
            {"action": "cancel"},
            {"action": "cancel", "filter": "", "dry_run": 1},
            {"action": "cancel", "filter": "", "before_run_key": -1},
            {"action": "cancel", "filter": "", "before_run_key": True},
            {"action": "cancel", "filter": "", "fields": []},
            {"action": "cancel", "filter": "", "fields": {"at_seq": 3}},
            {"action": "cancel", "filter": "state:odd"},
            {"action": "cancel", "runs": ["a"] * 501},
        )
        for document in wrong:
            assert (await site.post("/batch", document))[0] == 400, document
        assert await states(site) == {"a": "PENDING"}
    async with web(read_only=True) as site:
        assert (await site.post("/batch", {"action": "cancel", "filter": ""}))[0] == 403


@run
async def test_what_a_filter_leaves_unfinished_means_no_other_runs():
    async with web() as site:
        await site.start("a")
        await site.post("/workflows/a/cancel", {})
        for words in ("-", "a -", "type:", "type:order,", '"', 'id:"a', "state:closed", "a,"):
            code, answer = await site.post("/batch", {"action": "cancel", "filter": words, "dry_run": True})
            assert code == 400 or answer["count"] == 0, words


@run
async def test_a_task_queue_is_paused_limited_and_opened_again():
    async with web() as site:
        await site.start("a")
        code, queue = await site.post("/queues/default", {"paused": True, "reason": "maintenance"})
        assert (code, queue["paused"], queue["reason"]) == (200, True, "maintenance")
        assert (await site.post("/queues/default", {"activity_limit": 3}))[1]["paused"] is True
        (queue,) = (await site.get("/queues"))["queues"]
        assert (queue["task_queue"], queue["paused"], queue["activity_limit"]) == ("default", True, 3)
        assert (await site.post("/queues/default", {"paused": False, "activity_limit": 0}))[1]["activity_limit"] == 0
        assert (await site.post("/queues/default", {"activity_limit": "many"}))[0] == 400


@run
async def test_a_history_from_a_file_is_shown_and_kept_nowhere():
    async with web() as site:
        await site.start("a", tags={"k": "v"})
        await site.post("/workflows/a/signal", {"name": "go", "value": {"x": 1}})
        await site.post("/workflows/a/cancel", {"reason": "enough"})
        events = (await site.get("/workflows/a/history"))["events"]
        rows = (await site.get("/workflows/a/timeline"))["rows"]
        info = (await site.get("/workflows/a"))["info"]
    async with web(read_only=True) as other:
        code, seen = await view(other, *events, "", "")
        assert (code, seen["rows"]) == (200, rows)
        assert {key: info[key][:19] if key.endswith("_at") else info[key] for key in seen["info"]} == {
            key: value[:19] if key.endswith("_at") else value for key, value in seen["info"].items()
        }
        assert (await other.get("/workflows"))["workflows"] == []


@run
async def test_a_file_that_holds_no_history_is_told_why():
    async with web() as site:
        await site.start("a")
        (created,) = (await site.get("/workflows/a/history"))["events"]
        at = created["at"]
        for events, words in (
            ([], "an event on each line"),
            (["", " "], "an event on each line"),
            ([7], "an event is an object"),
            (["{"], "line 1: it is not JSON"),
            (["[" * 5000], "line 1: it is not JSON"),
            ([created, "NaN"], "line 2: it is not JSON: NaN is no number"),
            ([{"event": "Nonsense", "seq": 1, "at": at}], "does not know"),
            ([created, created], "event 2 is missing: event 1 stands in its place"),
            ([{"seq": 1, "at": at, "event": "RunStarted"}], "begins with RunCreated"),
            ([created | {"at": "yesterday"}], "can not be 'yesterday'"),
            ([created, {"seq": 2, "at": at, "event": "TimerFired", "path": "1"}], "event 2 does not fit"),
            ([created, {"seq": 2, "at": at, "event": "TimerStarted", "path": "x.y"}], "a path in it is none"),
        ):
            code, answer = await view(site, *events)
            assert (code, words in answer["error"]["message"]) == (400, True), answer


def test_what_is_told_of_the_server_has_no_secrets_and_no_paths(tmp_path):
    token = tmp_path / "token"
    token.write_text("a-very-secret-token")
    config = tmp_path / "my.toml"
    config.write_text("[server]\nsession_timeout_s = 20\n[web]\ntoken_file = 'token'\n")
    settings = load_settings({"db_path": str(tmp_path / "my.db")}, {"AETHER_LOG_LEVEL": "error"}, config)

    async def main() -> None:
        async with web(settings=settings) as site:
            told = await site.get("/about")
            found = {each["key"]: (each["value"], each["origin"]) for each in told["settings"]}
            assert found["server.session_timeout_s"] == (20.0, "my.toml:2")
            assert found["web.token_file"] == ("set", "my.toml:4")
            assert found["server.db_path"] == ("set", "--db")
            assert found["log.level"] == ("error", "AETHER_LOG_LEVEL")
            assert found["tls.key"] == ("", "default")
            text = json.dumps(told)
            assert "a-very-secret-token" not in text
            assert str(tmp_path) not in text
            assert {"aether", "python", "trio", "h11"} <= told["versions"].keys()
            assert set(told["checks"].values()) == {"ok"}

    trio.run(main)


@run
async def test_a_server_that_asks_for_its_token_answers_nobody_without_it():
    async with web("0.0.0.0", secret="0123456789abcdef") as site:
        right = {"authorization": "Bearer 0123456789abcdef"}
        for headers in (
            {},
            {"authorization": "0123456789abcdef"},
            {"authorization": "Basic 0123456789abcdef"},
            {"authorization": "Bearer 0123456789abcde"},
            {"authorization": "Bearer 0123456789abcdefg"},
            {"authorization": "Bearer "},
            {"authorization": "Bearer ÿ"},
        ):
            for target in (
                "/api/v1/workflows",
                "/api/v1/about",
                "/api/v1/stream",
                "/api/v1/openapi.json",
                "/api/v1/no",
            ):
                answer = await site.send("GET", target, b"", **headers)
                assert answer.status == 401
                assert dict(answer.headers)["www-authenticate"].startswith("Bearer")
            for target in ("/workflows", "/batch", "/import", "/queues/default"):
                assert (await site.post(target, {}, **headers))[0] == 401
            assert (await site.send("GET", "/readyz", b"", **headers)).body == b""
        assert (await site.send("GET", "/")).status == (await site.send("GET", "/static/app.js")).status == 200
        assert (await site.send("GET", "/livez")).status == 200
        assert (await site.get("/about", **right))["asks_for_token"] is True
        assert b"checks" in (await site.send("GET", "/readyz", b"", **right)).body
        stream = await site.send("GET", "/api/v1/stream", b"", authorization="bearer 0123456789abcdef")
        assert stream.stream is not None
        # It stands on all addresses, so each of them is a name of it; a foreign name is none.
        for host, code in (
            ("192.168.7.7:7234", 200),
            ("[fe80::1]:1", 200),
            ("evil.example", 403),
            ("1.2.3.4.evil", 403),
        ):
            assert (await site.send("GET", "/api/v1/about", b"", host=host, **right)).status == code


def test_who_guesses_the_token_is_in_the_log_and_does_not_fill_it(caplog):
    caplog.set_level("WARNING", "aether")

    async def main() -> None:
        async with web(secret="0123456789abcdef") as site:
            for _ in range(100):
                assert (await site.send("GET", "/api/v1/about")).status == 401
            assert "web_token_refused" not in caplog.text
            for number in range(100):
                answer = await site.send("GET", "/api/v1/about", b"", authorization=f"Bearer guess-number-{number}")
                assert answer.status == 401

    trio.run(main)
    told = [record for record in caplog.records if "web_token_refused" in record.getMessage()]
    assert len(told) == 7
    assert "guess-number" not in caplog.text
