"""The same for all runs that a filter means, settings with their origins, and completion."""

import json

import pytest
import trio

import aether
from aether import Client, Context
from aether.cli.exit_codes import ExitCode
from tests.processes import aether as command


def rows(text):
    return [line.split("\t") for line in text.splitlines()]


def test_all_open_runs_that_are_meant_are_cancelled(server):
    for number in range(3):
        assert command("start", "order", "--id", f"order-{number}", AETHER_SERVER=server.url).returncode == 0
    assert command("start", "mail", "--id", "mail-1", AETHER_SERVER=server.url).returncode == 0
    command("cancel", "order-0", AETHER_SERVER=server.url)
    words = ("cancel", "--filter", "type:order")
    looked = command(*words, "--dry-run", AETHER_SERVER=server.url)
    head, *found = rows(looked.stdout)
    assert head == ["WORKFLOW", "RUN", "STATE", "OUTCOME"]
    assert [(row[0], row[2], row[3]) for row in found] == [
        ("order-2", "PENDING", "would be asked to stop"),
        ("order-1", "PENDING", "would be asked to stop"),
    ]
    assert looked.stderr == "aether: 2 runs would be cancelled; nothing was done\n"
    asked = command(*words, AETHER_SERVER=server.url)
    assert asked.returncode == ExitCode.USAGE
    assert "2 runs would be cancelled: say --yes" in asked.stderr
    done = command(*words, "--yes", "--reason", "left us", "-o", "json", AETHER_SERVER=server.url)
    assert [(each["workflow_id"], each["outcome"]) for each in json.loads(done.stdout)] == [
        ("order-2", "CANCELLED"),
        ("order-1", "CANCELLED"),
    ]
    assert command(*words, "-o", "name", AETHER_SERVER=server.url).stdout == ""
    left = command("workflow", "list", "state:open", "-o", "name", AETHER_SERVER=server.url).stdout
    assert left == "mail-1\n"


def test_all_runs_that_failed_are_retried_and_what_can_not_be_is_told(server):
    client = Client(server.url)
    is_mended = False

    @client.workflow("fragile")
    async def fragile(ctx: Context, name: str) -> str:
        if is_mended:
            return "mended"

        def fail() -> None:
            raise ValueError("broken")

        try:
            await ctx.step("pay", fail)
        finally:
            if name == "b":
                await ctx.step("clean up", lambda: None)
        return "never"

    async def run(*words: str):
        return await trio.to_thread.run_sync(lambda: command(*words, AETHER_SERVER=server.url))

    async def main() -> None:
        nonlocal is_mended
        async with client.serve():
            for name in ("a", "b", "c"):
                handle = await fragile.options(workflow_id=name).start(name)
                with pytest.raises(aether.WorkflowFailed):
                    await handle.result()
            is_mended = True
            words = ("retry", "--filter", "type:fragile")
            looked = await run(*words, "--dry-run")
            assert looked.returncode == ExitCode.FAILED
            outcomes = {row[0]: row[3] for row in rows(looked.stdout)[1:]}
            assert outcomes["a"] == "a from event 2"
            assert outcomes["b"].startswith("failed: after the failure of event 3 the run did something more")
            assert (await run(*words, "--yes")).returncode == ExitCode.FAILED
            assert [await client.handle(name).result() for name in ("a", "c")] == ["mended", "mended"]
            forked = await run("fork", "--filter", "b", "--at", "2", "--yes", "-o", "json")
            (fork,) = json.loads(forked.stdout)
            assert fork["outcome"].startswith("b-fork-")

    trio.run(main)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cancel"], "the id of a run, or --filter for all that are meant"),
        (["cancel", "x", "--filter", "y"], "not with an id"),
        (["cancel", "x", "--dry-run"], "only with --filter"),
        (["retry", "--filter", "y", "--id", "new"], "not with an id"),
        (["fork", "--at", "3"], "the id of a run, or --filter for all that are meant"),
    ],
)
def test_one_run_or_many(words, said):
    done = command(*words)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert said in done.stderr


def test_settings_say_where_they_come_from(tmp_path):
    (tmp_path / "aether.toml").write_text("[server]\n\ngrpc_port = 9000\n[web]\nallowed_hosts = ['a.b', 'c.d']\n")
    shown = command("config", "show", "--origin", cwd=tmp_path, AETHER_LOG_LEVEL="debug")
    found = {row[0]: row[1:] for row in rows(shown.stdout)}
    assert found["SETTING"] == ["VALUE", "FROM"]
    assert found["server.grpc_port"] == ["9000", "aether.toml:3: server.grpc_port"]
    assert found["log.level"] == ["debug", "AETHER_LOG_LEVEL"]
    assert found["metrics.port"] == ["9090", "default"]
    assert found["web.allowed_hosts"][0] == "a.b, c.d"
    assert found["server.insecure"][0] == "false"
    assert found["tls.cert"][0] == ""
    told = json.loads(command("config", "show", "-o", "json", cwd=tmp_path).stdout)
    assert {"schema": "aether.setting/v1", "key": "server.grpc_port", "value": "9000"} in told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell):
    script = command("completion", shell)
    assert script.returncode == 0
    assert f"_AETHER_COMPLETE=complete_{shell}" in script.stdout
    assert command("completion", "csh").returncode == ExitCode.USAGE


def test_commands_and_options_are_completed():
    told = command(_AETHER_COMPLETE="complete_bash", COMP_WORDS="aether wor", COMP_CWORD="1")
    assert set(told.stdout.split()) == {"worker", "workflow"}
    told = command(_AETHER_COMPLETE="complete_bash", COMP_WORDS="aether why --ser", COMP_CWORD="2")
    assert told.stdout.split() == ["--server"]
