"""`aether top` in a real terminal, beside a real server and worker: what it shows, what it does, how it leaves."""

import csv
import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

import aether as sdk
from aether.cli.exit_codes import ExitCode
from tests.processes import Child, Server, aether, environment
from tests.terminals import Terminal

NO_TMUX = "there is no tmux here to look at a terminal"
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason=NO_TMUX)
APP = """
import anyio, aether
client = aether.Client()

@client.activity("charge", retry=aether.RetryPolicy(initial_s=0.05, max_attempts=3))
async def charge(order: str) -> str:
    if aether.activity_info().attempt < 2:
        raise ConnectionError("gateway hung up")
    return f"tx-{order}"

@client.workflow("order")
async def order(ctx: aether.Context, order: str) -> str:
    await ctx.step("reserve", lambda: {"items": 10})
    return await ctx.activity(charge, order)

@client.workflow("approval")
async def approval(ctx: aether.Context, who: str) -> str:
    return await ctx.wait_signal("approve")

@client.workflow("broken")
async def broken(ctx: aether.Context) -> None:
    raise ValueError("no way \\x1b]0;pwned\\x07 out")
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server, a worker, and some runs: one done, one that failed, and some that wait. The address of the server."""
    folder = tmp_path_factory.mktemp("top")
    (folder / "app.py").write_text(APP)
    with Server(folder, "--metrics-port", "0") as server:
        worker = ("-m", "aether.cli", "worker", "app:client")
        with Child(*worker, cwd=folder, AETHER_SERVER=server.url) as working:
            working.wait_for("serving")
            anyio.run(fill, folder, server.url)
            yield server


async def fill(folder, url):
    sys.path.insert(0, str(folder))
    try:
        namespace: dict[str, object] = {}
        exec(compile(APP.replace("aether.Client()", f"aether.Client({url!r})"), "app.py", "exec"), namespace)
    finally:
        sys.path.remove(str(folder))
    client, order, approval, broken = (namespace[name] for name in ("client", "order", "approval", "broken"))
    async with client:  # type: ignore[attr-defined]
        await order.options(workflow_id="order-1", tags={"customer": "c7"}).start_and_wait("o1")  # type: ignore[attr-defined]
        for name in ("wait-1", "wait-2", "漢字-שלום"):
            await approval.options(workflow_id=name).start("eve")  # type: ignore[attr-defined]
        with pytest.raises(sdk.WorkflowFailed):
            await broken.options(workflow_id="broken-1").start_and_wait()  # type: ignore[attr-defined]


@pytest.fixture
def terminal(tmp_path, world):
    if shutil.which("tmux") is None:
        pytest.skip(NO_TMUX)
    with Terminal(tmp_path, AETHER_SERVER=world.url) as running:
        yield running


def states(url):
    shown = aether("workflow", "list", "-o", "json", AETHER_SERVER=url).stdout
    return {each["workflow_id"]: each["state"] for each in json.loads(shown)}


def test_from_the_overview_to_a_run_and_to_its_cancellation(terminal, world):
    terminal.start()
    terminal.wait_for("live", "completed", "workers 1", "broken-1")
    terminal.type("2")
    terminal.wait_for("order-1", "customer=c7", "漢字-שלום")
    terminal.type("/", "order-", "Enter")
    terminal.wait_until(lambda: "wait-1" not in terminal.screen(), "the filter to hold")
    terminal.type("Enter")
    terminal.wait_for("reserve", "charge \u00d72", "COMPLETED")
    terminal.type("Tab", "Tab")
    terminal.wait_for('"tx-o1"')
    terminal.type("Tab")
    terminal.wait_for("ConnectionError: gateway hung up", "Traceback")
    terminal.type("Escape")
    terminal.wait_for("1 Overview")
    terminal.type("/", "C-u", "id:wait-1", "Enter")
    terminal.wait_until(lambda: "order-1" not in terminal.screen(), "the other filter to hold")
    terminal.type("C")
    terminal.wait_for("cancel?", "wait-1", world.url, "every other key is No")
    terminal.type("n")
    terminal.wait_for("nothing was done")
    assert states(world.url)["wait-1"] == "RUNNING"
    terminal.type("C", "y")
    terminal.wait_for("CANCELLED", "cancel: done")
    assert states(world.url)["wait-1"] == "CANCELLED"
    terminal.type("q")
    terminal.wait_for("ended-with-0")


def test_a_run_is_held_let_go_on_and_sent_a_signal(terminal, world):
    terminal.start("--run", "wait-2")
    terminal.wait_for("approval", "RUNNING")
    terminal.type("P", "y")
    terminal.wait_for("PAUSED")
    terminal.type("P", "y")
    terminal.wait_for("RUNNING")
    terminal.type("S")
    terminal.wait_for("> approve_")
    terminal.type("Enter", '"yes"', "Enter")
    terminal.wait_for("signal?", "name of the signal: approve", 'its value, as JSON (nothing: null): "yes"')
    terminal.type("y")
    terminal.wait_for("COMPLETED")
    assert states(world.url)["wait-2"] == "COMPLETED"


def test_a_task_queue_is_held_let_go_on_and_limited(terminal, world):
    terminal.start("--view", "queues")
    terminal.wait_for("default", "activity", "all")
    terminal.type("P")
    terminal.wait_for("pause?", "queue   default", "hands out nothing more")
    terminal.type("y")
    terminal.wait_for("nothing")
    listed = json.loads(aether("queue", "list", "-o", "json", AETHER_SERVER=world.url).stdout)
    assert (listed[0]["paused"], listed[0]["reason"]) == (True, "paused from aether top")
    terminal.type("P", "y")
    terminal.wait_until(lambda: "nothing" not in terminal.screen(), "the queue to go on")
    terminal.type("L", "7", "Enter", "y")
    terminal.wait_for("≤ 7")
    terminal.type("L", "0", "Enter", "y")
    terminal.wait_until(lambda: "≤ 7" not in terminal.screen(), "no limit")


def test_the_mouse_selects_and_opens_when_it_is_asked_to_and_is_given_back(terminal):
    terminal.start("--view", "workflows")
    shown = terminal.wait_for("order-1", "wait-1")
    line = next(number for number, text in enumerate(shown.splitlines(), 1) if "order-1" in text)
    assert terminal.asks("mouse_any_flag") == "0"
    click = ("-l", f"\x1b[<0;20;{line}M\x1b[<0;20;{line}m")
    terminal.run("send-keys", *click)
    terminal.type("m")
    terminal.wait_until(lambda: terminal.asks("mouse_any_flag") == "1", "the mouse to be taken")
    terminal.run("send-keys", *click)
    terminal.run("send-keys", *click)
    terminal.wait_for("Timeline", "COMPLETED")
    terminal.type("C-z")
    terminal.wait_until(lambda: terminal.asks("alternate_on") == "0", "the screen to be given back")
    assert terminal.asks("mouse_any_flag") == "0"
    terminal.type("fg", "Enter")
    terminal.wait_until(lambda: terminal.asks("mouse_any_flag") == "1", "the mouse to be taken again")
    terminal.type("C-c")
    terminal.wait_until(lambda: terminal.asks("alternate_on") == "0", "the end")
    assert terminal.asks("mouse_any_flag") == "0"


def test_the_log_tells_what_happens_and_takes_a_filter(terminal, world):
    terminal.start("--view", "log", "--filter", "type:order")
    terminal.wait_for("order-1", "ActivityRetried", "charge", "ConnectionError: gateway hung", "RunCompleted")
    assert "broken-1" not in terminal.screen()
    terminal.type("/", "C-u", "type:broken", "Enter")
    terminal.wait_for("broken-1", "RunFailed")
    assert "order-1" not in terminal.screen()
    assert "\x1b]0;" not in terminal.screen()


def test_a_run_is_forked_and_a_failed_one_is_retried(terminal, world):
    terminal.start("--run", "order-1")
    terminal.wait_for("COMPLETED")
    terminal.type("Tab")
    terminal.wait_for("StepCompleted")
    terminal.type("Down", "Down", "F")
    terminal.wait_for("last event that both share", "> 3")
    terminal.type("Enter", "order-again", "Enter")
    terminal.wait_for("fork?", "id of the new run (nothing: made up): order-again")
    terminal.type("y")
    terminal.wait_for("the fork is order-again")
    terminal.type("2")
    terminal.wait_for("order-again", "broken-1")
    terminal.type("/", "id:broken-1", "Enter")
    terminal.wait_until(lambda: "order-again" not in terminal.screen(), "the filter to hold")
    terminal.type("R", "y")
    terminal.wait_for("retry: goes on as run")
    assert states(world.url)["order-again"] in {"RUNNING", "COMPLETED"}


def test_read_only_changes_nothing(terminal, world):
    terminal.start("--read-only", "--run", "漢字-שלום")
    terminal.wait_for("read only", "RUNNING")
    terminal.type("C", "y", "X", "S", "?")
    shown = terminal.wait_for("keys here")
    assert "stop" not in shown
    assert states(world.url)["漢字-שלום"] == "RUNNING"


def test_every_size_is_drawn_and_nothing_is_left_over(terminal):
    terminal.start()
    terminal.wait_for("live", "storage")
    for width, height, word in (
        (80, 24, "problems"),
        (60, 16, "flow  states"),
        (1, 1, ""),
        (30, 6, "runs/s"),
        (160, 50, "TAKES"),
    ):
        terminal.run("resize-window", "-x", str(width), "-y", str(height))
        shown = terminal.wait_for(word)
        assert len(shown.splitlines()) <= height
    assert shown.count("aether top") == 1


@needs_tmux
def test_without_colour_none_is_used(tmp_path, world):
    with Terminal(tmp_path, AETHER_SERVER=world.url, NO_COLOR="1") as terminal:
        terminal.start("--ascii")
        terminal.wait_for("live", "broken-1")
        shown = terminal.screen("-e")
    codes = {code for each in re.findall(r"\x1b\[([0-9;]*)m", shown) for code in each.split(";") if code}
    assert codes <= {"0", "1", "2", "7", "22", "27", "39", "49"}
    assert shown.isascii()


def is_restored(terminal):
    terminal.type(
        "clear; stty -a | tr ' ' '\\n' | grep -xE '[-]?(icanon|echo|isig)' | xargs; echo that-is-'all'", "Enter"
    )
    shown = terminal.wait_for("that-is-all")
    return (
        terminal.asks("alternate_on") == "0"
        and terminal.asks("cursor_flag") == "1"
        and terminal.asks("wrap_flag") == "1"
        and "isig icanon echo" in shown.splitlines()
    )


def process_of(terminal):
    shell = terminal.asks("pane_pid")
    return int(Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])


def test_however_it_ends_the_terminal_is_as_before(terminal):
    for how, code in (("q", 0), ("C-c", 130), (signal.SIGTERM, 0)):
        terminal.start()
        terminal.wait_for("live")
        assert terminal.asks("alternate_on") == "1"
        if isinstance(how, str):
            terminal.type(how)
        else:
            os.kill(process_of(terminal), how)
        terminal.wait_for(f"ended-with-{code}")
        assert is_restored(terminal)


CRASHING = """
import aether_tui.app
draw = aether_tui.app.frame
def frame(scene):
    if scene.known.look is not None:
        raise RuntimeError("a defect")
    return draw(scene)
aether_tui.app.frame = frame
import sys
sys.argv = ["aether", "top"]
from aether.cli.main import main
main()
"""


def test_a_defect_leaves_the_terminal_as_before_and_tells_where_it_is(terminal):
    (terminal.folder / "crashing.py").write_text(CRASHING)
    from tests.processes import ROOT

    terminal.type(f"clear; PYTHONPATH={ROOT}:{ROOT}/tui {sys.executable} crashing.py; echo ended-with-$?", "Enter")
    terminal.wait_for("RuntimeError: a defect", "ended-with-1")
    assert is_restored(terminal)


def test_it_can_be_stopped_and_brought_back(terminal):
    terminal.start()
    terminal.wait_for("live")
    terminal.type("C-z")
    terminal.wait_for("Stopped")
    assert is_restored(terminal)
    terminal.type("fg", "Enter")
    terminal.wait_for("live", "completed")
    assert terminal.asks("alternate_on") == "1"
    terminal.type("2")
    terminal.wait_for("workflows 1-" if False else "order-1")
    terminal.type("q")
    terminal.wait_until(lambda: terminal.asks("alternate_on") == "0", "the screen to be given back")
    assert is_restored(terminal)


def test_a_window_that_is_closed_ends_it(terminal):
    terminal.start()
    terminal.wait_for("live")
    process = process_of(terminal)
    terminal.run("new-window", "-d")
    terminal.run("kill-pane", "-t", ":0")
    terminal.wait_until(lambda: not Path(f"/proc/{process}").exists(), "it to end")


@needs_tmux
def test_a_server_that_goes_leaves_its_numbers_and_is_found_again(tmp_path):
    with Server(tmp_path, "--metrics-port", "0") as server, Terminal(tmp_path, AETHER_SERVER=server.url) as terminal:
        terminal.start()
        terminal.wait_for("live", "no worker is there")
        server.tell(signal.SIGKILL)
        server.process.wait()
        terminal.wait_for("lost for", "again in", "completed")
        port = server.url.rpartition(":")[2]
        with Server(tmp_path, "--metrics-port", "0", "--grpc-port", port):
            terminal.wait_for("live")
            terminal.type("5")
            terminal.wait_for("the server answers again", "the server was started anew")


# Without a screen.


def test_in_a_pipe_one_picture_is_shown(world):
    done = aether("top", AETHER_SERVER=world.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "workers 1" in done.stdout
    assert "\x1b" not in done.stdout
    done = aether("top", "--run", "broken-1", "--view", "log", AETHER_SERVER=world.url)
    assert "ValueError: no way \\x1b]0;pwned\\x07 out" in done.stdout
    done = aether("top", "--view", "workflows", "--filter", "type:order", AETHER_SERVER=world.url)
    assert "order-1" in done.stdout
    assert "broken-1" not in done.stdout


@pytest.mark.parametrize("options", [["--once"], ["-o", "json"], ["--plain"]])
def test_output_that_can_not_be_written_is_one_line(world, options):
    command = [sys.executable, "-m", "aether.cli", "top", "--server", world.url, *options]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert "the output can not be written: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("options", [["--once"], ["-o", "json"]])
def test_one_look_at_a_server_that_is_not_there_ends_with_one_line(free_port, options):
    done = aether("top", *options, "--server", f"http://127.0.0.1:{free_port}")
    assert done.returncode == ExitCode.UNREACHABLE
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_one_look_at_a_run_that_is_not_there_says_so_also_by_its_code(world):
    done = aether("top", "--once", "--run", "nobody-1", AETHER_SERVER=world.url)
    assert (done.returncode, "no workflow 'nobody-1'" in done.stdout) == (1, True)


def test_json_holds_everything_that_was_told(world):
    told = json.loads(aether("top", "-o", "json", "--run", "order-1", AETHER_SERVER=world.url).stdout)
    assert "order-1" in {info["workflow_id"] for info in told["look"]["runs"]}
    assert [row["kind"] for row in told["run"]["timeline"]] == ["run", "step", "activity"]


def test_a_picture_is_written_to_a_file(world, tmp_path):
    path = tmp_path / "top.svg"
    done = aether("top", "--export", str(path), AETHER_SERVER=world.url)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert path.read_text().startswith("<svg")
    for wrong, words in (("top.gif", "ends with none of .svg"), ("no/such/folder.svg", "can not be written")):
        done = aether("top", "--export", str(tmp_path / wrong), AETHER_SERVER=world.url)
        assert done.returncode == 2
        assert words in done.stderr


@needs_tmux
def test_a_list_is_written_as_a_table(world, tmp_path):
    done = aether("top", "--view", "workflows", "--export", "runs.csv", cwd=tmp_path, AETHER_SERVER=world.url)
    assert (done.returncode, done.stderr) == (0, "")
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    order = next(row for row in rows if row["WORKFLOW"] == "order-1")
    assert (order["STATE"], order["TYPE"], order["TAGS"]) == ("COMPLETED", "order", "customer=c7")
    done = aether("top", "--run", "broken-1", "--export", "run.csv", cwd=tmp_path, AETHER_SERVER=world.url)
    assert "RunFailed" in (tmp_path / "run.csv").read_text()


def test_without_a_screen_it_only_records(world, tmp_path):
    command = ("-m", "aether.cli", "top", "--headless", "--record", "night.gz", "--interval", "0.25")
    with Child(*command, cwd=tmp_path, AETHER_SERVER=world.url) as recording:
        path = tmp_path / "night.gz"
        while not path.exists() or not gzip_lines(path):
            time.sleep(0.05)
        assert aether("start", "approval", "eve", "--id", "late-1", AETHER_SERVER=world.url).returncode == 0
        while "late-1" not in "".join(gzip_lines(path)):
            time.sleep(0.05)
        recording.tell()
        assert recording.finish() == (0, "")
    refused = aether("top", "--headless", AETHER_SERVER=world.url)
    assert (refused.returncode, "--record" in refused.stderr) == (2, True)


def test_a_recording_for_which_there_is_no_room_is_told_and_is_no_defect(world, tmp_path):
    with Child(
        "-m", "aether.cli", "top", "--plain", "--record", "night.gz", cwd=tmp_path, AETHER_SERVER=world.url
    ) as top:
        top.wait_for("workers 1")
        resource.prlimit(top.process.pid, resource.RLIMIT_FSIZE, (1, 1))
        top.tell()
        code, said = top.finish()
    assert (code, said.splitlines()[-1]) == (1, "aether: night.gz can not be written: File too large")
    assert "Traceback" not in said


def gzip_lines(path):
    """Those that are there; it may still be written."""
    lines: list[str] = []
    with gzip.open(path, "rt") as file, suppress(EOFError):
        lines.extend(file)
    return lines


def test_what_was_recorded_is_played(world, tmp_path):
    path = tmp_path / "night.gz"
    with Child(
        "-m", "aether.cli", "top", "--plain", "--record", str(path), cwd=tmp_path, AETHER_SERVER=world.url
    ) as top:
        top.wait_for("workers 1")
        top.tell(signal.SIGTERM)
        top.finish()
    with gzip.open(path, "rt") as file:
        assert json.loads(file.readline()) == {"aether_top": 1}
    with Terminal(tmp_path) as terminal:
        terminal.start("--replay", str(path))
        terminal.wait_for("recording night.gz", "workers 1", "read only")
        terminal.type("2")
        terminal.wait_for("order-1", "COMPLETED")
        terminal.type("5")
        terminal.wait_for("ends here")
    assert "workers 1" in aether("top", "--replay", str(path), "--once").stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--view", "moon"], "there is no view 'moon'; there are overview, workflows"),
        (["--replay", "no-such-file"], "no-such-file can not be read: No such file"),
        (["--record", "a.gz", "--replay", "b.gz"], "do not go together"),
        (["--interval", "0"], "0.0 is not in the range"),
        (["--replay", "setup.txt"], "is no recording of aether top"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words, tmp_path):
    (tmp_path / "setup.txt").write_text("no recording")
    done = aether("top", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_where_no_server_answers_one_picture_is_refused(free_port):
    done = aether("top", "--once", AETHER_SERVER=f"http://127.0.0.1:{free_port}")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
