"""`aether init`, `aether serve` and `aether worker` together, as somebody who has just found the project uses them."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from contextlib import ExitStack

import pytest

from aether.cli.exit_codes import ExitCode
from aether.cli.init import KINDS
from tests.processes import ROOT, Child, Server, aether, environment


@pytest.fixture
def project(tmp_path):
    done = aether("init", "my-shop", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "my-shop"


def worker(folder, url, *options):
    return Child("-m", "aether.cli", "worker", "workflows:client", *options, cwd=folder, AETHER_SERVER=url)


def events_of(url, workflow_id):
    return json.loads(aether("history", workflow_id, "-o", "json", AETHER_SERVER=url).stdout)


def test_a_new_project_runs_by_itself(project):
    with Child("start.py", cwd=project) as script:
        code, said = script.finish()
    assert code == 0, said
    assert "result: Hello, World!" in said
    assert (project / "data" / "aether.db").is_file()


@pytest.mark.parametrize("loop", ["trio", "asyncio"])
def test_a_new_project_runs_on_a_server_and_a_worker(project, loop):
    with (
        Server(project) as server,
        worker(project, server.url, "--loop", loop) as working,
        Child("start.py", "Ada", cwd=project, AETHER_SERVER=server.url) as script,
    ):
        code, said = script.finish()
        assert code == 0, said
        assert said.splitlines()[-1] == "result: Hello, Ada!"
        kinds = [event["event"] for event in events_of(server.url, "greet-Ada")]
        assert kinds[0] == "RunCreated"
        assert kinds[-1] == "RunCompleted"
        assert {"ActivityCompleted", "TimerFired", "StepCompleted"} <= set(kinds)
        working.tell(signal.SIGTERM)
        code, said = working.finish()
        assert code == 0, said
        assert "Traceback" not in said
        server.tell(signal.SIGTERM)
        assert server.finish()[0] == 0


def test_a_project_is_not_written_over_anything(project, tmp_path):
    again = aether("init", "my-shop", cwd=tmp_path)
    assert again.returncode == ExitCode.USAGE
    assert "my-shop is not empty" in again.stderr
    (tmp_path / "file").touch()
    blocked = aether("init", "other", "--output", "file/below", cwd=tmp_path)
    assert blocked.returncode == ExitCode.FAILED
    assert "can not be written" in blocked.stderr
    (project / "workflows.py").write_text("mine")
    assert aether("init", "my-shop", "--force", cwd=tmp_path).returncode == 0
    assert "import aether" in (project / "workflows.py").read_text()
    elsewhere = aether("init", "other", "--output", "a/b", cwd=tmp_path)
    assert elsewhere.returncode == 0
    assert (tmp_path / "a" / "b" / "workflows.py").is_file()


@pytest.mark.parametrize("template", KINDS)
def test_a_project_of_each_template_is_installed_and_passes_its_tests(template, tmp_path):
    done = aether("init", "my-shop", "--template", template, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "my-shop"
    building = "import sys\nfrom setuptools import build_meta\nprint(build_meta.build_wheel(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", building, str(tmp_path)],
        cwd=project, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
    # Only what was installed is there for the tests.
    (project / "workflows.py").unlink()
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_workflows.py"],
        cwd=project, env=environment(PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path / 'installed'}"),
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert (project / ".gitignore").is_file()


def test_a_template_that_is_not_there_is_refused(tmp_path):
    done = aether("init", "my-shop", "--template", "cron", cwd=tmp_path)
    assert (done.returncode, "must be one of basic, saga, agent, http" in done.stderr) == (ExitCode.USAGE, True)
    assert not list(tmp_path.iterdir())


MODULE = """
import os, time
import aether

client = aether.Client()


@client.workflow("slow")
async def slow(ctx: aether.Context) -> int:
    first = await ctx.step("first", lambda: 1)
    await ctx.sleep(seconds=float(os.environ["PAUSE"]))
    return first + await ctx.step("second", lambda: 1)
"""
STARTER = """
import sys, anyio
from module import client, slow


async def main() -> None:
    async with client:
        print("result:", await slow.options(workflow_id="slow-1").start_and_wait())


anyio.run(main)
"""


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "starter.py").write_text(STARTER)
    return tmp_path


def test_a_run_outlives_the_kill_of_its_worker_and_of_its_server(slow):
    options: tuple[str, ...] = ()
    with ExitStack() as stack:
        for victim in ("worker", "server", "none"):
            server = stack.enter_context(Server(slow, *options))
            working = stack.enter_context(slow_worker(slow, server.url))
            working.wait_for("serving")
            if not options:
                script = stack.enter_context(Child("starter.py", cwd=slow, AETHER_SERVER=server.url, PAUSE="2"))
            if victim == "none":
                break
            wait_for_step(server.url)
            {"worker": working, "server": server}[victim].tell(signal.SIGKILL)
            for process in (working, server):
                process.__exit__()
            options = ("--grpc-port", server.url.rpartition(":")[2])
        code, said = script.finish()
        assert code == 0, said
        assert said.splitlines()[-1] == "result: 2"  # before it, that the connection was lost
        kinds = [event["event"] for event in events_of(server.url, "slow-1")]
        assert (kinds.count("StepCompleted"), kinds.count("TimerFired"), kinds[-1]) == (2, 1, "RunCompleted")


def slow_worker(folder, url):
    return Child("-m", "aether.cli", "worker", "module:client", cwd=folder, AETHER_SERVER=url, PAUSE="2")


def wait_for_step(url):
    """Bounded by the command's own time: each look is a process."""
    for _ in range(50):
        done = aether("history", "slow-1", "-o", "json", AETHER_SERVER=url)
        if done.returncode == 0 and any(event["event"] == "StepCompleted" for event in json.loads(done.stdout)):
            return
    raise AssertionError("the first step was never recorded")


def test_a_worker_that_waits_for_its_server_can_be_stopped(slow, free_port):
    with slow_worker(slow, f"http://127.0.0.1:{free_port}") as waiting:
        waiting.wait_for("waiting for a server")
        waiting.tell(signal.SIGTERM)
        code, said = waiting.finish()
    assert code == 0, said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("def half(:", "SyntaxError: invalid syntax"),
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
    ],
)
def test_a_module_that_can_not_be_imported_shows_where_in_its_own_lines(tmp_path, code, said):
    (tmp_path / "broken.py").write_text(code + "\n")
    done = aether("worker", "broken:client", cwd=tmp_path)
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith("aether: broken can not be imported:\n")
    assert said in done.stderr
    assert "broken.py" in done.stderr
    assert done.stderr.count('File "') == 1, done.stderr


def test_a_client_that_defines_nothing_ends_the_worker_with_one_line(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    (folder / "empty.py").write_text("import aether\nclient = aether.Client()\n")
    done = aether("worker", "empty:client", cwd=folder, AETHER_SERVER=server.url)
    assert done.returncode == ExitCode.USAGE
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("aether: ")


STUCK = """
import anyio
import aether

client = aether.Client()


@client.activity("stuck")
async def stuck() -> None:
    print("begun", flush=True)
    with anyio.CancelScope(shield=True):
        await anyio.sleep(3600)


@client.workflow("slow")
async def slow(ctx: aether.Context) -> None:
    await ctx.activity(stuck)
"""


def test_a_second_signal_ends_a_worker_that_can_not_finish(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stuck")
    (folder / "module.py").write_text(STUCK)
    (folder / "starter.py").write_text(STARTER)
    with (
        slow_worker(folder, server.url) as working,
        Child("starter.py", cwd=folder, AETHER_SERVER=server.url),
    ):
        working.wait_for("begun")
        working.tell(signal.SIGTERM)
        working.wait_for("once more to stop at once")
        working.tell(signal.SIGTERM)
        working.process.wait(5)
        code, said = working.finish()
        assert code == ExitCode.FAILED
        assert said.endswith("stopped with work in hand, which goes to another worker")
