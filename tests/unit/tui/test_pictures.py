"""Whole screens, compared with pictures that people have looked at.

AETHER_TEST_REDRAW=1 draws them anew; look at what changed before it is committed.
"""

import os
import re

import pytest
from attrs import evolve

import aether
from aether.model.visible import HOSTILE
from aether_tui.export import render
from aether_tui.known import Known, Lost
from aether_tui.lines import length_of, plain
from aether_tui.paint import Painter
from aether_tui.ui import Intent, Mode, Tab, View
from aether_tui.views.frame import frame
from tests.unit.tui.world import METRICS, NOW_US, ORDER, PICTURES, known, order_look, scene, ui

SIZES = ((118, 32), (80, 24), (60, 16))
SCREENS = {
    **{view.value: ui(view) for view in View if view is not View.RUN},
    **{f"run-{tab.name.lower()}": ui(View.RUN, tab=tab) for tab in Tab},
    "help": ui(View.WORKFLOWS, mode=Mode.HELP),
    "confirm": ui(View.RUN, mode=Mode.CONFIRM, intent=Intent("cancel", ORDER)),
    "confirm-grave": ui(View.RUN, mode=Mode.CONFIRM, intent=Intent("end", ORDER), typed="2c"),
    "ask": ui(View.RUN, mode=Mode.ASK, intent=Intent("signal", ORDER), typed="appro"),
    "filter": ui(View.WORKFLOWS, mode=Mode.FILTER, typed="order-9"),
}


def compared(name, drawn):
    path = PICTURES / f"{name}.txt"
    if os.environ.get("AETHER_TEST_REDRAW"):
        path.write_text(drawn + "\n")
    assert drawn + "\n" == path.read_text(), f"{path.name} is another picture; AETHER_TEST_REDRAW=1 draws it anew"


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_looks_as_it_did(name, width, height):
    compared(f"{name}-{width}x{height}", plain(frame(scene(SCREENS[name], width, height)).picture))


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
