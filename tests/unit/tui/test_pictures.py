"""Whole screens, compared with pictures that people have looked at.

AETHER_TEST_REDRAW=1 draws them anew; look at what changed before it is committed.
"""

import json
import os
import re
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

import aether
from aether.model import events as e
from aether.model.visible import HOSTILE
from aether_tui.commands import press
from aether_tui.export import render
from aether_tui.known import RUNS_MAX, Known, Lost
from aether_tui.lines import length_of, plain
from aether_tui.paint import Painter
from aether_tui.ui import Intent, Mode, Tab, Times, View
from aether_tui.views.frame import frame
from tests.unit.tui.world import (
    DECLINED,
    METRICS,
    NOW_US,
    ORDER,
    PICTURES,
    RUNS,
    ago,
    attempt,
    known,
    order_look,
    payload,
    row,
    run,
    scene,
    ui,
    with_events,
)  # fmt: skip

SIZES = ((118, 32), (80, 24), (60, 16))
SCREENS = {
    **{view.value: ui(view) for view in View if view not in {View.RUN, View.LOG}},
    "log": ui(View.LOG, follow=True, filter="type:order"),
    **{f"run-{tab.name.lower()}": ui(View.RUN, tab=tab) for tab in Tab},
    "help": ui(View.WORKFLOWS, mode=Mode.HELP),
    "confirm": ui(View.RUN, mode=Mode.CONFIRM, intent=Intent("cancel", (ORDER,))),
    "confirm-grave": ui(View.RUN, mode=Mode.CONFIRM, intent=Intent("end", (ORDER,)), typed="2c"),
    "ask": ui(View.RUN, mode=Mode.ASK, intent=Intent("signal", (ORDER,)), typed="appro"),
    "confirm-many": ui(
        View.WORKFLOWS,
        mode=Mode.CONFIRM,
        marked=frozenset((info.workflow_id, info.run_id) for info in RUNS[:7]),
        intent=Intent("cancel", tuple((info.workflow_id, info.run_id) for info in RUNS[:7])),
    ),
    "filter": ui(View.WORKFLOWS, mode=Mode.FILTER, typed="order-9 st"),
    "go": ui(mode=Mode.GO, typed="or"),
    "wide": ui(View.WORKFLOWS, is_wide=True, times=Times.AGO),
    "zoomed": ui(View.RUN, zoom=2, pan=5),
    "narrowed": ui(View.RUN, tab=Tab.HISTORY, narrowed={f"history {ORDER}": "activity -retried"}),
    "limit": ui(View.QUEUES, mode=Mode.ASK, intent=Intent("limit-queue", queue="gpu"), typed="8"),
    "confirm-queue": ui(View.QUEUES, mode=Mode.CONFIRM, intent=Intent("pause-queue", queue="gpu")),
}


def compared(name, drawn):
    path = PICTURES / f"{name}.txt"
    if os.environ.get("AETHER_TEST_REDRAW"):
        path.write_text(drawn + "\n")
    assert drawn + "\n" == path.read_text(), f"{path.name} is another picture; AETHER_TEST_REDRAW=1 draws it anew"


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_looks_as_it_did(name, width, height):
    seen = with_events() if name == "log" else None
    compared(f"{name}-{width}x{height}", plain(frame(scene(SCREENS[name], width, height, seen)).picture))


@pytest.mark.parametrize("name", ["overview", "workflows", "run-timeline"])
def test_a_screen_in_ascii_looks_as_it_did(name):
    drawn = plain(frame(scene(SCREENS[name], 118, 32, ascii_only=True)).picture)
    assert drawn.isascii()
    compared(f"{name}-ascii", drawn)


def test_a_lost_server_leaves_its_last_numbers_with_their_age():
    seen = known()
    seen.lost = Lost("connection refused", NOW_US, NOW_US + 14_000_000)
    drawn = plain(frame(evolve(scene(seen=seen), now_us=NOW_US + 12_000_000)).picture)
    assert "lost for 12.0s, again in 2s" in drawn
    assert "8,911" in drawn


def open_run():
    """A run that waits for much, seen a moment after it was asked to stop."""
    look = order_look()
    waits = (
        aether.Pending("5", "activity", "charge_card", 3, ago(-8), "wkr-7f3a", DECLINED, {"done": 7}),
        aether.Pending("6", "timer", "", 0, ago(4), "", None, None),
    )
    info = evolve(
        look.status.info,
        state=aether.RunState.RUNNING,
        closed_at=None,
        worker_id="wkr-7f3a",
        parent_workflow_id="cart-1",
    )  # fmt: skip
    status = evolve(look.status, info=info, pending=waits, cancel_requested=True)
    rows = (
        row("", "run", "OrderFlow", "running", 87, None, 1),
        row(
            "5", "activity", "charge_card", "backing_off", 36, None, 9, due_at=ago(-8), attempt_count=3,
            failure=DECLINED, attempts=(attempt(3, 36, 35.9, 2, DECLINED),), worker_id="wkr-7f3a",
        ),
        row("6", "timer", "", "waiting", 10, None, 10, due_at=ago(4)),
        row("7", "step", "pack", "running", 1, None, 11, attempts=(attempt(1, 1, 1, None),)),
        row("8", "value", "progress", "completed", 1, 1, 12),
    )  # fmt: skip
    events = (*look.events[:10], aether.Event(11, NOW_US, e.ValuePublished("8", "progress", payload("0.5"))))
    seen = known()
    seen.run = evolve(look, status=status, timeline=rows, events=events, why="it waits for the activity charge_card")
    return seen


@pytest.mark.parametrize("tab", list(Tab))
def test_a_run_that_goes_on_looks_as_it_did(tab):
    for number in range(3):
        chosen = ui(View.RUN, tab=tab)
        for _ in range(number):
            chosen, _ = press(chosen, open_run(), "down")
        drawn = plain(frame(scene(chosen, seen=open_run())).picture)
        if number == 1:
            compared(f"open-{tab.name.lower()}", drawn)


def test_runs_and_filters_that_say_nothing_say_why():
    def drawn(**look):
        return plain(frame(scene(ui(View.WORKFLOWS, filter="x"), seen=known(runs=(), **look))).picture)

    assert "no run is meant by this filter" in drawn()
    assert "does not take this filter: at 1" in drawn(filter_fault="at 1")
    long = drawn(
        filter_fault="character 7: 'faild' is no state; expected " + ", ".join(["completed"] * 12) + ", closed"
    )
    assert "completed, closed" in long
    gone = known()
    gone.run = order_look(fault="no run has that id")
    assert "no run has that id" in plain(frame(scene(ui(View.RUN), seen=gone)).picture)
    assert "asking" in plain(frame(scene(evolve(ui(View.RUN), opened=(("x", ""),)))).picture)


def test_a_list_that_the_server_cut_says_which_runs_it_has():
    many = tuple(run(number, aether.RunState.RUNNING) for number in range(RUNS_MAX))
    chosen = ui(View.WORKFLOWS)
    assert f" of {RUNS_MAX}, the newest" in plain(frame(scene(chosen, seen=known(runs=many))).picture)
    assert "newest" not in plain(frame(scene(chosen, seen=known(runs=many[1:]))).picture)
    turned = known(runs=many, is_oldest_first=True)
    drawn = plain(frame(scene(evolve(chosen, is_reversed=True), seen=turned)).picture)
    assert f" of {RUNS_MAX}, the oldest" in drawn
    assert drawn.index(many[0].workflow_id) < drawn.index(many[1].workflow_id)


def test_what_was_not_measured_has_no_figure():
    unused = evolve(METRICS, queue_traffic=(aether.QueueTraffic("gpu", "activity", 900, 0, 0, 0),))
    drawn = plain(frame(scene(ui(View.QUEUES), 160, seen=known(unused))).picture)
    assert "0µs" not in drawn
    young = evolve(METRICS, problems=())
    assert "nothing went wrong since the server started" in plain(frame(scene(seen=known(young))).picture)
    idle = evolve(METRICS, writer=evolve(METRICS.writer, batch_p50=0, batch_p99=0))
    assert "batch      -" in plain(frame(scene(seen=known(idle))).picture)


def test_the_log_follows_until_one_goes_back():
    seen = known()
    for number in range(100):
        seen.note(NOW_US, "NEWS", f"line-{number}", "happened", ORDER)
    chosen = ui(View.LOG, follow=True)
    assert "line-99" in plain(frame(scene(chosen, seen=seen)).picture)
    chosen, _ = press(chosen, seen, "pageup", 50)
    drawn = plain(frame(scene(chosen, seen=seen)).picture)
    assert "line-50" in drawn
    assert "below; f follows" in drawn


def test_a_recording_is_no_live_server():
    assert "playing" in plain(frame(scene(ui(is_replay=True))).picture)
    assert "stopped" in plain(frame(scene(ui(is_replay=True, is_frozen=True))).picture)
    assert "frozen" in plain(frame(scene(ui(is_frozen=True))).picture)


def test_before_the_first_answer_the_reason_is_told():
    seen = Known("http://127.0.0.1:7233")
    assert "waiting for the server" in plain(frame(scene(seen=seen)).picture)
    seen.take_lost("connection refused", NOW_US, NOW_US + 1_000_000)
    drawn = plain(frame(scene(seen=seen)).picture)
    assert "connection refused" in drawn
    assert "aether serve" in drawn


def test_a_fault_of_the_storage_is_the_first_thing_that_is_said():
    seen = known(evolve(METRICS, storage_fault="the disk is full"))
    for width, height in (*SIZES[:2], (30, 5)):
        assert "! the disk is full" in plain(frame(scene(width=width, height=height, seen=seen)).picture)


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 7), (4, 40), (17, 3), (40, 8), (61, 12), (200, 60)])
def test_every_size_is_filled_exactly(name, size):
    width, height = size
    picture = frame(scene(SCREENS[name], width, height)).picture
    assert len(picture) == height
    assert {length_of(line) for line in picture} == {width}


@pytest.mark.parametrize("name", SCREENS)
def test_without_colour_only_bold_dim_and_reverse_are_used(name):
    codes = re.findall(r"\x1b\[([0-9;]*)m", Painter(None).paint(frame(scene(SCREENS[name])).picture, 118).decode())
    assert {number for each in codes for number in each.split(";") if number} <= {"0", "1", "2", "7"}


HOSTILE_TEXT = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\u202e[/red]漢字\ud800\u200d\ufeff\n\r\t"


@pytest.mark.parametrize("name", SCREENS)
def test_nothing_that_a_server_says_reaches_the_terminal_as_a_command(name):
    bad = HOSTILE_TEXT
    failure = aether.Failure(bad, bad, bad + "\n" + bad, (aether.Failure(bad, bad),))
    metrics = evolve(
        METRICS, version=bad, node=bad, persistence=bad, storage_fault=bad,
        workers=tuple(evolve(worker, worker_id=bad, task_queue=bad) for worker in METRICS.workers),
        problems=tuple(evolve(each, workflow_id=bad, name=bad, message=bad) for each in METRICS.problems),
    )  # fmt: skip
    runs = tuple(evolve(each, workflow_id=bad, workflow_type=bad, task_queue=bad) for each in known().look.runs)
    seen = known(metrics, runs)
    look = order_look()
    events = tuple(evolve(event, fact=_spoiled(event.fact, bad, failure)) for event in look.events)
    timeline = tuple(evolve(each, name=bad, failure=failure, worker_id=bad) for each in look.timeline)
    seen.run = evolve(look, events=events, timeline=timeline, why=bad)
    seen.note(NOW_US, bad, bad, bad)
    drawn = scene(SCREENS[name], seen=seen)
    painted = Painter().paint(frame(drawn).picture, 118).decode()
    assert not HOSTILE.search(re.sub(r"\x1b\[(?:\?2026[hl]|[0-9;]*[mHJK])", "", painted))
    for form in ("svg", "html", "txt"):
        assert not HOSTILE.search(render(drawn, form).replace("\n", ""))


def _spoiled(fact, text, failure):
    changes = {}
    for name in ("workflow_type", "name", "activity_type", "worker_id", "reason"):
        if hasattr(fact, name):
            changes[name] = text
    for name in ("input", "result", "value"):
        if hasattr(fact, name):
            changes[name] = aether.Payload(text.encode("utf-8", "surrogatepass"))
    if hasattr(fact, "failure"):
        changes["failure"] = failure
    return evolve(fact, **changes)


def test_every_form_of_a_picture_can_be_read_by_others():
    drawn = scene(SCREENS["run-timeline"])
    assert ET.fromstring(render(drawn, "svg")).tag.endswith("svg")
    assert "charge_card" in render(drawn, "html")
    assert render(drawn, "txt") == plain(frame(drawn).picture) + "\n"
    told = json.loads(render(drawn, "json"))
    assert told["run"]["timeline"][5]["name"] == "charge_card"
    assert told["schema"] == "aether.top/v1"
    states = {
        row["state"] for row in (*told["look"]["runs"], *told["look"]["metrics"]["runs"], told["run"]["status"]["info"])
    }
    assert states <= {state.name for state in aether.RunState}
    assert {"RUNNING", "FAILED"} <= states
    nothing = {"schema": "aether.top/v1", "target": "x", "look": None, "run": None}
    assert json.loads(render(scene(seen=Known("x")), "json")) == nothing
