"""Metadata, escaped messages and timeouts."""

import pytest

from aether.wire.headers import literal
from aether.wire.metadata import (
    Metadata,
    encode_metadata,
    format_timeout,
    from_base64,
    is_text,
    parse_timeout,
    percent_decode,
    percent_encode,
    to_base64,
)


def test_values_are_text_or_for_bin_keys_bytes():
    made = Metadata([(b"a", b"1"), (b"k-bin", b"AP8"), (b"a", b"2")])
    assert list(made) == [("a", "1"), ("k-bin", b"\x00\xff"), ("a", "2")]
    assert len(made) == 3


def test_the_last_value_of_a_key_wins_and_all_can_be_had():
    made = Metadata([(b"a", b"1"), (b"a", b"2")])
    assert made.get("a") == "2"
    assert made.get_all("a") == ["1", "2"]
    assert made.get("b") is None


def test_joined_binary_values_come_apart():
    assert Metadata([(b"k-bin", b"AA,/w==")]).get_all("k-bin") == [b"\x00", b"\xff"]


def test_values_are_not_shown_for_they_may_be_secret():
    assert repr(Metadata([(b"authorization", b"token")])) == "Metadata(['authorization'])"


@pytest.mark.parametrize("raw", [b"", b"\x00", b"ab", b"abc", bytes(range(256))])
def test_base64_is_read_with_and_without_padding(raw):
    short = to_base64(raw)
    assert b"=" not in short
    assert from_base64(short) == raw
    assert from_base64(short + b"=" * (-len(short) % 4)) == raw


def test_what_is_not_base64_is_refused():
    with pytest.raises(ValueError, match="base64"):
        from_base64(b"!!")


def test_items_become_literals():
    assert encode_metadata([("a", "b c"), ("k-bin", b"\x00")]) == literal(b"a", b"b c") + literal(b"k-bin", b"AA")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("Upper", "x", "not allowed"),
        ("", "x", "not allowed"),
        ("grpc-status", "0", "not allowed"),
        ("te", "x", "not allowed"),
        (":path", "x", "not allowed"),
        ("a\n", "x", "not allowed"),
        ("a", b"raw", "must end in '-bin'"),
        ("a-bin", "text", "must be bytes"),
        ("a", "ümlaut", "printable"),
        ("a", "two\r\nlines", "printable"),
        ("a", " outer", "printable"),
    ],
)
def test_items_that_cannot_be_sent_are_refused_by_name(key, value, why):
    with pytest.raises(ValueError, match=why) as caught:
        encode_metadata([(key, value)])
    assert repr(key) in str(caught.value)


def test_printable_ascii_is_text():
    assert is_text(b"abc ~")
    assert not is_text(b"\x7f")
    assert not is_text("é".encode())


@pytest.mark.parametrize("text", ["", "plain", "100 % sure", "zwei\nZeilen", "ünï\u4e2d\U0001f600", "%41"])
def test_messages_survive_escaping(text):
    raw = percent_encode(text, 1_000)
    assert is_text(raw)
    assert percent_decode(raw) == text


def test_plain_messages_are_sent_as_they_are():
    assert percent_encode("workflow not found", 1_000) == b"workflow not found"


@pytest.mark.parametrize("text", ["x" * 50, "ü" * 50, "\U0001f600" * 20, "%" * 50])
@pytest.mark.parametrize("limit", range(20, 33))
def test_long_messages_are_cut_between_characters(text, limit):
    raw = percent_encode(text, limit)
    assert limit - 14 <= len(raw) <= limit
    assert text.startswith(percent_decode(raw))


def test_broken_escapes_are_shown_as_they_came():
    assert percent_decode(b"50% off %zz %C3") == "50% off %zz \ufffd"


def test_a_lone_surrogate_does_not_break_a_message():
    assert percent_decode(percent_encode("a\ud800b", 100)) == "a?b"


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [(b"1H", 3600), (b"2M", 120), (b"3S", 3), (b"4m", 0.004), (b"5u", 5e-6), (b"6n", 6e-9), (b"99999999H", 3.6e11)],
)
def test_timeouts_are_read_in_every_unit(raw, seconds):
    assert parse_timeout(raw) == pytest.approx(seconds, rel=1e-3)


@pytest.mark.parametrize("raw", [b"", b"S", b"1", b"1s", b"-1S", b"123456789S", b"1.5S", b" 1S", b"1S\n"])
def test_malformed_timeouts_are_refused(raw):
    with pytest.raises(ValueError, match="grpc-timeout"):
        parse_timeout(raw)


@pytest.mark.parametrize("seconds", [1e-7, 1e-6, 0.25, 1, 99, 100, 12_345.678, 86_400 * 30, 1e9, 1e11])
def test_a_timeout_is_never_sent_shorter_than_it_is(seconds):
    raw = format_timeout(seconds)
    assert len(raw) <= 9
    assert seconds * (1 - 1e-6) <= parse_timeout(raw) <= max(seconds * 1.001, 1.1e-6)


def test_a_timeout_that_has_passed_is_the_shortest_there_is():
    assert format_timeout(0) == format_timeout(-5) == b"1n"


def test_a_timeout_beyond_all_units_is_the_longest_there_is():
    assert format_timeout(1e30) == b"99999999H"
