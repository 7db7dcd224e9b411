"""Header blocks (HPACK, RFC 7541) as gRPC needs them: read with a memo, written as constants where possible.

Theory of operation. A peer that repeats a call sends the same few bytes again, as long as nothing was added
to its table in between. So the reader remembers what a block meant, by its bytes. It remembers only blocks
that left the table as it was (reading those again has no effect), and forgets everything as soon as another
block changes the table (the same bytes then mean something else).

Writing: what never varies is a constant literal that uses no table at all. Requests put their fixed fields
and path into the peer's table once and name them by number afterwards; what the caller adds is sent as
literals outside the table, so that varying values do not push the fixed ones out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, Self, TypeVar

import attrs
from hpack import Decoder, Encoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

Field = tuple[bytes, bytes]
Head = TypeVar("Head")

_MEMO_BLOCK_BYTES: Final = 2_048  # a longer block is not worth its memory
_TABLE_BYTES: Final = 4_096  # SETTINGS_HEADER_TABLE_SIZE of both directions; the default of RFC 9113, 6.5.2
_SIZE_UPDATES: Final = 2  # RFC 7541, 4.2: at most two at the start of a block


class HeaderError(Exception):
    """A block that leaves the shared table in doubt, which only closing the connection cures."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


@attrs.frozen
class _TableState:
    """What changes whenever a table does: a new entry is another object even when it has the same text."""

    size: int
    count: int
    first: object = attrs.field(eq=id)  # and is kept here, lest its identity go to a newer one

    @classmethod
    def of(cls, table: HeaderTable) -> Self:
        entries = table.dynamic_entries
        return cls(table.maxsize, len(entries), entries[0] if entries else None)


class HeaderReader(Generic[Head]):
    """Reads header blocks of one direction of one connection, in the order received."""

    def __init__(self, parse: Callable[[Sequence[Field]], Head], *, max_list: int, memo_entries: int) -> None:
        self._parse = parse
        self._memo: dict[bytes, Head] = {}
        self._memo_entries = memo_entries
        self._decoder = Decoder(max_header_list_size=max_list)

    def read(self, block: bytes) -> Head:
        """What `parse` makes of the fields. Raises HeaderError."""
        head = self._memo.get(block)
        if head is not None:
            return head
        return self._read_new(block)

    def _read_new(self, block: bytes) -> Head:
        _check_size_updates(block)
        table = self._decoder.header_table
        before = _TableState.of(table)
        try:
            fields = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            raise HeaderError("header list far too large", too_large=True) from error
        except HPACKError as error:
            raise HeaderError("header block cannot be decoded") from error
        head = self._parse(fields)
        if before != _TableState.of(table):
            self._memo.clear()
            return head
        if len(block) <= _MEMO_BLOCK_BYTES:
            if len(self._memo) >= self._memo_entries:
                self._memo.clear()
            self._memo[block] = head
        return head


def _check_size_updates(block: bytes) -> None:
    # The decoder takes any number of them at some microseconds each, so a block of nothing else would be a
    # small attack.
    at = 0
    for _ in range(_SIZE_UPDATES + 1):
        if at >= len(block) or block[at] & 0xE0 != 0x20:
            return
        is_long = block[at] & 0x1F == 0x1F
        at += 1
        while is_long and at < len(block) and block[at] & 0x80:
            at += 1
        at += is_long
    raise HeaderError("more than two table size updates in a header block")


class RequestWriter:
    """Writes the header blocks of requests for one connection, in the order sent."""

    def __init__(self, fixed: Sequence[Field], *, memo_entries: int) -> None:
        self._fixed = tuple(fixed)
        self._memo: dict[tuple[bytes, bytes], bytes] = {}
        self._memo_entries = memo_entries
        self._encoder = Encoder()
        self._smallest = _TABLE_BYTES
        self._is_resized = False

    def resize_table(self, size: int) -> None:
        """Obeys the peer's SETTINGS_HEADER_TABLE_SIZE; a table beyond the default is not worth having."""
        wanted = min(size, _TABLE_BYTES)
        table = self._encoder.header_table
        if wanted != table.maxsize:
            table.maxsize = wanted
            # Announced here and not by the encoder, which would tell of every size there was in between.
            table.resized = False
            self._smallest = min(wanted, self._smallest)
            self._is_resized = True
            self._memo.clear()

    def _announce_size(self) -> bytes:
        # RFC 7541, 4.2: the smallest size since the last block, and the final one.
        final = self._encoder.header_table.maxsize
        smallest, self._smallest = self._smallest, _TABLE_BYTES
        self._is_resized = False
        update = _integer(final, 5, 0x20)
        return update if smallest >= final else _integer(smallest, 5, 0x20) + update

    def write(self, path: bytes, extra: bytes) -> bytes:
        """The block for `path`; `extra` are literals by `literal`, appended as they are."""
        key = (path, extra)
        block = self._memo.get(key)
        if block is not None:
            return block
        table = self._encoder.header_table
        before = _TableState.of(table)
        block = self._encoder.encode((*self._fixed[:2], (b":path", path), *self._fixed[2:]), huffman=False) + extra
        if self._is_resized:
            return self._announce_size() + block
        if before != _TableState.of(table):
            self._memo.clear()
            return block
        if len(self._memo) >= self._memo_entries:
            self._memo.clear()
        self._memo[key] = block
        return block


def _integer(value: int, prefix_bits: int, first: int) -> bytes:
    # RFC 7541, 5.1
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes((first | value,))
    out = bytearray((first | limit,))
    value -= limit
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def literal(name: bytes, value: bytes) -> bytes:
    """One field outside the table (RFC 7541, 6.2.2), not Huffman coded: constant and cheap on both sides."""
    return b"".join((b"\x00", _integer(len(name), 7, 0), name, _integer(len(value), 7, 0), value))


def literal_indexed_name(index: int, value: bytes) -> bytes:
    """The same with a name from the static table."""
    return b"".join((_integer(index, 4, 0), _integer(len(value), 7, 0), value))
