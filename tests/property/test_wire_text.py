"""What is encoded is decoded to the same, however it is cut."""

import hpack
from hypothesis import given
from hypothesis import strategies as st

from aether.wire.headers import HeaderReader, RequestWriter, literal
from aether.wire.messages import MessageReader
from aether.wire.metadata import (
    Metadata,
    encode_metadata,
    format_timeout,
    parse_timeout,
    percent_decode,
    percent_encode,
)
from tests.conformance.wire_peer import message

names = st.sampled_from([b"a", b"b", b"x-long-name", b":path", b"content-type"])
values = st.sampled_from([b"", b"1", b"2", b"application/grpc", b"v" * 200])
lists = st.lists(st.tuples(names, values), max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts)
def test_messages_survive_escaping(text):
    raw = percent_encode(text, 1 << 20)
    assert percent_decode(raw) == text
    assert all(0x20 <= octet <= 0x7E for octet in raw)


@given(texts, st.integers(0, 60))
def test_cut_messages_are_a_beginning(text, limit):
    raw = percent_encode(text, limit)
    assert len(raw) <= limit
    assert text.startswith(percent_decode(raw))


@given(st.floats(1e-6, 1e11))
def test_timeouts_are_never_shortened(seconds):
    assert parse_timeout(format_timeout(seconds)) >= seconds * (1 - 1e-6)


keys = st.from_regex(r"x-[a-z0-9_.\-]{0,8}", fullmatch=True).filter(lambda key: not key.endswith("-bin"))
items = st.one_of(
    st.tuples(keys, st.from_regex(r"([!-~]([ -~]{0,20}[!-~])?)?", fullmatch=True)),
    st.tuples(keys.map(lambda key: key + "-bin"), st.binary(max_size=30)),
)


@given(st.lists(items, max_size=5))
def test_metadata_arrives_as_it_was_sent(sent):
    fields = [(bytes(name), bytes(value)) for name, value in hpack.Decoder().decode(encode_metadata(sent), raw=True)]
    assert list(Metadata(fields)) == sent


@given(st.lists(lists, max_size=25), st.booleans(), st.lists(st.integers(0, 4_096), max_size=25))
def test_a_reader_with_memory_reads_what_one_without_would(blocks, huffman, sizes):
    encoder, plain = hpack.Encoder(), hpack.Decoder()
    reader = HeaderReader(tuple, max_list=1 << 16, memo_entries=3)
    for number, fields in enumerate(blocks):
        if number < len(sizes) and sizes[number] % 3 == 0:
            encoder.header_table_size = sizes[number]
        block = encoder.encode(fields, huffman=huffman)
        wanted = tuple((bytes(name), bytes(value)) for name, value in plain.decode(block, raw=True))
        assert reader.read(block) == wanted


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.none() | st.integers(0, 5_000)), max_size=60))
def test_a_writer_with_memory_is_understood(requests):
    fixed = ((b":method", b"POST"), (b":scheme", b"http"), (b"te", b"trailers"))
    writer, decoder = RequestWriter(fixed, memo_entries=4), hpack.Decoder()
    for path, extra, size in requests:
        if size is not None:
            writer.resize_table(size)
            decoder.max_allowed_table_size = size
        block = writer.write(b"/p/%d" % path, literal(b"x", b"%d" % extra))
        got = [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
        assert got == [*fixed[:2], (b":path", b"/p/%d" % path), fixed[2], (b"x", b"%d" % extra)]


@given(st.lists(st.binary(max_size=60), max_size=12), st.lists(st.integers(0, 30)))
def test_messages_come_out_however_they_are_cut(sent, cuts):
    data = b"".join(map(message, sent))
    reader = MessageReader(1_000, b"")
    got = []
    at = 0
    for size in [*cuts, len(data)]:
        got += reader.push(data, at, min(at + size, len(data)))
        at = min(at + size, len(data))
    assert got == sent
    assert reader.pending == 0
