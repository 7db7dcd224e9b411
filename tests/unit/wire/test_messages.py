"""Messages out of DATA, however it is cut."""

import gzip
import zlib

import pytest

from aether.wire.messages import MessageError, MessageReader, inflate
from aether.wire.status import Code
from tests.conformance.wire_peer import message


def push(made, data):
    return made.push(data, 0, len(data))


def test_several_messages_in_one_piece():
    made = MessageReader(100, b"")
    assert push(made, message(b"a") + message(b"") + message(b"ccc")) == [b"a", b"", b"ccc"]
    assert made.pending == 0


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 11])
def test_messages_cut_anywhere(size):
    data = message(b"hello") + message(b"") + message(b"x" * 20) + message(b"tail")
    made = MessageReader(100, b"")
    got = []
    for at in range(0, len(data), size):
        got += push(made, data[at : at + size])
    assert got == [b"hello", b"", b"x" * 20, b"tail"]
    assert made.pending == 0


def test_only_the_given_part_of_the_data_is_read():
    data = b"junk" + message(b"a") + b"junk"
    assert MessageReader(100, b"").push(data, 4, 10) == [b"a"]


def test_what_is_unfinished_is_counted():
    made = MessageReader(100, b"")
    assert push(made, message(b"abc")[:-1]) == []
    assert made.pending == 7


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_message_beyond_the_limit_is_refused_by_its_prefix(pieces):
    data = message(b"x" * 101)[:6]
    made = MessageReader(100, b"")
    for at in range(pieces - 1):
        assert push(made, data[at : at + 1]) == []
    with pytest.raises(MessageError) as caught:
        push(made, data[pieces - 1 :])
    assert caught.value.status.code == Code.RESOURCE_EXHAUSTED
    assert "101" in str(caught.value)


def test_unknown_flags_are_refused():
    with pytest.raises(MessageError) as caught:
        push(MessageReader(100, b"gzip"), message(b"x", flag=2))
    assert caught.value.status.code == Code.INTERNAL


def test_compressed_without_saying_how_is_refused():
    with pytest.raises(MessageError) as caught:
        push(MessageReader(100, b""), message(b"x", flag=1))
    assert caught.value.status.code == Code.INTERNAL


def test_gzip_messages_are_inflated():
    data = message(gzip.compress(b"a" * 90), flag=1) + message(b"plain", flag=0)
    assert push(MessageReader(100, b"gzip"), data) == [b"a" * 90, b"plain"]


def test_a_gzip_message_in_two_pieces_is_inflated():
    data = message(gzip.compress(b"a" * 90), flag=1)
    made = MessageReader(100, b"gzip")
    assert push(made, data[:9]) == []
    assert push(made, data[9:]) == [b"a" * 90]


def test_inflating_stops_at_the_limit():
    assert inflate(gzip.compress(b"a" * 100), 100) == b"a" * 100
    with pytest.raises(MessageError) as caught:
        inflate(gzip.compress(b"a" * 10_000_000), 100)
    assert caught.value.status.code == Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "raw", [b"", b"not gzip", gzip.compress(b"abc")[:-1], gzip.compress(b"abc") + b"more", zlib.compress(b"abc")]
)
def test_what_is_not_one_whole_gzip_member_is_refused(raw):
    with pytest.raises(MessageError) as caught:
        inflate(raw, 100)
    assert caught.value.status.code == Code.INTERNAL
