"""What keys do: where one goes, what is asked before anything changes, and that nothing changes by accident."""

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import aether
from aether import RunState
from aether.model.filters import parse_filter
from aether_tui.actions import ACTIONS
from aether_tui.bindings import BINDINGS, bindings_in
from aether_tui.commands import COMMANDS, PAGE, PRESETS, press
from aether_tui.facts import fact_name
from aether_tui.keys import Mouse, Paste
from aether_tui.known import Known
from aether_tui.listing import listing
from aether_tui.places import places
from aether_tui.ui import Copy, Export, Gather, Mode, Perform, Quit, Refresh, Seek, Tab, Times, View
from tests.unit.tui.world import NOW_US, ORDER, RUNS, doing, known, order_look, ui


def pressed(chosen, *keys, seen=None):
    """The choice after the keys, and everything that was asked for."""
    wishes: list[Any] = []
    for key in keys:
        chosen, more = press(chosen, seen or known(), key)
        wishes += more
    return chosen, wishes


def still_open():
    """The run that is shown goes on."""
    seen = known()
    look = order_look()
    seen.run = evolve(look, status=evolve(look.status, info=evolve(look.status.info, state=RunState.RUNNING)))
    return seen


def test_digits_turn_to_the_views():
    for number, view in enumerate((View.OVERVIEW, View.WORKFLOWS, View.QUEUES, View.WORKERS, View.LOG), 1):
        assert pressed(ui(), str(number))[0].view is view


def test_enter_opens_what_is_selected_and_esc_leads_back():
    chosen, wishes = pressed(ui(View.WORKFLOWS), "down", "j", "enter")
    assert chosen.opened == ((RUNS[2].workflow_id, RUNS[2].run_id),)
    assert wishes == [Refresh()]
    assert pressed(chosen, "esc")[0].view is View.WORKFLOWS
    assert pressed(chosen, "esc", "esc")[0].view is View.OVERVIEW


def test_a_problem_a_child_and_a_line_of_the_log_open_their_runs():
    assert pressed(ui(), "enter")[0].opened == (ORDER,)
    chosen, _ = pressed(ui(View.RUN, tab=Tab.CHILDREN), "enter")
    assert chosen.opened == (ORDER, ("ship-88d1", "d" * 32))
    assert pressed(chosen, "esc")[0].opened == (ORDER,)
    chosen, _ = pressed(ui(View.RUN), "down", "down", "down", "enter")
    assert chosen.opened[-1] == ("ship-88d1", "d" * 32)
    seen = known()
    seen.note(0, "NEWS", "x", "y", ORDER)
    assert pressed(ui(View.LOG, follow=True), "enter", seen=seen)[0].opened == (ORDER,)


def test_a_row_without_a_run_opens_nothing():
    assert pressed(ui(View.QUEUES), "enter")[0].view is View.QUEUES


def test_the_selection_is_of_a_run_and_not_of_a_place():
    chosen, _ = pressed(ui(View.WORKFLOWS), "down", "down")
    reordered = known(runs=tuple(reversed(RUNS)))
    assert pressed(chosen, "enter", seen=reordered)[0].opened == ((RUNS[2].workflow_id, RUNS[2].run_id),)


def test_moving_stops_at_both_ends():
    chosen, _ = pressed(ui(View.WORKFLOWS), "up", "pageup", "home")
    assert chosen.cursor.selected == RUNS[0].run_id
    chosen, _ = pressed(chosen, "end", "down", "pagedown")
    assert chosen.cursor.selected == RUNS[-1].run_id
    assert pressed(chosen, "pageup")[0].cursor.selected == RUNS[-PAGE].run_id


def test_sorting_goes_through_the_columns_and_can_be_turned_round():
    chosen, _ = pressed(ui(View.WORKFLOWS), ">")
    assert chosen.sort == "WORKFLOW"
    assert pressed(chosen, "enter")[0].opened[0][0] == min(info.workflow_id for info in RUNS)
    chosen, _ = pressed(chosen, "s")
    assert pressed(chosen, "enter")[0].opened[0][0] == max(info.workflow_id for info in RUNS)
    assert pressed(chosen, "<")[0].sort == ""
    for _ in range(8):
        chosen, _ = pressed(chosen, ">", "enter", "esc")


def test_a_filter_is_typed_edited_pasted_and_taken_back():
    chosen, wishes = pressed(ui(), "/", "o", "x", "backspace", "r", "space", Paste("d\ne"), "enter")
    assert (chosen.view, chosen.filter, chosen.mode) == (View.WORKFLOWS, "or d e", Mode.LOOK)
    assert wishes == [Refresh()]
    assert pressed(chosen, "/", "ctrl-u", "a", "space", "b", "ctrl-w", "esc")[0].filter == "or d e"
    assert pressed(chosen, "esc")[0].filter == ""


def test_find_moves_while_it_is_typed_and_n_goes_on():
    chosen, _ = pressed(ui(View.WORKFLOWS), "\\", *"ORDER-002", "enter")
    assert chosen.cursor.selected == RUNS[19].run_id
    assert pressed(chosen, "n")[0].cursor.selected == RUNS[20].run_id
    assert "nothing here" in pressed(chosen, "\\", *"zebra")[0].notice


def test_the_value_of_a_signal_is_what_everybody_takes_for_json():
    check = ACTIONS["signal"].questions[1].check
    assert [check(text) for text in ("", "null", "[1, 2.5]", '"NaN"')] == ["", "", "", ""]
    for text in ("NaN", "[Infinity]", '{"a": -Infinity}', "{", "[" * 100_000):
        assert check(text).startswith("no JSON"), text


def test_tabs_and_panels_turn_both_ways():
    chosen, wishes = pressed(ui(View.RUN), "tab")
    assert (chosen.tab, wishes) == (Tab.HISTORY, [Refresh()])
    assert pressed(chosen, "left", "h")[0].tab is Tab.WHY
    assert pressed(ui(), "l", "shift-tab")[0].panel == 0


def test_lists_are_narrowed_while_it_is_typed_and_esc_shows_all():
    chosen, _ = pressed(ui(View.RUN, tab=Tab.HISTORY), "/", *"Timer")
    assert [fact_name(event) for event in listing(chosen, known()).things] == ["TimerStarted", "TimerFired"]
    chosen, _ = pressed(chosen, "ctrl-u", *"activity", "space", *"-Retried", "enter")
    assert [fact_name(event) for event in listing(chosen, known()).things] == [
        "ActivityScheduled", "ActivityStarted", "ActivityStarted", "ActivityFailed", "RunFailed",
    ]  # fmt: skip
    assert pressed(chosen, "tab")[0].narrowed == chosen.narrowed
    assert len(listing(pressed(chosen, "tab")[0], known()).things) == 0
    back, _ = pressed(chosen, "esc")
    assert (back.view, len(listing(back, known()).things)) == (View.RUN, 14)
    chosen, _ = pressed(ui(View.QUEUES), "/", *"gpu", "esc")
    assert len(listing(chosen, known()).things) == 5


def test_a_timeline_is_zoomed_and_moved_and_tabs_turn_when_it_is_whole():
    chosen, _ = pressed(ui(View.RUN), "}", "}", "right", "l", "left")
    assert (chosen.zoom, chosen.pan, chosen.tab) == (2, 7, Tab.TIMELINE)
    assert pressed(chosen, *["l"] * 50)[0].pan == 12
    assert pressed(chosen, *["h"] * 50)[0].pan == 0
    assert pressed(chosen, "{", "{", "{")[0].zoom == 0
    assert pressed(chosen, "x")[0].zoom == 0
    assert pressed(chosen, *["}"] * 50, *["{"] * 50, "l")[0].tab is Tab.HISTORY


def test_times_columns_and_the_mouse_are_switched():
    chosen, _ = pressed(ui(View.WORKFLOWS), "t", "w", "m")
    assert (chosen.times, chosen.is_wide, chosen.mouse) == (Times.LOCAL, True, True)
    assert pressed(chosen, "t", "t", "w", "m")[0] == evolve(
        chosen, times=Times.UTC, is_wide=False, mouse=False, notice="the mouse is the terminal's again"
    )


def go(text, chosen=None, seen=None):
    """What comes of typing it behind a colon."""
    return pressed(chosen or ui(), ":", Paste(text), "enter", seen=seen)


def test_a_colon_leads_to_whatever_has_a_name():
    assert go("workers")[0].view is View.WORKERS
    assert go("order-9f2c11")[0].opened == (("order-9f2c11", ""),)
    assert go("type:order")[0].filter == "type:order"
    assert go("state:failed age:>1h")[0].filter == "state:failed age:>1h"
    chosen, _ = go("gpu")
    assert (chosen.view, chosen.cursor.selected) == (View.QUEUES, "activity gpu")
    assert go("wkr-old")[0].cursor.selected == "wkr-old"
    assert go("quit")[1] == [Quit()]
    assert go("")[0].mode is Mode.LOOK
    assert go("cancel", ui(View.RUN), still_open())[0].mode is Mode.CONFIRM
    assert go("cancel", ui(View.RUN, read_only=True), still_open())[0].opened == (ORDER, ("cancel", ""))
    assert pressed(ui(), ":", *"wkr-7", "tab", "enter")[0].view is View.WORKERS
    assert pressed(ui(), ":", *"zzz", "tab", "esc")[0].mode is Mode.LOOK


def test_a_colon_leads_to_a_time_of_a_recording():
    assert go("12:04:31", ui(is_replay=True))[1] == [Seek(day_s=43_471)]
    assert go("9:30", ui(is_replay=True))[1] == [Seek(day_s=34_200)]
    assert go("order-1", ui(is_replay=True))[0].notice == "a recording has no histories"


def test_a_filter_is_completed_with_what_is_known():
    for typed, whole in (
        ("st", "sta"), ("stat", "state:"), ("state:f", "state:failed"), ("state:failed,op", "state:failed,open"),
        ("type:o", "type:order"), ("x -que", "x -queue:"), ("-queue:g", "-queue:gpu"), ("ta", "tag.customer:"),
        ("tag.customer:c2", "tag.customer:c2"), ("nothing", "nothing"), ("state:zz", "state:zz"), ("", ""),
    ):  # fmt: skip
        assert pressed(ui(View.WORKFLOWS), "/", Paste(typed), "tab")[0].typed == whole
    assert pressed(ui(View.LOG), "/", *"stat", "tab", *"op", "tab", "enter")[0].filter == "state:open"
    nothing = Known("x")
    assert pressed(ui(), "/", *"type:", "tab", seen=nothing)[0].typed == "type:"
    assert not places(evolve(ui(), typed="gpu"), nothing)


def test_a_queue_is_held_let_go_on_and_limited():
    chosen, wishes = pressed(ui(View.QUEUES), "P")
    assert (chosen.mode, chosen.intent.kind, chosen.intent.queue) == (Mode.CONFIRM, "pause-queue", "lonely")
    assert pressed(chosen, "y")[1][0].intent == chosen.intent
    assert pressed(ui(View.QUEUES), "down", "P")[0].intent.kind == "resume-queue"
    chosen, _ = pressed(ui(View.QUEUES), "L", *"many", "enter")
    assert chosen.notice == "a number from 0 to 100,000"
    chosen, wishes = pressed(chosen, "ctrl-u", *"8", "enter", "y")
    assert wishes[0].intent.answers == ("8",)
    assert pressed(ui(View.QUEUES), "P", seen=Known("x"))[0].notice == "no task queue is selected"


def test_a_paused_run_is_let_go_on_by_the_key_that_holds_it():
    seen = still_open()
    assert pressed(ui(View.RUN), "P", seen=seen)[0].intent.kind == "pause"
    seen.run = evolve(seen.run, status=evolve(seen.run.status, paused=True))
    assert pressed(ui(View.RUN), "P", seen=seen)[0].intent.kind == "resume"
    held = known(runs=(evolve(RUNS[1], doing=doing("paused")), RUNS[0]))
    assert pressed(ui(View.WORKFLOWS), "P", seen=held)[0].intent.kind == "resume"
    assert pressed(ui(View.WORKFLOWS), "down", "P", seen=held)[0].intent.kind == "pause"
    # Of several, those that go on are meant to be held.
    assert pressed(ui(View.WORKFLOWS), "space", "space", "P", seen=held)[0].intent.kind == "pause"


def test_all_that_a_filter_means_is_marked_by_marking_twice():
    chosen, wishes = pressed(ui(View.WORKFLOWS, filter="type:order"), "*")
    assert not wishes
    assert pressed(chosen, "*")[1] == [Gather("type:order")]


def test_switches_and_paces():
    chosen, _ = pressed(ui(View.WORKFLOWS), "f", "z")
    assert (chosen.follow, chosen.is_frozen) == (True, True)
    assert pressed(ui(View.RUN), "i")[0].hides_idle
    assert pressed(ui(View.RUN), "x")[0].zooms
    assert pressed(ui(), "+", "+", "+", "+")[0].rate_s == 0.25
    assert pressed(ui(), *("-" * 9))[0].rate_s == 10


def test_what_is_asked_of_the_world():
    assert pressed(ui(), "q")[1] == [Quit()]
    assert pressed(ui(), "r")[1] == [Refresh()]
    assert pressed(ui(), "e", "s")[1] == [Export("svg")]
    assert pressed(ui(), "e", "x")[1] == []
    assert pressed(ui(View.RUN), "y")[1] == [Copy(ORDER[0])]


def test_in_a_recording_one_can_go_back_and_forth():
    assert pressed(ui(is_replay=True), ",", ".", "{", "}")[1] == [
        Seek(-1), Seek(1), Seek(span_us=-60_000_000), Seek(span_us=60_000_000),
    ]  # fmt: skip
    assert pressed(ui(), ",", ".", "{", "}")[1] == []


def test_help_scrolls_and_any_other_key_only_closes_it():
    chosen, _ = pressed(ui(), "?", "down", "down", "up")
    assert (chosen.mode, chosen.panel) == (Mode.HELP, 1)
    chosen, wishes = pressed(chosen, "q")
    assert (chosen.mode, wishes) == (Mode.LOOK, [])


def test_an_action_is_done_after_a_yes_and_after_nothing_else():
    chosen, wishes = pressed(ui(View.RUN), "C", seen=still_open())
    assert (chosen.mode, wishes) == (Mode.CONFIRM, [])
    for key in ("n", "esc", "enter", "Y", "space", "C", Paste("y")):
        after, wishes = pressed(chosen, key)
        assert (after.mode, wishes, after.notice) == (Mode.LOOK, [], "nothing was done")
    _, wishes = pressed(chosen, "y")
    assert isinstance(wishes[0], Perform)
    assert (wishes[0].intent.kind, wishes[0].intent.runs) == ("cancel", (ORDER,))


def test_the_target_is_what_was_selected_when_the_key_was_pressed():
    chosen, _ = pressed(ui(View.WORKFLOWS), "down", "C")
    _, wishes = pressed(chosen, "y", seen=known(runs=RUNS[5:]))
    assert wishes[0].intent.runs == ((RUNS[1].workflow_id, RUNS[1].run_id),)


def test_a_run_that_was_named_by_its_workflow_alone_is_meant_by_its_run_id():
    seen = still_open()
    seen.run = evolve(seen.run, key=(ORDER[0], ""))
    chosen = evolve(ui(View.RUN), opened=((ORDER[0], ""),))
    _, wishes = pressed(chosen, "C", "y", seen=seen)
    assert wishes[0].intent.runs == (ORDER,)


def test_a_grave_action_wants_the_end_of_the_id():
    chosen, _ = pressed(ui(View.RUN), "X", seen=still_open())
    for keys in (("y",), ("enter",), (*"2c12", "enter"), ("esc",)):
        after, wishes = pressed(chosen, *keys)
        assert not wishes
    after, wishes = pressed(chosen, *"2c11", "enter")
    assert isinstance(wishes[0], Perform)
    assert after.mode is Mode.LOOK


def test_a_signal_asks_for_its_name_and_value_first():
    chosen, _ = pressed(ui(View.RUN), "S", "enter", seen=still_open())
    assert chosen.notice == "a signal has a name"
    chosen, _ = pressed(chosen, *"go", "enter", "{", "enter")
    assert chosen.notice.startswith("no JSON")
    chosen, wishes = pressed(chosen, "}", "enter")
    assert (chosen.mode, wishes) == (Mode.CONFIRM, [])
    assert pressed(chosen, "y")[1][0].intent.answers == ("go", "{}")
    assert pressed(ui(View.RUN), "S", "esc", seen=still_open())[0].intent is None


def test_the_signal_that_a_run_waits_for_is_offered():
    assert pressed(ui(View.WORKFLOWS), *["down"] * 5, "S")[0].typed == "approve"
    assert pressed(ui(View.WORKFLOWS), "down", "S")[0].typed == ""
    seen = still_open()
    waits = aether.Pending("1", "signal", "paid", 0, None, "", None, None)
    seen.run = evolve(seen.run, status=evolve(seen.run.status, pending=(waits,)))
    _, wishes = pressed(ui(View.RUN), "S", "enter", *"5", "enter", "y", seen=seen)
    assert wishes[0].intent.answers == ("paid", "5")


def test_a_failed_run_is_retried_and_one_that_goes_on_is_not():
    assert pressed(ui(View.RUN), "R", "y")[1][0].intent.kind == "retry"
    assert pressed(ui(View.RUN), "R", seen=still_open())[0].notice == "order-9f2c11 is not over yet"
    chosen, _ = pressed(ui(View.WORKFLOWS), "space", "space", "space", "space", "R")
    assert chosen.intent.runs == tuple((info.workflow_id, info.run_id) for info in RUNS[2:4])


def test_a_fork_begins_at_the_event_or_before_the_row_that_is_selected():
    chosen, _ = pressed(ui(View.RUN, tab=Tab.HISTORY), *["down"] * 7, "F")
    assert (chosen.mode, chosen.typed) == (Mode.ASK, "8")
    assert pressed(chosen, "ctrl-u", "0", "enter")[0].notice == "events are numbered from 1"
    chosen, wishes = pressed(chosen, "backspace", "6", "enter", *"new-1", "enter", "y")
    assert (wishes[0].intent.kind, wishes[0].intent.answers) == ("fork", ("6", "new-1"))
    assert pressed(ui(View.RUN), *["down"] * 5, "F")[0].typed == "8"
    assert pressed(ui(View.RUN), "F")[0].typed == "1"
    assert pressed(ui(View.RUN, tab=Tab.VALUES), "F")[0].typed == ""
    assert pressed(ui(View.WORKFLOWS), "F")[0].mode is Mode.LOOK


def test_without_a_run_there_is_nothing_to_change():
    assert pressed(ui(View.WORKFLOWS), "C", seen=known(runs=()))[0].notice == "no run is selected"


def test_actions_are_about_all_that_are_marked_and_want_their_number():
    chosen, _ = pressed(ui(View.WORKFLOWS), "space", "space", "space", "end", "space")
    assert len(chosen.marked) == 4
    chosen, _ = pressed(chosen, "C", "y", "enter")
    assert (chosen.mode, chosen.notice) == (Mode.LOOK, "nothing was done")
    chosen, wishes = pressed(chosen, "C", "2", "enter")
    # Two of the four are over.
    assert wishes[0].intent.runs == tuple((info.workflow_id, info.run_id) for info in RUNS[:2])
    assert not chosen.marked


def test_marks_can_be_taken_back_and_put_on_all_that_is_open():
    chosen, _ = pressed(ui(View.WORKFLOWS), "space", "up", "space")
    assert not chosen.marked
    chosen, _ = pressed(chosen, "*")
    assert chosen.marked == {(info.workflow_id, info.run_id) for info in RUNS if not info.state.is_closed}
    assert not pressed(chosen, "u")[0].marked
    chosen, _ = pressed(ui(View.WORKFLOWS), "end", "space", "up", "space", "C")
    assert chosen.notice == "all of them are over already"


def test_a_mark_holds_when_its_run_is_not_in_the_list_any_more():
    chosen, _ = pressed(ui(View.WORKFLOWS), "*")
    _, wishes = pressed(chosen, "C", "3", "enter", seen=known(runs=RUNS[6:]))
    assert len(wishes[0].intent.runs) == 3


def test_common_filters_come_one_after_the_other():
    chosen, filters = ui(View.WORKFLOWS), []
    for _ in range(6):
        chosen, _ = pressed(chosen, "p")
        filters.append(chosen.filter)
    assert filters[0] == "state:open"
    assert filters[4:] == ["", "state:open"]
    assert pressed(evolve(chosen, filter="id:x"), "p")[0].filter == ""
    for each in PRESETS:
        parse_filter(each, NOW_US)


def test_what_is_over_is_not_changed():
    assert pressed(ui(View.RUN), "C")[0].notice == "order-9f2c11 is over already"
    assert pressed(ui(View.WORKFLOWS), "down", "down", "X")[0].notice == "order-0003 is over already"


def test_read_only_has_no_actions():
    for key in (action.key for action in ACTIONS.values() if action.key):
        chosen, wishes = pressed(ui(View.RUN, read_only=True), key, "y", "enter")
        assert (chosen.mode, wishes) == (Mode.LOOK, [Copy(ORDER[0])])
    assert not [binding for binding in bindings_in(ui(View.RUN, read_only=True)) if binding.changes]


def test_capital_letters_change_and_nothing_else_does():
    for binding in BINDINGS:
        for key in binding.keys:
            # G goes to the end, as everywhere.
            assert binding.changes == (len(key) == 1 and key.isupper() and key != "G")


def test_every_key_means_one_thing_in_a_view_and_does_something():
    moves = {"up", "down", "page-up", "page-down", "first", "last", "view"}
    known_names = {*COMMANDS, *moves, *(kind for kind, action in ACTIONS.items() if action.key)}
    for view in View:
        keys = [key for binding in bindings_in(ui(view, is_replay=True)) for key in binding.keys]
        assert len(keys) == len(set(keys))
    assert {binding.does for binding in BINDINGS} == known_names


KEYS = st.sampled_from([key for binding in BINDINGS for key in binding.keys]) | st.sampled_from(
    [Paste("yC"), Mouse("click", 3, 5), *"dfltor012:-"]
)


@given(st.sampled_from(list(View)), st.lists(KEYS, max_size=25))
def test_any_keys_lead_somewhere_and_nothing_is_done_without_being_asked(view, keys):
    chosen, seen = ui(view), known()
    for key in keys:
        before = chosen
        chosen, wishes = press(chosen, seen, key)
        for wish in wishes:
            if isinstance(wish, Perform):
                assert (before.mode, before.intent) == (Mode.CONFIRM, wish.intent)
