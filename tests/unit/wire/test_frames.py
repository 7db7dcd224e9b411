"""Frames, as the octets that RFC 9113 prescribes; hyperframe reads them back."""

import hyperframe.frame as oracle
import pytest

from aether.wire import frames
from aether.wire.frames import ErrorCode, LinkError


def parse(data):
    frame, size = oracle.Frame.parse_frame_header(memoryview(data[:9]))
    frame.parse_body(memoryview(data[9 : 9 + size]))
    return frame, data[9 + size :]


def test_settings_carry_their_pairs():
    frame, rest = parse(frames.settings([(frames.SETTING_STREAMS, 7), (frames.SETTING_WINDOW, 70_000)]))
    assert frame.settings == {3: 7, 4: 70_000}
    assert rest == b""


def test_the_acknowledgement_of_settings_is_empty():
    frame, rest = parse(frames.SETTINGS_ACK)
    assert frame.flags == {"ACK"}
    assert (frame.settings, rest) == ({}, b"")


@pytest.mark.parametrize("ack", [True, False])
def test_ping(ack):
    frame, _ = parse(frames.ping(b"12345678", ack=ack))
    assert frame.opaque_data == b"12345678"
    assert ("ACK" in frame.flags) is ack


def test_goaway():
    frame, _ = parse(frames.goaway(5, ErrorCode.ENHANCE_YOUR_CALM, b"why"))
    assert (frame.last_stream_id, frame.error_code, frame.additional_data) == (5, 11, b"why")


def test_rst_stream_and_window_update():
    reset, _ = parse(frames.rst_stream(9, ErrorCode.CANCEL))
    assert (reset.stream_id, reset.error_code) == (9, 8)
    update, _ = parse(frames.window_update(3, 65_536))
    assert (update.stream_id, update.window_increment) == (3, 65_536)


@pytest.mark.parametrize("size", [0, 16_384, 16_385, 16_384 * 3 + 1])
@pytest.mark.parametrize("end", [True, False])
def test_a_header_block_is_cut_into_frames_that_fit(size, end):
    block = bytes(index % 251 for index in range(size))
    frame, rest = parse(frames.headers(1, block, end_stream=end))
    assert ("END_STREAM" in frame.flags) is end
    got = frame.data
    while rest:
        assert "END_HEADERS" not in frame.flags
        frame, rest = parse(rest)
        assert isinstance(frame, oracle.ContinuationFrame)
        got += frame.data
    assert "END_HEADERS" in frame.flags
    assert got == block


def test_a_header_is_read_as_it_was_written():
    assert frames.unpack_head(frames.pack_head(5 << 8 | frames.DATA, frames.END_STREAM, 3)) == (5 << 8, 1, 3)


def test_a_link_error_knows_its_code():
    error = LinkError(ErrorCode.PROTOCOL_ERROR, "why")
    assert (error.code, str(error)) == (1, "why")
