"""Length-prefixed messages (PROTOCOL-HTTP2.md): out of DATA however it is cut, and inflated in bounds."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from aether.wire.status import Code, Status

PREFIX_BYTES: Final = 5
_PREFIX: Final = struct.Struct(">BI")
pack_prefix: Final = _PREFIX.pack
unpack_prefix: Final = _PREFIX.unpack_from
_GZIP: Final = 16 + zlib.MAX_WBITS


class MessageError(Exception):
    """A message that cannot be taken; `status` is what the call ends with."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class MessageReader:
    """Cuts the DATA of one stream into messages; keeps only the part of a message that has arrived."""

    __slots__ = ("_encoding", "_max_bytes", "_need", "_partial")

    def __init__(self, max_bytes: int, encoding: bytes) -> None:
        self._max_bytes = max_bytes
        self._encoding = encoding
        self._partial = bytearray()
        self._need = PREFIX_BYTES  # octets of `_partial` that make the next decision possible

    @property
    def pending(self) -> int:
        """Octets of an unfinished message that are held."""
        return len(self._partial)

    def push(self, data: bytes, at: int, stop: int) -> list[bytes]:
        """The messages that data[at:stop] completes. Raises MessageError; not to be used again after that."""
        found: list[bytes] = []
        partial = self._partial
        while partial and at < stop:
            taken = min(stop - at, self._need - len(partial))
            partial += data[at : at + taken]
            at += taken
            if len(partial) < self._need:
                return found
            flag, size = self._checked_prefix(partial, 0)
            self._need = PREFIX_BYTES + size
            if len(partial) == self._need:
                with memoryview(partial) as whole:
                    found.append(self._content(flag, bytes(whole[PREFIX_BYTES:])))
                partial.clear()
                self._need = PREFIX_BYTES
        while stop - at >= PREFIX_BYTES:
            flag, size = self._checked_prefix(data, at)
            end = at + PREFIX_BYTES + size
            if end > stop:
                self._need = PREFIX_BYTES + size
                break
            found.append(self._content(flag, data[at + PREFIX_BYTES : end]))
            at = end
        partial += data[at:stop]
        return found

    def _checked_prefix(self, data: bytes | bytearray, at: int) -> tuple[int, int]:
        flag, size = unpack_prefix(data, at)
        if size > self._max_bytes:
            raise MessageError(
                Status(
                    Code.RESOURCE_EXHAUSTED,
                    f"message of {size} bytes is larger than the limit of {self._max_bytes}",
                )
            )
        if flag > 1:
            raise MessageError(Status(Code.INTERNAL, "unknown flags in a message prefix"))
        if flag and not self._encoding:
            raise MessageError(Status(Code.INTERNAL, "compressed message without grpc-encoding"))
        return flag, size

    def _content(self, flag: int, raw: bytes) -> bytes:
        return inflate(raw, self._max_bytes) if flag else raw


def inflate(raw: bytes, max_bytes: int) -> bytes:
    """A gzip member of at most `max_bytes` when inflated. Raises MessageError."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        # One more than allowed tells "exactly at the limit" from "beyond it" without inflating the rest.
        out = inflater.decompress(raw, max_bytes + 1)
    except zlib.error as error:
        raise MessageError(Status(Code.INTERNAL, "message is not valid gzip")) from error
    if len(out) > max_bytes:
        raise MessageError(Status(Code.RESOURCE_EXHAUSTED, f"message inflates beyond the limit of {max_bytes} bytes"))
    if not inflater.eof or inflater.unused_data:
        raise MessageError(Status(Code.INTERNAL, "message is not one whole gzip member"))
    return out
