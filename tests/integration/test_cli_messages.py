"""Starting runs, speaking to them and waiting for them from the command line."""

import json
import signal
import socket

import pytest
import trio

from aether import Client, Context
from aether.cli.exit_codes import ExitCode
from aether.cli.messages import value_of
from tests.processes import Child, Server, aether


def rows(text):
    return dict(line.split("\t") for line in text.splitlines())


@pytest.fixture
def client(server):
    client = Client(server.url)

    @client.workflow("greet")
    async def greet(ctx: Context, name: str, times: int = 1) -> list[str]:
        if name == "nobody":
            raise ValueError("nobody is there")
        value = await ctx.wait_signal("go")
        return [f"Hello, {name}!", f"{value}"] * times

    return client


async def run(client, server, *commands):
    """What each of the commands came to, while a worker is there."""

    async def one(words):
        return await trio.to_thread.run_sync(lambda: aether(*words, AETHER_SERVER=server.url))

    async with client.serve():
        return [await one(words) for words in commands]


def test_a_run_is_started_told_and_waited_for(client, server):
    started, again, other, told, result, shown = trio.run(
        run, client, server,
        ["start", "greet", "World", "2", "--id", "g", "--tag", "team=red"],
        ["start", "greet", "World", "2", "--id", "g"],
        ["start", "greet", "Moon", "--id", "g"],
        ["signal", "g", "go", '{"by": "Ada"}'],
        ["result", "g"],
        ["status", "g", "-o", "yaml"],
    )  # fmt: skip
    assert rows(started.stdout)["workflow"] == "g"
    assert rows(again.stdout)["run"] == rows(started.stdout)["run"]
    assert other.returncode == ExitCode.CONFLICT
    assert rows(told.stdout) == {"workflow": "g", "run": rows(started.stdout)["run"], "signal": "go"}
    assert json.loads(result.stdout) == ["Hello, World!", "{'by': 'Ada'}"] * 2
    assert "  tags:\n    team: red\n" in shown.stdout


def test_what_became_of_a_run_is_an_exit_code(client, server, tmp_path):
    arguments = tmp_path / "arguments.json"
    arguments.write_text('["nobody"]')
    failed, waits, _, cancelled, late, unknown = trio.run(
        run, client, server,
        ["start", "greet", "-i", str(arguments), "--wait"],
        ["start", "greet", "World", "--id", "c", "-o", "name"],
        ["cancel", "c", "--reason", "enough"],
        ["result", "c"],
        ["result", "c", "--timeout", "5", "-o", "json"],
        ["result", "unknown"],
    )  # fmt: skip
    assert failed.returncode == ExitCode.RUN_FAILED
    assert "ValueError: nobody is there" in failed.stderr
    assert waits.stdout == "c\n"
    assert (cancelled.returncode, cancelled.stdout) == (ExitCode.RUN_CANCELLED, "")
    assert cancelled.stderr == "aether: workflow 'c' was cancelled: enough\n"
    assert json.loads(late.stderr) == {
        "schema": "aether.error/v1", "type": "WorkflowCancelled", "message": "workflow 'c' was cancelled: enough",
        "exit_code": 11, "retryable": False,
    }  # fmt: skip
    assert unknown.returncode == ExitCode.NOT_FOUND


def test_who_waits_for_a_result_does_so_for_as_long_as_he_says(server):
    assert aether("start", "nothing", "--id", "n", AETHER_SERVER=server.url).returncode == 0
    late = aether("result", "n", "--timeout", "1", AETHER_SERVER=server.url)
    assert late.returncode == ExitCode.TIMED_OUT
    assert late.stderr == "aether: workflow 'n' is not closed after 1 s; nothing happened to it\n"


def test_who_waits_for_a_result_does_so_over_a_killed_server(tmp_path):
    with Server(tmp_path) as first:
        port = first.url.rpartition(":")[2]
        assert aether("start", "nothing", "--id", "n", AETHER_SERVER=first.url).returncode == 0
        with Child("-m", "aether.cli", "result", "n", "--server", first.url, cwd=tmp_path) as waiting:
            first.tell(signal.SIGKILL)
            first.process.wait()
            with Server(tmp_path, "--grpc-port", port) as second:
                assert aether("cancel", "n", AETHER_SERVER=second.url).returncode == 0
                code, _ = waiting.finish()
    # It had asked before the server was killed, or found none.
    assert code in (ExitCode.RUN_CANCELLED, ExitCode.UNREACHABLE)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["x", "--input", "-"], "either arguments or --input"),
        (["--input", "no such file"], "no such file: No such file or directory"),
        (["--input", "-"], "- is not JSON"),
        (["--tag", "red"], "must be NAME=VALUE, not 'red'"),
    ],
)
def test_a_start_that_is_not_clear_is_refused(options, words):
    done = aether("start", "greet", *options)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('[{"x": NaN}]', "a.json is not JSON: it holds NaN"),
        ("[1e999]", "a number in it is too large"),
        (r'["\ud800"]', "half of a surrogate pair"),
    ],
)
def test_an_input_that_is_no_json_of_others_is_refused(text, words, tmp_path):
    (tmp_path / "a.json").write_text(text)
    done = aether("start", "greet", "-i", "a.json", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", [r'"\ud800"', "1e999", "[" * 100_000])
def test_a_value_that_can_not_be_sent_is_refused(value):
    done = aether("signal", "x", "go", value)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("aether: a ")
    assert done.stderr.count("\n") == 1


def test_what_only_python_takes_for_json_is_a_text():
    assert [value_of(text) for text in ("NaN", "-Infinity", '{"x":NaN}', "5", "five")] == [
        "NaN", "-Infinity", '{"x":NaN}', 5, "five",
    ]  # fmt: skip


def test_who_waits_for_a_result_does_not_wait_longer_for_a_silent_server():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        late = aether("result", "n", "--timeout", "0.2", AETHER_SERVER=url)
    assert late.returncode == ExitCode.TIMED_OUT
    assert late.stderr == f"aether: {url} gave no answer within 0.2 s\n"


def test_the_arguments_are_an_array(tmp_path):
    (tmp_path / "a.json").write_text("5")
    done = aether("start", "greet", "-i", "a.json", cwd=tmp_path)
    assert "a.json must be the JSON array of the arguments" in done.stderr
