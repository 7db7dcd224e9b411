"""HTTP/2 frames as bytes (RFC 9113, 4 and 6): constants, and what writes each kind of frame.

Reading is in link.py, where a frame is looked at in place and never becomes an object.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES: Final = 9
MAX_FRAME: Final = 16_384  # the default and the least of SETTINGS_MAX_FRAME_SIZE; never raised, so turns stay short
MAX_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535
LAST_STREAM: Final = 2**31 - 1

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

SETTING_HEADER_TABLE: Final = 0x1
SETTING_PUSH: Final = 0x2
SETTING_STREAMS: Final = 0x3
SETTING_WINDOW: Final = 0x4
SETTING_FRAME: Final = 0x5
SETTING_HEADER_LIST: Final = 0x6


class ErrorCode(enum.IntEnum):
    """RFC 9113, 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class LinkError(Exception):
    """The connection cannot go on; the peer is told why with GOAWAY."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


# Length and type share the first four octets, so a header is three numbers: length << 8 | type, flags,
# stream.
_HEAD: Final = struct.Struct(">IBI")
_ONE: Final = struct.Struct(">IBII")
_GOAWAY: Final = struct.Struct(">IBIII")
_SETTING: Final = struct.Struct(">HI")
pack_head: Final = _HEAD.pack
unpack_head: Final = _HEAD.unpack_from
_pack_one: Final = _ONE.pack
iter_settings: Final = _SETTING.iter_unpack

SETTINGS_ACK: Final = pack_head(SETTINGS, ACK, 0)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return pack_head(len(payload) << 8 | kind, flags, stream_id) + payload


def settings(pairs: Iterable[tuple[int, int]]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in pairs))


def ping(opaque: bytes, *, ack: bool = False) -> bytes:
    """A PING; `opaque` is exactly eight octets."""
    return frame(PING, ACK if ack else 0, 0, opaque)


def goaway(last_stream: int, code: int, debug: bytes = b"") -> bytes:
    return _GOAWAY.pack((8 + len(debug)) << 8 | GOAWAY, 0, 0, last_stream, code) + debug


def rst_stream(stream_id: int, code: int) -> bytes:
    return _pack_one(4 << 8 | RST_STREAM, 0, stream_id, code)


def window_update(stream_id: int, credit: int) -> bytes:
    return _pack_one(4 << 8 | WINDOW_UPDATE, 0, stream_id, credit)


def headers(stream_id: int, block: bytes, *, end_stream: bool = False) -> bytes:
    """A header block as one HEADERS frame, or as HEADERS and CONTINUATION when it is longer than a frame."""
    flags = END_STREAM if end_stream else 0
    if len(block) <= MAX_FRAME:
        return pack_head(len(block) << 8 | HEADERS, flags | END_HEADERS, stream_id) + block
    parts = [block[at : at + MAX_FRAME] for at in range(0, len(block), MAX_FRAME)]
    out = [frame(HEADERS, flags, stream_id, parts[0])]
    out += [frame(CONTINUATION, 0, stream_id, part) for part in parts[1:-1]]
    out.append(frame(CONTINUATION, END_HEADERS, stream_id, parts[-1]))
    return b"".join(out)
