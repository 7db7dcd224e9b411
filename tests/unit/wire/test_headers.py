"""Header blocks: the memo never changes what a block means, and writing agrees with any reader."""

import hpack
import pytest

from aether.wire.headers import HeaderError, HeaderReader, RequestWriter, literal, literal_indexed_name

FIXED = ((b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"here"), (b"te", b"trailers"))


def reader(**changes):
    parsed = []

    def parse(fields):
        parsed.append(list(fields))
        return tuple(fields)

    made = HeaderReader(parse, **{"max_list": 4_096, "memo_entries": 4, **changes})
    return made, parsed


def test_a_repeated_block_is_parsed_once():
    made, parsed = reader()
    block = literal(b"a", b"1") + literal(b"b", b"2")
    assert made.read(block) is made.read(block)
    assert parsed == [[(b"a", b"1"), (b"b", b"2")]]


def test_a_changed_table_makes_the_memo_forget():
    made, _ = reader()
    encoder = hpack.Encoder()
    first = encoder.encode([(b"x", b"1")])
    assert made.read(first) == ((b"x", b"1"),)
    named = bytes([0x80 | 62])  # the newest entry of the table
    assert made.read(named) == ((b"x", b"1"),)
    assert made.read(encoder.encode([(b"x", b"2")])) == ((b"x", b"2"),)
    assert made.read(named) == ((b"x", b"2"),)


def test_a_block_that_changes_the_table_is_decoded_each_time():
    made, parsed = reader()
    adding = b"\x40\x01a\x011"
    made.read(adding)
    made.read(adding)
    assert len(parsed) == 2
    assert made.read(bytes([0x80 | 63])) == ((b"a", b"1"),)


def test_a_table_that_shrinks_makes_the_memo_forget():
    made, parsed = reader()
    made.read(b"\x40\x01a\x011")
    made.read(bytes([0x80 | 62]))
    made.read(b"\x20")
    assert len(parsed) == 3
    with pytest.raises(HeaderError, match="decoded"):
        made.read(bytes([0x80 | 62]))


def test_the_memo_is_bounded():
    made, parsed = reader(memo_entries=2)
    blocks = [literal(b"a", b"%d" % number) for number in range(3)]
    for block in blocks:
        made.read(block)
    made.read(blocks[2])
    assert len(parsed) == 3
    made.read(blocks[0])
    assert len(parsed) == 4


def test_long_blocks_are_not_remembered():
    made, parsed = reader()
    block = literal(b"a", b"x" * 3_000)
    made.read(block)
    made.read(block)
    assert len(parsed) == 2


def test_a_list_beyond_all_bounds_is_an_error_of_its_own():
    made, _ = reader(max_list=100)
    with pytest.raises(HeaderError) as caught:
        made.read(literal(b"a", b"x" * 100))
    assert caught.value.too_large


@pytest.mark.parametrize(
    "block",
    [
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f",  # an integer without end
        b"\xbe",  # an entry that is not there
        b"\x80",  # entry 0
        b"\x00\x05ab",  # shorter than it says
        b"\x00",  # nothing where a name should be
        b"\x00\x81\xff\x01a",  # Huffman code with wrong padding
        b"\x82\x20",  # a size update after a field
        b"\x3f\xff\xff\x7f",  # a table larger than allowed
    ],
)
def test_a_block_that_cannot_be_decoded_is_an_error(block):
    made, _ = reader()
    with pytest.raises(HeaderError) as caught:
        made.read(block)
    assert not caught.value.too_large


@pytest.mark.parametrize("block", [b"\x20" * 3, b"\x3f\x00\x3f\x01\x20", b"\x20" * 16_000])
def test_more_size_updates_than_allowed_are_refused_before_decoding(block):
    made, _ = reader()
    with pytest.raises(HeaderError, match="size updates"):
        made.read(block)


@pytest.mark.parametrize("block", [b"", b"\x20\x3f\xe1\x1f", b"\x3f\x80\x01" + b"\x82", b"\x3f\x80"])
def test_size_updates_within_the_rule_are_left_to_the_decoder(block):
    made, _ = reader()
    if block == b"\x3f\x80":
        with pytest.raises(HeaderError, match="decoded"):
            made.read(block)
        return
    made.read(block)


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 16_383, 16_384, 100_000])
def test_literals_of_every_length_are_read_back(size):
    decoder = hpack.Decoder(max_header_list_size=1 << 20)
    value = b"v" * size
    fields = decoder.decode(literal(b"name", value) + literal_indexed_name(31, value), raw=True)
    assert [tuple(field) for field in fields] == [(b"name", value), (b"content-type", value)]


def test_the_second_request_for_a_path_is_a_few_bytes():
    writer, decoder = RequestWriter(FIXED, memo_entries=8), hpack.Decoder()
    first = writer.write(b"/a.B/C", b"")
    second = writer.write(b"/a.B/C", b"")
    assert len(second) < 8 < len(first)
    wanted = [*FIXED[:2], (b":path", b"/a.B/C"), *FIXED[2:]]
    for block in (first, second, writer.write(b"/a.B/C", b"")):
        assert [tuple(field) for field in decoder.decode(block, raw=True)] == wanted


def test_blocks_stay_right_when_paths_push_each_other_out_of_the_table():
    writer, decoder = RequestWriter(FIXED, memo_entries=8), hpack.Decoder()
    for number in list(range(150)) * 2:
        path = b"/a.B/%d" % number
        extra = literal(b"x-n", b"%d" % (number % 3))
        fields = [tuple(field) for field in decoder.decode(writer.write(path, extra), raw=True)]
        assert fields == [*FIXED[:2], (b":path", path), *FIXED[2:], (b"x-n", b"%d" % (number % 3))]


def test_the_writers_memo_is_bounded():
    writer, decoder = RequestWriter(FIXED, memo_entries=2), hpack.Decoder()
    for number in range(10):
        block = writer.write(b"/a.B/C", literal(b"n", b"%d" % number))
        assert (b"n", b"%d" % number) in [tuple(field) for field in decoder.decode(block, raw=True)]


@pytest.mark.parametrize("sizes", [[0], [100, 0], [100, 200], [0, 4_096], [65_536]])
def test_the_peers_table_size_is_obeyed(sizes):
    writer, decoder = RequestWriter(FIXED, memo_entries=8), hpack.Decoder()
    for path in (b"/a.B/C", b"/a.B/C"):
        decoder.decode(writer.write(path, b""))
    for size in sizes:
        writer.resize_table(size)
        decoder.max_allowed_table_size = size
    for _ in range(3):
        fields = [tuple(field) for field in decoder.decode(writer.write(b"/a.B/C", b""), raw=True)]
        assert fields == [*FIXED[:2], (b":path", b"/a.B/C"), *FIXED[2:]]
    assert decoder.header_table_size == min(sizes[-1], 4_096)
