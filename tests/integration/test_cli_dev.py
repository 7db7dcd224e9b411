"""`aether dev`: server and worker in one command, and code that changes under open runs."""

import os
import re
import signal

from aether.cli.exit_codes import ExitCode
from tests.processes import Child, aether

FLOW = """import aether

client = aether.Client()


@client.workflow("hello")
async def hello(ctx: aether.Context) -> str:
    await ctx.wait_signal("go")
    return "{word}"
"""


def test_runs_go_on_with_the_code_as_it_was_changed(tmp_path):
    flow = tmp_path / "flow.py"
    flow.write_text(FLOW.format(word="first"))
    with Child("-m", "aether.cli", "dev", "flow:client", "--grpc-port", "0", cwd=tmp_path) as dev:
        url = dev.wait_for("aether dev: server ").rpartition(" ")[2]
        dev.wait_for("serving flow:client")
        assert aether("start", "hello", "--id", "h", AETHER_SERVER=url).returncode == 0
        flow.write_text("this is no code(\n")
        dev.wait_for("flow.py has changed")
        dev.wait_for("the worker ended with 1")
        flow.write_text(FLOW.format(word="second"))
        dev.wait_for("serving flow:client")
        aether("signal", "h", "go", AETHER_SERVER=url)
        assert aether("result", "h", AETHER_SERVER=url).stdout == '"second"\n'
        dev.tell(signal.SIGINT)
        code, said = dev.finish()
    assert code == 0, said
    assert "stopped" in said
    assert (tmp_path / "data" / "aether.db").is_file()


def test_a_server_that_can_not_start_ends_it(tmp_path, free_port):
    with Child("-m", "aether.cli", "dev", "flow:client", "--grpc-port", str(free_port), cwd=tmp_path) as dev:
        code, said = dev.finish()
    assert code == ExitCode.FAILED
    assert str(free_port) in said


def test_a_server_that_dies_ends_it_and_is_told_of(tmp_path):
    (tmp_path / "flow.py").write_text(FLOW.format(word="first"))
    with Child("-m", "aether.cli", "dev", "flow:client", "--grpc-port", "0", cwd=tmp_path) as dev:
        dev.wait_for("serving flow:client")
        (server,) = re.findall(r"\bpid (\d+)", (tmp_path / "data" / "aether.db.lock").read_text())
        os.kill(int(server), signal.SIGKILL)
        code, said = dev.finish()
    assert code == ExitCode.FAILED
    assert "aether dev: the server ended with -9" in said


def test_a_kill_leaves_no_server_and_no_worker_behind(tmp_path):
    (tmp_path / "flow.py").write_text(FLOW.format(word="first"))
    with Child("-m", "aether.cli", "dev", "flow:client", "--grpc-port", "0", cwd=tmp_path) as dev:
        url = dev.wait_for("aether dev: server ").rpartition(" ")[2]
        dev.wait_for("serving flow:client")
        dev.tell(signal.SIGKILL)
        # Its output ends when all have closed it.
        code, said = dev.finish()
    assert code == -signal.SIGKILL
    assert "finishing what it has" in said
    assert aether("workflow", "list", AETHER_SERVER=url).returncode == ExitCode.UNREACHABLE
