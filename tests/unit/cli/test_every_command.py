"""What holds for every command there is, whatever it does."""

import json
import subprocess
import sys
from functools import cache

import pytest

from aether.cli.exit_codes import ExitCode
from tests.processes import ROOT, environment

HEAVY = {"trio", "anyio", "asyncio", "grpc", "google", "rich", "apsw", "cattrs", "hpack", "ssl"}
# What a command needs to be complete, by the name of its argument in the help.
ARGUMENTS = {
    "ID": "x", "[ID]": "x", "ID...": "x", "TYPE": "x", "NAME": "x", "COUNT": "1", "KEY": "x", "TOKEN": "x",
    "TARGET": "target.db", "MODULE:CLIENT": "json:x", "SHELL": "bash", "FILE": "missing.json",
}  # fmt: skip


def ask(commands, cwd=None, **variables):
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/unit/cli/every_command.py")],
        input=json.dumps(commands), env=environment(**variables), cwd=cwd,
        capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    told = json.loads(done.stdout)
    return told["answers"], told["modules"]


@cache
def helps(width=80):
    """The help of each command and group, by its words, and the packages that were imported for all of them."""
    answers, modules = ask(None, COLUMNS=str(width))
    assert all((code, errors) == (0, "") for _, code, _, errors in answers)
    return {tuple(words[:-1]): text for words, _, text, _ in answers}, modules


@cache
def complete_commands():
    """Each command with the arguments that it must have, and its help."""
    found = []
    for command, text in helps()[0].items():
        usage = [word.strip("{}") for word in text.partition("\n\n")[0].split()]
        if "COMMAND" not in usage:
            words = [ARGUMENTS[each] for each in usage if each in ARGUMENTS]
            found.append(([*command, *words, *(["--at", "3"] if "--at" in text else [])], text))
    return found


@pytest.mark.parametrize("width", [60, 80])
def test_the_help_of_every_command_fits_and_imports_nothing_heavy(width):
    shown, modules = helps(width)
    assert len(shown) > 50
    for command, text in shown.items():
        assert text.startswith(" ".join(("Usage: aether", *command))), command
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) <= width, command
        assert text.split("\n\n")[1].strip().endswith("."), f"{command} does not say what it does"
    assert not HEAVY & set(modules)


def test_every_command_that_shows_something_shows_it_as_data_too():
    # They show what is no data, write files, or run until they are told to stop.
    others = {("serve",), ("dev",), ("init",), ("completion",), ("worker", "run"), ("workflow", "export")}
    for command, text in helps()[0].items():
        is_group = "COMMAND [ARGS]" in text
        assert ("-o, --output" in text) is (not is_group and command not in others), command


def test_help_says_what_each_command_does_in_a_whole_sentence():
    groups = [text for text in helps()[0].values() if "COMMAND [ARGS]" in text]
    assert len(groups) == 6
    for text in groups:
        told = text.partition("Commands:\n")[2]
        assert told
        assert "..." not in told, text
        assert max(map(len, told.splitlines())) <= 80


def test_every_command_refuses_an_option_that_it_does_not_have():
    for command, code, out, errors in ask([[*command, "--nonsense"] for command, _ in complete_commands()])[0]:
        assert (code, out) == (ExitCode.USAGE, ""), command
        assert "No such option: --nonsense" in errors
        assert "Traceback" not in errors


def test_wrong_options_are_told_to_programs_as_one_object():
    for _, code, out, errors in ask([["status", "-o", "json"], ["why", "x", "--no", "-ojson"], ["--output=jsonl"]])[0]:
        assert (code, out) == (ExitCode.USAGE, "")
        assert json.loads(errors)["type"] == "UsageError"


def test_every_command_says_in_one_line_that_its_server_is_not_there(tmp_path):
    asked = [command for command, text in complete_commands() if "--server" in text]
    # The first four say more, or go on without one.
    asked = [command for command in asked if command[0] not in {"top", "doctor", "version", "dev", "worker"}]
    asked = [command for command in asked if command[:2] != ["workflow", "check"]]  # which wants code first
    assert len(asked) > 30
    addresses = ["http://127.0.0.1:1", "htp://x", "http://a..b"]
    for command, code, out, errors in ask(
        [[*command, "--server", each] for command in asked for each in addresses], cwd=tmp_path
    )[0]:
        assert code == (ExitCode.UNREACHABLE if command[-1] == addresses[0] else ExitCode.USAGE), (command, errors)
        assert not out
        assert errors.startswith("aether: ")
        assert len(errors.splitlines()) == 1
    as_data = ask([[*command, "-o", "json"] for command in asked[:5]], AETHER_SERVER=addresses[0])[0]
    assert all(json.loads(errors)["exit_code"] == code for _, code, _, errors in as_data)


def test_seconds_that_are_no_number_are_refused():
    asked = [
        [*command, value]
        for command in (["result", "w", "--timeout"], ["status", "w", "--every"], ["top", "--interval"])
        for value in ("nan", "inf")
    ]
    for command, code, out, errors in ask(asked)[0]:
        assert (code, out) == (ExitCode.USAGE, ""), command
        assert "Traceback" not in errors


@pytest.mark.parametrize("junk", [b"\x00\xff", b"[server\n", b"[server]\ngrpc_port = 'x'\nfoo = 1\n"])
def test_every_command_that_reads_settings_names_what_is_wrong_with_the_file(junk, tmp_path):
    (tmp_path / "aether.toml").write_bytes(junk)
    asked = [["config", "show"], ["config", "check"], ["db", "check"], ["db", "migrate"], ["serve"]]
    for _, code, out, errors in ask(asked, cwd=tmp_path)[0]:
        assert (code, out) == (ExitCode.USAGE, "")
        assert "aether.toml" in errors
        assert "Traceback" not in errors


@pytest.mark.parametrize("command", [["db", "check"], ["db", "migrate"], ["db", "backup", "copy.db"]])
def test_a_file_that_is_no_database_is_named(command, tmp_path):
    (tmp_path / "junk.db").write_bytes(b"junk" * 5000)
    ((_, code, out, errors),) = ask([[*command, "--db", "junk.db"]], cwd=tmp_path)[0]
    assert code == ExitCode.FAILED
    assert "junk.db" in out + errors
    assert "Traceback" not in errors
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("command", [["config", "show"], ["version"], ["--help"], ["doctor"]])
@pytest.mark.parametrize("out", ["/dev/full", None])
def test_output_that_nobody_takes_ends_a_command_without_a_traceback(command, out, tmp_path):
    # A pipe whose reader has gone, as that of `| head -1`; or a disk that is full.
    script = f'"$@" > {out}' if out else '"$@" | true; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "-", sys.executable, "-m", "aether.cli", *command],
        cwd=tmp_path, env=environment(AETHER_SERVER="http://127.0.0.1:1"), capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1, done.stderr
    if out:
        assert done.returncode == ExitCode.FAILED
