"""How a stored event is protected, and the other rules of the format that need no disk.

SQLite notices a torn page, but not a bit that flips inside a blob, and it drops a damaged tail of its
write-ahead log without a word. So every event carries a CRC-32 over all its columns, which tells an altered
row, and its seq within the run, which counts from 1 without a gap and so tells a lost one.
"""

import struct
from typing import Final, TypeAlias
from zlib import crc32

from aether.store.interface import EventRow, StoreDamaged

StoredEvent: TypeAlias = tuple[int, int, int, int, int, bytes]
"""An event as it is stored: run_key, seq, at, kind, crc, body."""

ROW_SIZES: Final = (256, 64, 16, 4, 1)
"""Rows per INSERT: few enough statements to prepare once, big enough to step seldom."""

RESTORE_ADVICE: Final = "run `aether db check` and restore the last good backup"

_COLUMNS = struct.Struct("<qqqq")
_SURROGATES_FIRST: Final = 0xD800
_SURROGATES_LAST: Final = 0xDFFF
_LAST_CHARACTER: Final = 0x10FFFF


def checksum(run_key: int, seq: int, at: int, kind: int, body: bytes) -> int:
    """Return the CRC-32 (unsigned) over four little-endian 64-bit columns and the body."""
    return crc32(body, crc32(_COLUMNS.pack(run_key, seq, at, kind)))


def seal(event: EventRow) -> StoredEvent:
    """Give the event the form in which it is stored."""
    run_key, seq, at, kind, body = event.run_key, event.seq, event.at, event.kind, event.body
    return run_key, seq, at, kind, crc32(body, crc32(_COLUMNS.pack(run_key, seq, at, kind))), body


def unseal(stored: StoredEvent, where: str) -> EventRow:
    """Return the event, or raise StoreDamaged when a bit of it is not what was written."""
    run_key, seq, at, kind, crc, body = stored
    if crc32(body, crc32(_COLUMNS.pack(run_key, seq, at, kind))) != crc:
        raise altered(run_key, seq, where)
    return EventRow(run_key, seq, at, kind, body)


def altered(run_key: int, seq: int, where: str) -> StoreDamaged:
    """Return the complaint about a row whose checksum is wrong."""
    return StoreDamaged(
        f"event {seq} of run {run_key} is not what was written (checksum)",
        where=where,
        advice=RESTORE_ADVICE,
        run_key=run_key,
        seq=seq,
    )


def lost(run_key: int, seq: int, where: str) -> StoreDamaged:
    """Return the complaint about a row that is not there although later ones are."""
    return StoreDamaged(
        f"event {seq} of run {run_key} is missing although later ones are there",
        where=where,
        advice=RESTORE_ADVICE,
        run_key=run_key,
        seq=seq,
    )


def split_rows(count: int) -> list[int]:
    """Split `count` rows into statements of the prepared sizes, largest first."""
    sizes = []
    for size in ROW_SIZES:
        whole, count = divmod(count, size)
        sizes += [size] * whole
    return sizes


def prefix_end(prefix: str) -> str | None:
    """Return the least text after all that start with `prefix`, in code point order, or None."""
    while prefix:
        last = ord(prefix[-1])
        prefix = prefix[:-1]
        if last < _LAST_CHARACTER:
            # No text holds a surrogate, and none can be stored: step over them.
            after = _SURROGATES_LAST + 1 if last + 1 == _SURROGATES_FIRST else last + 1
            return prefix + chr(after)
    return None
