"""What the mouse does with what lies under it, and that it changes nothing."""

from aether_tui.keys import Mouse
from aether_tui.pointing import point
from aether_tui.ui import Intent, Mode, Refresh, Tab, View
from aether_tui.views.frame import frame
from tests.unit.tui.world import ORDER, RUNS, known, scene, ui


def pointed(chosen, *places, seen=None, size=(118, 32)):
    """What is chosen after clicks at places, which are (column, line), or turns of the wheel."""
    seen = seen or known()
    wishes: tuple[object, ...] = ()
    for place in places:
        mouse = Mouse(place, 5, 5) if isinstance(place, str) else Mouse("click", *place)
        chosen, wishes = point(chosen, seen, mouse, frame(scene(chosen, size[0], size[1], seen)))
    return chosen, wishes


def line_of(chosen, words, size=(118, 32)):
    """The line of the screen that has the words."""
    drawn = frame(scene(chosen, size[0], size[1])).picture
    return next(number for number, line in enumerate(drawn) if words in "".join(segment.text for segment in line))


def test_a_click_selects_and_a_second_one_opens():
    for size in ((118, 32), (80, 24), (60, 16)):
        line = line_of(ui(View.WORKFLOWS), "order-0003", size)
        chosen, wishes = pointed(ui(View.WORKFLOWS), (20, line), size=size)
        assert (chosen.cursor.selected, chosen.view, wishes) == (RUNS[2].run_id, View.WORKFLOWS, ())
        chosen, wishes = pointed(chosen, (20, line), size=size)
        assert (chosen.opened[-1][0], wishes) == ("order-0003", (Refresh(),))


def test_rows_of_every_list_can_be_clicked():
    queues, _ = pointed(ui(View.QUEUES), (10, line_of(ui(View.QUEUES), "gpu")))
    assert queues.cursor.selected == "activity gpu"
    workers, _ = pointed(ui(View.WORKERS), (10, line_of(ui(View.WORKERS), "wkr-old")))
    assert workers.cursor.selected == "wkr-old"
    problem, _ = pointed(ui(), (10, line_of(ui(), "ingest-77ab", (118, 40))), size=(118, 40))
    assert "fetch" in problem.cursor.selected
    narrow = ui(panel=5)
    problem, _ = pointed(narrow, (10, line_of(narrow, "ingest-77ab", (60, 16))), size=(60, 16))
    assert "fetch" in problem.cursor.selected
    for tab, words, selected in (
        (Tab.TIMELINE, "charge_card", "9 5"), (Tab.HISTORY, "TimerFired", "5"),
    ):  # fmt: skip
        run = ui(View.RUN, tab=tab)
        assert pointed(run, (10, line_of(run, words)))[0].cursor.selected == selected
    # The only one is selected already.
    run = ui(View.RUN, tab=Tab.CHILDREN)
    assert pointed(run, (10, line_of(run, "ship-88d1")))[0].opened[-1][0] == "ship-88d1"


def test_views_and_tabs_are_turned_to():
    for number, name in enumerate(("Overview", "Workflows", "Queues", "Workers", "Log")):
        line = "".join(segment.text for segment in frame(scene(ui())).picture[1])
        assert pointed(ui(), (line.index(name), 1))[0].view is list(View)[number]
    run = ui(View.RUN)
    line = line_of(run, "Input/Output")
    text = "".join(segment.text for segment in frame(scene(run)).picture[line])
    for tab in Tab:
        assert pointed(run, (text.index(tab.title()), line))[0].tab is tab
    assert pointed(run, (1, 1))[0] == run


def test_the_wheel_moves():
    chosen, _ = pointed(ui(View.WORKFLOWS), "wheel-down", "wheel-down", "wheel-up")
    assert chosen.cursor.selected == RUNS[3].run_id
    assert pointed(ui(mode=Mode.HELP), "wheel-down")[0].panel == 1


def test_a_click_beside_everything_is_nothing():
    for chosen in (ui(), ui(View.WORKFLOWS), ui(View.RUN, tab=Tab.VALUES), ui(View.LOG)):
        for place in ((0, 0), (117, 31), (50, 30), (500, 500)):
            assert pointed(chosen, place)[0] == chosen


def test_what_is_asked_is_not_answered_by_a_click():
    asked = ui(View.RUN, mode=Mode.CONFIRM, intent=Intent("cancel", (ORDER,)))
    for place in ((10, 10), (50, 15), "wheel-down", "wheel-up"):
        assert pointed(asked, place) == (asked, ())
