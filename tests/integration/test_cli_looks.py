"""Commands that look at a real server: what they show, how it is asked for, and what they say when it is not there."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from aether.cli.exit_codes import ExitCode
from aether.cli.init import KINDS
from tests.processes import ROOT, Child, Server, aether, environment

APP = """import aether

client = aether.Client()


@client.activity("weigh")
async def weigh(grams: int) -> int:
    return grams


@client.workflow("parcel")
async def parcel(ctx: aether.Context, name: str) -> str:
    await ctx.activity(weigh, 5)
    await ctx.child(label, name)
    await ctx.publish("progress", {"at": "depot"})
    return await ctx.wait_signal("go", result_type=str)


@client.workflow("label")
async def label(ctx: aether.Context, name: str) -> str:
    return name


@client.workflow("asks")
async def asks(ctx: aether.Context) -> str:
    promise = await ctx.promise("answer", result_type=str)
    await ctx.publish("token", promise.token)
    return await promise.result()
"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A server with a worker; parcel-ann has gone through its child and waits, parcel-bob is done."""
    folder = tmp_path_factory.mktemp("busy")
    (folder / "app.py").write_text(APP)
    with (
        Server(folder) as server,
        Child("-m", "aether.cli", "worker", "app:client", "--server", server.url, cwd=folder) as worker,
    ):
        worker.wait_for("serving app:client")
        ask = Asker(server.url)
        for name in ("ann", "bob"):
            ask("start", "parcel", name, "--id", f"parcel-{name}", "--tag", f"to={name}")
        ask("signal", "parcel-bob", "go", '"thanks"')
        assert ask("result", "parcel-bob") == '"thanks"\n'
        ask.until("progress", "workflow", "query", "parcel-ann", "progress")
        yield ask


class Asker:
    """Runs commands; `ask(…)` is what one shows if it ends well."""

    def __init__(self, url):
        self.url = url

    def __call__(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *words, **variables):
        return aether(*words, AETHER_SERVER=self.url, **variables)

    def rows(self, *words):
        return [line.split("\t") for line in self(*words).splitlines()]

    def until(self, what, *words):
        for _ in range(60):
            if self.run(*words).returncode == 0:
                return
        raise AssertionError(f"no {what}")


def test_a_list_is_shown_as_it_is_asked_for(busy):
    shown = busy.rows(
        "workflow", "list", "type:parcel", "--columns", "workflow,tags", "--sort", "-workflow", "--no-headers"
    )
    assert shown == [["parcel-bob", "to=bob"], ["parcel-ann", "to=ann"]]
    (title, *times) = busy.rows("workflow", "list", "parcel-ann", "--time", "relative", "--columns", "created")
    assert title == ["CREATED"]
    assert times[0][0].endswith(" ago")
    refused = busy.run("workflow", "list", "--columns", "workflow", "-o", "json")
    assert (refused.returncode, json.loads(refused.stderr)["field"]) == (ExitCode.USAGE, "--columns")


def test_runs_are_counted_by_what_they_are(busy):
    assert busy.rows("workflow", "count", "type:parcel", "--by", "state,tag.to") == [
        ["STATE", "TAG.TO", "RUNS"], ["COMPLETED", "bob", "1"], ["RUNNING", "ann", "1"],
    ]  # fmt: skip
    assert json.loads(busy("workflow", "count", "type:nothing", "--by", "", "-o", "json")) == [
        {"schema": "aether.count/v1", "runs": 0}
    ]
    wrong = busy.run("workflow", "count", "--by", "colour")
    assert (wrong.returncode, "can be state, type, queue, tag.NAME" in wrong.stderr) == (ExitCode.USAGE, True)


def test_what_a_run_did_is_a_tree_of_what_took_time(busy):
    rows = busy.rows("trace", "parcel-ann", "--columns", "path,what,state,attempts")
    assert rows[1][1:3] == ["run parcel", "running"]
    assert ["1", "  activity weigh", "completed", "1"] in rows
    assert any(row[1].startswith("  child label") for row in rows)
    assert [row[0] for row in busy.rows("workflow", "children", "parcel-ann", "--columns", "type", "--no-headers")] == [
        "label"
    ]


def test_a_status_may_hold_the_newest_events_and_end_as_the_run_did(busy):
    shown = busy.rows("status", "parcel-bob", "--history", "1")
    assert shown[-1][0] == "event"
    assert "RunCompleted" in shown[-1][1]
    assert busy.run("status", "parcel-bob", "--exit-status").returncode == 0
    busy("start", "parcel", "7", "--id", "wrong")
    failed = busy.run("result", "wrong")
    assert failed.returncode == ExitCode.RUN_FAILED
    assert 'as JSON a text is "7"' in failed.stderr
    assert busy.run("status", "wrong", "--exit-status").returncode == ExitCode.RUN_FAILED


@pytest.mark.parametrize(
    "words",
    [
        "status parcel-bob",
        "status parcel-ann",
        "trace parcel-bob",
        "history parcel-bob",
        "history parcel-bob --follow",
        "why parcel-bob",
        "replay parcel-bob --at 3",
        "result parcel-bob",
        "workflow list",
        "workflow count",
        "workflow children parcel-ann",
        "queue list",
        "queue show default",
        "worker list",
        "metrics",
        "version",
        "top",
    ],
)
def test_what_is_shown_as_json_ends_with_the_same_code(busy, words):
    done = busy.run(*words.split(), "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_beginning_of_an_id_is_enough_to_look_and_not_to_change(busy):
    looked = busy.run("workflow", "show", "parcel-a", "-o", "json")
    assert json.loads(looked.stdout)["info"]["workflow_id"] == "parcel-ann"
    assert looked.stderr == "aether: no workflow 'parcel-a'; this is parcel-ann, the only one that begins so\n"
    refused = busy.run("cancel", "parcel-a")
    assert refused.returncode == ExitCode.NOT_FOUND
    assert refused.stderr == "aether: no workflow 'parcel-a'; did you mean parcel-ann?\n"
    several = busy.run("why", "parcel-")
    assert several.stderr == "aether: no workflow 'parcel-'; these begin so: parcel-bob, parcel-ann\n"
    slipped = busy.run("status", "pracel-ann", "-o", "json")
    assert slipped.returncode == ExitCode.NOT_FOUND
    error = json.loads(slipped.stderr)
    assert (error["schema"], error["type"], error["exit_code"]) == ("aether.error/v1", "WorkflowNotFound", 3)
    assert "did you mean parcel-ann" in error["message"]


def test_workers_and_queues_are_shown_by_name(busy):
    (worker,) = json.loads(busy("worker", "list", "-o", "json"))
    assert set(worker["workflow_types"]) == {"asks", "label", "parcel"}
    fields = dict(busy.rows("worker", "show", worker["worker_id"][:-1], "--time", "relative"))
    assert (fields["queue"], fields["activities"]) == ("default", "weigh")
    missing = busy.run("worker", "show", "nobody")
    assert (missing.returncode, missing.stdout) == (ExitCode.NOT_FOUND, "")
    assert busy.rows("queue", "show", "default")[1][:3] == ["default", "all", "1"]
    slipped = busy.run("queue", "pause", "defualt")
    assert slipped.returncode == ExitCode.NOT_FOUND
    assert "did you mean default?" in slipped.stderr
    assert busy.rows("queue", "pause", "tomorrow", "--new")[1][:2] == ["tomorrow", "nothing, paused"]
    assert busy.rows("queue", "resume", "tomorrow")[1][:2] == ["tomorrow", "all"]


def test_promises_are_completed_and_published_values_read(busy):
    busy("start", "asks", "--id", "asks")
    busy.until("token", "workflow", "query", "asks", "token")
    token = json.loads(busy("workflow", "query", "asks", "token"))
    assert dict(busy.rows("workflow", "complete", token, "yes"))["done"] == "completed"
    assert json.loads(busy("result", "asks")) == "yes"
    nothing = busy.run("workflow", "query", "asks", "nothing")
    assert (nothing.returncode, "has published nothing under 'nothing'" in nothing.stderr) == (ExitCode.NOT_FOUND, True)


def test_exported_runs_are_viewed_without_a_server(busy, tmp_path):
    file = tmp_path / "runs.json"
    busy("workflow", "export", "parcel-ann", "parcel-bob", "--file", str(file))
    away = {"AETHER_SERVER": "http://127.0.0.1:1"}
    listed = aether("workflow", "view", str(file), "-o", "name", **away)
    assert listed.stdout.split() == ["parcel-ann", "parcel-bob"]
    viewed = aether("workflow", "view", str(file), "parcel-bob", **away)
    assert viewed.stdout == busy("history", "parcel-bob")
    missing = aether("workflow", "view", str(file), "nobody", **away)
    assert (missing.returncode, "it has parcel-ann, parcel-bob" in missing.stderr) == (ExitCode.NOT_FOUND, True)
    for junk in ("", "[]", '{"schema": "aether.export/v1", "runs": [{}]}', "\x00"):
        file.write_text(junk)
        refused = aether("workflow", "view", str(file), **away)
        assert refused.returncode == ExitCode.USAGE
        assert "was not written by `aether workflow export`" in refused.stderr


def test_many_runs_are_paused_and_go_on_together(busy):
    paused = busy.rows("pause", "--filter", "id:parcel-ann", "--reason", "audit", "--yes")
    assert [(row[0], row[3]) for row in paused[1:]] == [("parcel-ann", "paused")]
    assert ["paused", "audit"] in busy.rows("status", "parcel-ann")
    assert busy.rows("resume", "--filter", "type:parcel", "--dry-run")[1][3] == "would be resumed"
    assert busy.rows("resume", "--filter", "type:parcel", "--yes")[1][3] == "resumed"
    alone = busy.run("pause", "parcel-ann", "--dry-run")
    assert (alone.returncode, "only with --filter" in alone.stderr) == (ExitCode.USAGE, True)


def test_new_code_is_checked_against_runs_before_a_worker_has_it(busy, tmp_path):
    (tmp_path / "old.py").write_text(APP)
    (tmp_path / "new.py").write_text(APP.replace("await ctx.activity(weigh, 5)", 'await ctx.step("weigh", lambda: 5)'))
    asked = ["workflow", "check", "old:client", "parcel-ann", "--columns", "workflow,fits"]
    good = busy.run(*asked, cwd=tmp_path)
    assert (good.returncode, good.stdout) == (0, "WORKFLOW\tFITS\nparcel-ann\tyes\n"), good.stderr
    bad = busy.run("workflow", "check", "new:client", "--filter", "id:parcel-ann", "-o", "json", cwd=tmp_path)
    (told,) = json.loads(bad.stdout)
    assert (bad.returncode, told["fits"]) == (ExitCode.FAILED, "no")
    assert "activity" in told["differs"]
    file = tmp_path / "runs.json"
    busy("workflow", "export", "parcel-bob", "--file", str(file))
    away = aether("workflow", "check", "new:client", "--file", str(file), cwd=tmp_path)
    assert away.returncode == ExitCode.FAILED
    assert "1 of 1 runs would be blocked by this code" in away.stderr


def test_a_watched_status_ends_with_the_run_and_repeats_nothing_in_a_pipe(busy):
    busy("start", "asks", "--id", "watched")
    busy.until("token", "workflow", "query", "watched", "token")
    with Child(
        "-m", "aether.cli", "status", "watched", "--watch", "--every", "0.1", "-o", "jsonl",
        cwd=ROOT, AETHER_SERVER=busy.url,
    ) as watching:  # fmt: skip
        assert json.loads(watching.wait_for("watched"))["info"]["state"] == "RUNNING"
        busy("workflow", "complete", json.loads(busy("workflow", "query", "watched", "token")), "done")
        code, said = watching.finish()
    states = [json.loads(line)["info"]["state"] for line in said.splitlines()]
    assert (code, states[0], states[-1]) == (0, "RUNNING", "COMPLETED")
    assert len(said.splitlines()) == len(set(said.splitlines()))


def test_what_is_watched_on_a_terminal_stays_in_place(busy):
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "aether.cli", "queue", "list", "--watch", "--every", "0.1", "--color", "never"]
    with subprocess.Popen(
        command, env=environment(AETHER_SERVER=busy.url, TERM="xterm", COLUMNS="120"), stdout=follower, stderr=follower
    ) as watching:
        os.close(follower)
        try:
            seen = b""
            while seen.count(b"QUEUE") < 2:
                seen += os.read(leader, 4096)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(20) == ExitCode.INTERRUPTED
        finally:
            watching.kill()
    os.close(leader)
    assert seen.count(b"\x1b[2J") == 1
    assert seen.count(b"\x1b[H") >= 2
    assert b"Traceback" not in seen


def complete(url, cache, words):
    return aether(
        _AETHER_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1),
        AETHER_SERVER=url, XDG_CACHE_HOME=str(cache),
    ).stdout.split()  # fmt: skip


def test_ids_types_and_queues_are_completed(busy, tmp_path):
    assert complete(busy.url, tmp_path, "aether status parcel-") == ["parcel-ann", "parcel-bob"]
    assert complete(busy.url, tmp_path, "aether start la") == ["label"]
    assert complete(busy.url, tmp_path, "aether queue pause def") == ["default"]
    assert complete(busy.url, tmp_path, "aether start label --queue d") == ["default"]
    assert complete(busy.url, tmp_path, "aether workflow list --type la") == ["label"]
    # What was found a moment ago is offered again without asking.
    (kept,) = [file for file in (tmp_path / "aether").iterdir() if "parcel-ann" in file.read_text()]
    kept.write_text('["parcel-zoe"]')
    assert complete(busy.url, tmp_path, "aether status parcel-") == ["parcel-zoe"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("aether workflow list --state c", ["completed", "cancelled"]),
        ("aether init demo --template s", ["saga"]),
        ("aether completion ", ["bash", "zsh", "fish"]),
        ("aether status x -o json", ["json", "jsonl"]),
    ],
)
def test_values_of_which_there_are_few_are_completed_without_a_server(tmp_path, words, offered):
    assert complete("http://127.0.0.1:1", tmp_path, words) == offered


def test_the_templates_that_are_completed_are_those_that_there_are(tmp_path):
    assert sorted(complete("http://127.0.0.1:1", tmp_path, "aether init demo --template ")) == sorted(KINDS)


def test_where_no_server_answers_nothing_is_completed(tmp_path, free_port):
    assert complete(f"http://127.0.0.1:{free_port}", tmp_path, "aether status x") == []
    assert complete("no address", tmp_path, "aether status x") == []
