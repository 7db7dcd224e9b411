"""Text for terminals, pipes and JSON: nothing hostile gets through, nothing is cut where it matters."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether.cli.moments import Moment, Times
from aether.cli.output import (
    Cell,
    Colour,
    Column,
    Format,
    Look,
    Row,
    Screen,
    arranged,
    render_data,
    render_fields,
    render_json,
    render_row,
    render_table,
    screen_of,
    width_of,
)
from aether.errors import InvalidArgument

PIPE, WIDE, COLOUR = Screen(), Screen(100), Screen(100, has_colour=True)
COLUMNS = (Column("ID"), Column("STATE"), Column("NOTE", can_shrink=True))


def test_in_a_pipe_rows_are_values_with_tabs_between_and_never_cut():
    text = render_table(COLUMNS, [("a" * 300, "RUNNING", "two\nlines\tand\ttabs")], PIPE)
    assert text == "ID\tSTATE\tNOTE\n" + "a" * 300 + "\tRUNNING\ttwo\\nlines\\tand\\ttabs\n"


def test_on_a_terminal_columns_are_aligned_also_under_wide_characters():
    text = render_table(COLUMNS, [("漢字", "FAILED", "x"), ("abcdef", "COMPLETED", "y")], WIDE)
    assert text == "ID      STATE      NOTE\n漢字    FAILED     x\nabcdef  COMPLETED  y\n"
    assert width_of("e\u0301") == 1


def test_on_a_narrow_terminal_notes_give_way_and_ids_do_not():
    lines = render_table(COLUMNS, [("id-1", "RUNNING", "n" * 200)], Screen(40)).splitlines()
    assert lines == ["ID    STATE    NOTE", "id-1  RUNNING  " + "n" * 24 + "…"]


def test_of_two_columns_the_longer_gives_way_first():
    columns = (Column("A", can_shrink=True), Column("B", can_shrink=True))
    lines = render_table(columns, [("a" * 40, "b" * 30)], Screen(66)).splitlines()
    assert lines[1] == "a" * 33 + "…  " + "b" * 30
    lines = render_table(columns, [("a" * 40, "b" * 30)], Screen(42)).splitlines()
    assert [width_of(line) for line in lines[1].split("  ")] == [20, 20]


def test_a_cut_never_splits_a_wide_character():
    columns = (Column("A", can_shrink=True),)
    assert render_table(columns, [("漢" * 40,)], Screen(20)).splitlines()[1] == "漢" * 9 + "…"


def test_columns_that_matter_less_are_left_out_before_a_table_becomes_blocks():
    columns = (Column("ID"), Column("TAGS", can_shrink=True, gives_way=1), Column("AT"), Column("RUN", gives_way=2))
    row = ["order-1", "t" * 40, "12:00", "r" * 20]

    def titles(width, **look):
        return render_table(columns, [row], Screen(width, look=Look(**look))).splitlines()[0].split()

    assert titles(100) == ["ID", "TAGS", "AT", "RUN"]
    # What can shrink does so before others go, as long as it can be read.
    assert titles(62) == ["ID", "TAGS", "AT", "RUN"]
    assert titles(61) == ["ID", "TAGS", "AT"]
    assert titles(39) == ["ID", "AT"]
    # A block has room for all; and what somebody asked for is there.
    assert render_table(columns, [row], Screen(13)).count("\n") == 4
    assert "RUN" in render_table(columns, [row], Screen(30, look=Look(columns=("id", "run"))))


def test_when_nothing_can_give_way_each_row_becomes_a_block():
    text = render_table(COLUMNS, [("a" * 50, "RUNNING", "x"), ("b", "FAILED", "y")], Screen(40))
    assert text == f"ID     {'a' * 50}\nSTATE  RUNNING\nNOTE   x\n\nID     b\nSTATE  FAILED\nNOTE   y\n"


def test_states_carry_a_colour_only_where_colour_is_wanted():
    rows = [("a", "FAILED", "x")]
    assert "\x1b[31mFAILED\x1b[0m" in render_table(COLUMNS, rows, COLOUR)
    assert "\x1b" not in render_table(COLUMNS, rows, WIDE)
    assert "\x1b[32mCOMPLETED\x1b[0m" in render_fields([("state", "COMPLETED")], COLOUR)


@pytest.mark.parametrize(
    ("environ", "is_terminal", "screen"),
    [
        ({}, True, Screen(80, has_colour=True)),
        ({"NO_COLOR": "1"}, True, Screen(80)),
        ({"NO_COLOR": ""}, True, Screen(80, has_colour=True)),
        ({"TERM": "dumb"}, True, Screen(80)),
        ({}, False, Screen()),
    ],
)
def test_the_environment_says_what_the_screen_can_do(environ, is_terminal, screen):
    assert screen_of(environ, is_terminal=is_terminal, width=80) == screen


def test_a_terminal_that_claims_no_width_has_some():
    assert screen_of({}, is_terminal=True, width=0).width == 20


def test_fields_keep_their_lines_on_a_terminal_and_one_line_in_a_pipe():
    fields = [("state", "FAILED"), ("failure", "Boom: x\n  at y")]
    assert render_fields(fields, WIDE) == "state    FAILED\nfailure  Boom: x\n           at y\n"
    assert render_fields(fields, PIPE) == "state\tFAILED\nfailure\tBoom: x\\n  at y\n"
    assert not render_fields([], WIDE)


HOSTILE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)


@given(ANY_TEXT, st.integers(20, 120))
def test_no_text_gets_anything_hostile_onto_a_terminal(text, width):
    screen = Screen(width)
    shown = render_table(COLUMNS, [(text, text, text)], screen) + render_fields([("a", text)], screen)
    assert not HOSTILE.search(shown)
    assert not HOSTILE.search(render_table(COLUMNS, [(text, text, text)], PIPE).replace("\t", ""))


@given(st.recursive(st.none() | st.booleans() | st.integers() | ANY_TEXT, lambda inner: st.lists(inner, max_size=3)))
def test_json_says_exactly_what_was_there_and_nothing_hostile(document):
    shown = render_json({"value": document})
    assert not HOSTILE.search(shown)
    assert json.loads(shown) == {"value": document}


def test_a_row_that_is_shown_before_the_next_is_known_keeps_to_its_widths():
    columns = (Column("SEQ", width=4), Column("NAME", can_shrink=True, width=6), Column("DETAIL", can_shrink=True))
    assert render_row(columns, ["1", "short", "and long"], Screen()) == "1\tshort\tand long\n"
    assert render_row(columns, ["1", "too long", "d"], Screen(40)) == "1     too l…  d\n"
    assert render_row(columns, ["123456", "n", "x" * 50], Screen(40)) == f"123456  n       {'x' * 23}…\n"
    assert render_row(columns, ["1", "n", "x" * 50], Screen(10)) == f"1     n       {'x' * 11}…\n"


def test_data_is_told_in_the_form_that_was_asked_for():
    rows: list[dict[str, str | None]] = [{"id": "a", "note": "\x1b[2J"}, {"id": "b", "note": None}]
    told = {kind: render_data(kind, rows, ["a", "b"]) for kind in Format if kind.is_data}
    assert json.loads(told[Format.JSON]) == rows
    assert [json.loads(line) for line in told[Format.JSONL].splitlines()] == rows
    assert told[Format.YAML] == '- id: a\n  note: "\\u001b[2J"\n- id: b\n  note: null\n'
    assert told[Format.NAME] == "a\nb\n"
    assert render_data(Format.JSONL, rows[1], []) == '{"id": "b", "note": null}\n'
    assert not Format.WIDE.is_data


ROWS = [
    Row(("b", Moment(5), 10), {"id": "b"}, "b"),
    Row(("a", Moment(0), 9), {"id": "a"}, "a"),
    Row(("c", Moment(7_000_000), 0), {"id": "c"}, "c"),
]
KINDS = (Column("ID"), Column("BEGAN AT"), Column("COUNT"))


@pytest.mark.parametrize(
    ("sort", "ids"), [("", "bac"), ("id", "abc"), ("-ID", "cba"), ("began-at", "abc"), ("-count", "bac")]
)
def test_rows_are_sorted_by_what_their_cells_mean(sort, ids):
    assert "".join(row.name for row in arranged(KINDS, ROWS, Look(sort=sort))) == ids


def test_a_column_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InvalidArgument, match=r"--sort: there is no column 'size'; there are id, began-at, count"):
        arranged(KINDS, ROWS, Look(sort="-size"))
    with pytest.raises(InvalidArgument, match="--columns: there is no column"):
        render_table(KINDS, [], Screen(look=Look(columns=("size",))))


def test_columns_are_chosen_and_titles_left_out():
    cells = [row.cells for row in ROWS]
    look = Look(columns=("count", "began-at"), has_titles=False, times=Times.RELATIVE)
    assert render_table(KINDS, cells, Screen(look=look, now_us=8_000_000)) == "10\t8.0 s ago\n9\t\n0\t1.0 s ago\n"
    assert render_table(KINDS, cells, Screen(50, look=Look(columns=("id",), has_titles=False))) == "b\na\nc\n"
    assert render_table(KINDS, [], Screen(50, look=Look(has_titles=False))) == ""
    assert render_row(KINDS, cells[0], Screen(look=look, now_us=8_000_000)) == "10\t8.0 s ago\n"


def test_fields_may_be_numbers_and_times():
    fields: list[tuple[str, Cell]] = [("count", 3), ("at", Moment(1_000_000))]
    assert render_fields(fields, Screen()) == "count\t3\nat\t1970-01-01T00:00:01.000Z\n"
    assert render_fields(fields, Screen(50)) == "count  3\nat     1970-01-01T00:00:01.000Z\n"


@pytest.mark.parametrize(
    ("environ", "colour", "terminal", "width", "has_colour"),
    [
        ({}, "auto", True, 70, True),
        ({}, "never", True, 70, False),
        ({"NO_COLOR": "1"}, "auto", True, 70, False),
        ({"NO_COLOR": "1"}, "always", True, 70, True),
        ({}, "always", False, 70, True),
        ({"FORCE_COLOR": "1"}, "auto", False, 70, True),
        ({"FORCE_COLOR": "1"}, "never", False, 0, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False, 70, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", False, 70, True),
        ({}, "auto", False, 0, False),
    ],
)
def test_who_asks_for_colours_gets_them_and_else_a_terminal_does(environ, colour, terminal, width, has_colour):
    found = screen_of(environ, is_terminal=terminal, width=70, look=Look(colour=Colour(colour)))
    assert (found.width, found.has_colour) == (width, has_colour)
