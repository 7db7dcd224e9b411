"""Numbers, lines, tables, bars: small things that every picture is made of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment

from aether_tui.facts import fact_detail, fact_lines, failure_lines, payload_text, short_payload
from aether_tui.grid import Column, fitting, grid, window
from aether_tui.lines import beside, boxed, fit, folded, length_of, plain, shown, to_size, to_width, width_of, words
from aether_tui.paint import Painter
from aether_tui.sizes import clock, count, rate, span
from aether_tui.spark import bar, sparkline
from aether_tui.theme import STYLES, Theme
from aether_tui.views.overview import shares
from aether_tui.views.run import branches_of
from aether_tui.views.workflows import doing_text
from aether_tui.waterfall import axis, scale_of, stretches, zoomed
from aether_tui.waterfall import bar as timeline_bar
from tests.unit.tui.world import DECLINED, EVENTS, NOW_US, TIMELINE, attempt, doing, payload, row, scene

RICH, PLAIN = Theme(), Theme(ascii_only=True)
TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@pytest.mark.parametrize(
    ("length_us", "text"),
    [
        (-5, "0µs"), (350, "350µs"), (41_000, "41ms"), (999_499, "999ms"), (999_600, "1.0s"), (13_400_000, "13.4s"),
        (59_960_000, "1m00s"), (87_000_000, "1m27s"), (7_800_000_000, "2h10m"), (273_840_000_000, "3d04h"),
        (86_400_000_000 * 120, "120d"),
    ],
)  # fmt: skip
def test_lengths_of_time(length_us, text):
    assert span(length_us) == text


@given(st.integers(0, 86_400_000_000 * 9999))
def test_a_length_of_time_takes_at_most_six_cells(length_us):
    assert len(span(length_us)) <= 6


@given(st.integers(0, 10**14))
def test_a_number_takes_at_most_six_cells(number):
    assert len(count(number)) <= 7
    assert len(rate(number / 7)) <= 7


def test_numbers_and_times():
    assert [count(each) for each in (0, 142, 8911, 12_345, 4_100_000, 999_999)] == [
        "0", "142", "8,911", "12.3k", "4.1M", "1M",
    ]  # fmt: skip
    assert [rate(each) for each in (0, 0.04, 2.13, 142.4, 1923)] == ["0", "0.0", "2.1", "142", "1.92k"]
    assert clock(NOW_US) == "12:04:31Z"
    assert clock(NOW_US, with_date=True) == "2026-11-25 12:04:31Z"
    assert clock(NOW_US + 1500, fraction=True) == "12:04:31.001Z"
    assert clock(1 << 62) == "?"


@given(TEXT, st.integers(0, 40))
def test_fitted_text_takes_exactly_its_width(text, width):
    assert width_of(fit(text, width)) == width
    assert width_of(fit(text, width, ">")) == width
    assert all(width_of(line) <= max(width, 2) for line in folded(text, width))
    assert "".join(folded(text, width)) == shown(text)


def test_what_has_no_cell_of_its_own_is_made_visible():
    assert shown("a\u200db\ufeff") == "a\\u200db\\ufeff"
    assert shown("❤\ufe0f") == "❤"
    assert len(shown("x" * 100_000)) == 4000


@given(st.lists(TEXT, max_size=6), st.integers(0, 30), st.integers(0, 6))
def test_pictures_are_exactly_as_large_as_they_are_wanted(texts, width, height):
    lines = [words((text, "bad")) for text in texts]
    for picture in (to_size(lines, width, height), boxed("t", lines, width, height, RICH)):
        assert len(picture) == height
        assert all(length_of(line) == width for line in picture)
    assert all(length_of(line) == 2 * width for line in beside((lines or [[]], width), (lines or [[]], width)))


def test_a_table_gives_up_columns_from_the_right_and_shares_what_is_left():
    columns = [Column("A", 4), Column("B", 4, grows=True), Column("C", 4)]
    assert fitting(columns, 30) == [(0, 4), (1, 20), (2, 4)]
    assert fitting(columns, 10) == [(0, 4), (1, 5)]
    assert fitting(columns, 2) == [(0, 2)]


def test_a_table_asks_only_for_rows_in_sight():
    asked = []

    def cells(index):
        asked.append(index)
        return [str(index), ("漢", "bad")]

    seen = window(10_000, 5, 100, None)
    picture = grid([Column("N", 6, ">"), Column("X", 3)], seen, cells, 12, selected=101, sorted_by=("N", "▲"))
    assert asked == [100, 101, 102, 103, 104]
    assert plain(picture[:2]) == "    N▲ X\n   100 漢"
    assert all(segment.style.reverse for segment in picture[2] if segment.style)
    assert seen.note == "101-105 of 10000"


@given(st.integers(0, 50), st.integers(0, 20), st.integers(0, 60), st.integers(0, 49))
def test_the_selected_row_is_in_sight_and_the_window_is_full(rows, height, top, selected):
    chosen = selected if selected < rows else None
    seen = window(rows, height, top, chosen)
    assert seen.bottom - seen.top == min(rows, height)
    assert 0 <= seen.top <= seen.bottom <= rows
    if chosen is not None and height:
        assert seen.top <= chosen < seen.bottom


def test_small_drawings():
    assert sparkline([0, 1, 2, 4, 8], 5, RICH) == " ▂▃▅█"
    assert sparkline([5], 3, PLAIN) == "  #"
    assert sparkline([0, 0], 2, RICH) == "  "
    assert sparkline([1], 0, RICH) == ""
    assert [bar(used, 80, 8, RICH).count("█") for used in (0, 1, 40, 79, 80, 99)] == [0, 1, 4, 7, 8, 8]
    assert bar(1, 0, 3, PLAIN) == "..."


def test_lines_are_shared_out_from_the_top_and_given_up_from_the_bottom():
    assert shares([(9, 6), (6, 5), (4, 4)], 30) == [9, 6, 15]
    assert shares([(9, 6), (6, 5), (4, 4)], 15) == [6, 5, 4]
    assert shares([(9, 6), (6, 5), (4, 4)], 11) == [6, 5, 0]
    assert shares([(9, 6)], 3) == [0]


# Timelines.


def drawn(each, width=44, theme=RICH, **options):
    scale = scale_of(TIMELINE, NOW_US, width, **options)
    return plain([timeline_bar(each, scale, NOW_US, theme)])


def test_a_bar_shows_every_attempt_and_what_is_between():
    kinds = [each.kind for each in stretches(TIMELINE[5], NOW_US)]
    assert kinds == ["queued", "failed", "backing_off", "queued", "failed"]
    assert drawn(TIMELINE[2]).strip() == "┄" * 16
    assert set(drawn(TIMELINE[3]).strip()) == {"═"}
    assert drawn(TIMELINE[6]).strip() == "◆"
    assert drawn(TIMELINE[5], theme=PLAIN).isascii()


@pytest.mark.parametrize(
    ("each", "kinds"),
    [
        (row("1", "activity", "a", "queued", 5, None, 1, started_at=None), ["queued"]),
        (row("1", "step", "s", "running", 5, None, 1), ["running"]),
        (
            row("1", "step", "s", "backing_off", 5, None, 1, attempts=(attempt(1, 5, 5, 4, DECLINED),)),
            ["failed", "backing_off"],
        ),
        (row("", "run", "r", "running", 5, None, 1, started_at=None), ["queued", "running"]),
        (row("1", "step", "s", "abandoned", 5, 1, 1), ["cancelled"]),
    ],
)
def test_what_is_open_reaches_until_now(each, kinds):
    parts = stretches(each, NOW_US)
    assert [part.kind for part in parts] == kinds
    assert parts[-1].end_us == NOW_US or each.ended_at


@given(st.integers(1, 200), st.booleans())
def test_bars_and_axis_are_exactly_as_wide_as_the_scale(width, hides_idle):
    scale = scale_of(TIMELINE, NOW_US, width, hides_idle=hides_idle)
    assert len(axis(scale)) == width
    for each in TIMELINE:
        assert length_of(timeline_bar(each, scale, NOW_US, RICH)) == width
    cells = [scale.cell(at_us) for at_us in range(scale.start_us, scale.end_us, 500_000)]
    assert cells == sorted(cells)
    assert 0 <= cells[0] <= cells[-1] < width


def test_a_timeline_can_be_zoomed_to_some_rows():
    whole = scale_of(TIMELINE, NOW_US, 60)
    near = zoomed(whole, TIMELINE[1:2], NOW_US)
    assert plain([timeline_bar(TIMELINE[1], near, NOW_US, RICH)]) == "░" * 30 + "━" * 30
    assert axis(near).startswith("100ms")
    assert zoomed(whole, TIMELINE[:1], NOW_US) == whole


def test_idle_time_can_be_cut_out():
    whole, cut = scale_of(TIMELINE, NOW_US, 60), scale_of(TIMELINE, NOW_US, 60, hides_idle=True)
    assert len(cut.cuts) == 1
    assert "⋯" in drawn(TIMELINE[2], 60, hides_idle=True)
    busy = TIMELINE[5]
    assert len(drawn(busy, 60, hides_idle=True).strip()) > len(drawn(busy, 60).strip())
    assert whole.cuts == ()


# Painting.


def painted(painter, *lines, width=8):
    return painter.paint([to_width(line, width) for line in lines], width).decode()


def test_only_lines_that_changed_are_sent():
    painter = Painter()
    first = painted(painter, words("one"), words("two"))
    assert first.startswith("\x1b[?2026h\x1b[2J")
    assert "one" in first
    assert painted(painter, words("one"), words("two")) == ""
    second = painted(painter, words("one"), words(("2", "bad")))
    assert second == "\x1b[?2026h\x1b[2H\x1b[31m2\x1b[0m\x1b[K\x1b[0m\x1b[?2026l"
    assert "\x1b[2J" in painted(painter, words("one"))
    painter.forget()
    assert "one" in painted(painter, words("one"))


def test_the_last_cell_of_a_full_line_is_not_erased():
    assert "\x1b[K" not in painted(Painter(), words("12345678"))
    assert painted(Painter(), [Segment(" " * 8, STYLES["selected"])]).count("        ") == 1


def test_a_picture_for_a_pipe_moves_no_cursor():
    text = Painter().lines([to_width(words(("x", "good"), "y"), 8)])
    assert text == "\x1b[32mx\x1b[0my\n"


# Facts.


def test_payloads_are_read_as_far_as_they_can_be():
    assert payload_text(payload('{"a": [1]}')) == '{"a": [1]}'
    assert payload_text(payload("")) == "null"
    assert payload_text(payload("{")) == "1 bytes of something that is no JSON"
    assert payload_text(type(payload(""))(b"\x00" * 9, "zstd")) == "9 bytes of zstd"
    assert payload_text(type(payload(""))(b"\x00" * 9, "bytes")) == "9 bytes"
    assert short_payload(type(payload(""))(b"\x00" * 9_000, "bytes")) == "9000 bytes"
    assert payload_text(payload("[" * 100_000)) == "100000 bytes of something that is no JSON"
    assert short_payload(payload('"' + "x" * 9000 + '"')).endswith("… (9002 bytes)")


def test_every_event_is_told_in_one_line_and_in_many():
    for event in EVENTS:
        assert "\n" not in fact_detail(event, EVENTS[0].at)
        assert re.match(r"\d+  \w+  2026-11-25 12:0\d", fact_lines(event)[0])
    assert fact_detail(EVENTS[10], EVENTS[0].at) == "ReadTimeout: 10 s, due at +52.3s"


def test_causes_of_a_failure_are_told_to_a_depth():
    failure = DECLINED
    for _ in range(100):
        failure = type(failure)("Again", "", "", (failure,))
    assert len(failure_lines(failure)) < 100
    group = type(failure)("ExceptionGroup", "two", "", (DECLINED, DECLINED), group=True)
    assert failure_lines(group)[0] == "ExceptionGroup: two (2 failures)"


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (doing("running"), "runs"),
        (doing("paused"), "paused"),
        (doing("sleeping", "timer", due=30), "sleeps 30.0s"),
        (doing("sleeping", "start", due=90), "begins in 1m30s"),
        (doing("retrying", "step", "pack", 3, 4), "pack in 4.0s"),
        (doing("retrying", "activity", "charge", 3, -4, more=2), "charge again +2"),
        (doing("waiting", "activity", "charge", 1), "charge"),
        (doing("waiting", "child", "order-1", more=7), "child order-1 +7"),
        (doing("waiting", "signal"), "signal"),
    ],
)
def test_a_list_tells_what_a_run_does(does, said):
    assert doing_text(does, scene()) == said


def test_a_branch_of_a_timeline_ends_where_its_last_row_is():
    rows = [
        row("1", "step", "a", "completed", 9, 8, number, depth=depth)
        for number, depth in enumerate((0, 0, 1, 2, 1, 0, 1))
    ]
    assert branches_of(rows) == [
        (True,),
        (True,),
        (True, True),
        (True, True, False),
        (True, False),
        (False,),
        (False, False),
    ]
