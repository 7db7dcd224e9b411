"""The command line as a whole: quick to answer, and clear about what is wrong."""

import re
import signal
import socket
import subprocess
import sys
import tomllib

import pytest

from aether.cli.exit_codes import ExitCode
from tests.processes import ROOT, Child, aether, environment


def test_without_a_command_the_help_is_shown():
    assert "Commands:" in aether().stdout + aether().stderr


def test_the_version_is_that_of_the_package():
    done = aether("--version")
    pattern = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["pattern"]
    declared = re.search(pattern, (ROOT / "aether/version.py").read_text())
    assert declared
    assert (done.returncode, done.stdout) == (0, f"aether {declared['version']}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["status"], "Missing argument 'ID'"),
        (["status", "x", "-o", "xml"], "'xml' is not one of 'table', 'wide', 'json', 'jsonl', 'yaml', 'name'"),
        (["workflow", "list", "--state", "asleep"], "must be one of pending, running, completed, failed, cancelled"),
        (["workflow", "list", "--limit", "0"], "0 is not in the range"),
        (["status", "x", "--server", "localhost:7233"], "'localhost:7233' is no address of a server"),
        (
            ["serve", "--grpc-port", "x", "--log-level", "loud"],
            "--grpc-port must be 0..65535, not 'x'\n--log-level must",
        ),
        (["worker", "nowhere"], "must be MODULE:CLIENT, not 'nowhere'"),
        (["worker", "no.such.module:client"], "there is no module no.such.module here"),
        (["worker", "json:client"], "json has no aether.Client named client; it has none"),
        (["worker", "json:x", "--server", "htp://x"], "aether: 'htp://x' is no address of a server"),
        (["worker", "json:x", "--server", "127.0.0.1:27233"], "aether: '127.0.0.1:27233' is no address of a server"),
        (["replay", "x", "--at", "1" * 20], "11111111111111111111 is not in the range"),
        (["fork", "x", "--at", "1" * 20], "11111111111111111111 is not in the range"),
        (["tail", "--after", "1" * 20], "11111111111111111111 is not in the range"),
        (["queue", "limit", "x", "5000000000"], "5000000000 is not in the range"),
        (["top", "--plain", "--once"], "aether: --plain goes on, so it does not go with --once"),
        (["top", "--plain", "-o", "json"], "--plain goes on, so it does not go with --once"),
        (["top", "--once", "--server", "htp://x"], "aether: 'htp://x' is no address of a server"),
        (["top", "--server", "http://127.0.0.1:99999"], "aether: 'http://127.0.0.1:99999' is no address of a server"),
        (["worker", "json:x", "--loop", "curio"], "must be trio or asyncio"),
        (["init", "../escape"], "must begin with a letter"),
    ],
)
def test_a_wrong_question_ends_with_2_and_says_what_is_wrong(arguments, words):
    done = aether(*arguments)
    assert done.returncode == ExitCode.USAGE
    assert words in done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["status", "x"], ["history", "x"], ["why", "x"], ["cancel", "x"], ["workflow", "list"]]
)
def test_where_no_server_answers_one_line_says_so(command, free_port):
    done = aether(*command, AETHER_SERVER=f"http://127.0.0.1:{free_port}")
    assert done.returncode == ExitCode.UNREACHABLE
    assert done.stderr == (
        f"aether: no server answers at http://127.0.0.1:{free_port} (Connection refused); start one with "
        "`aether serve`, or name another with --server\n"
    )


def test_ctrl_c_ends_a_command_with_130_and_no_traceback():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Child("-m", "aether.cli", "status", "x", "--server", url, cwd=ROOT) as asking:
            connection = silent.accept()[0]
            with connection:
                assert connection.recv(1)
                asking.tell(signal.SIGINT)
                assert asking.finish() == (ExitCode.INTERRUPTED, "")


# What typer brings along, in one version or another.
TYPER = {"typer", "click", "annotated_doc", "shellingham", "typing_extensions"}


def test_a_status_imports_what_it_needs_and_no_more(free_port):
    code = (
        "import sys\nfrom aether.cli.main import app\n"
        f"try:\n    app(['status', 'x', '--server', 'http://127.0.0.1:{free_port}'], prog_name='aether')\n"
        "except SystemExit:\n    pass\n"
        "print(*(name for name in sys.modules if not name.startswith('_')), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=30, check=True
    )
    imported = set(done.stdout.split())
    packages = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert packages - TYPER == {"aether", "attr", "attrs", "google", "hpack"}
    parts = {name.split(".")[1] for name in imported if name.startswith("aether.")}
    assert parts == {"cli", "errors", "model", "version", "wire"}
    assert not {"asyncio", "multiprocessing", "sqlite3"} & imported
