"""How stored rows are protected, and the other rules of the format that need no disk.

SQLite notices a torn page, but not a bit that flips inside a row, and it drops a damaged tail of its write-ahead log
without a word. So every event carries a CRC-32 over all its columns, which tells an altered row, and its seq within the
run, which counts from 1 without a gap and so tells a lost one. A run carries a CRC-32 over what never changes in it;
its state is not covered, since it changes by updates that do not read the row, and can be told from the events.
"""

import json
import struct
from collections.abc import Iterator
from typing import Final, TypeAlias
from zlib import crc32

from aether.store.interface import EventRow, RunRow, SettingRow, StoreDamaged

StoredEvent: TypeAlias = tuple[int, int, int, int, int, bytes]
"""An event as it is stored: run_key, seq, at, kind, crc, body."""

StoredRun: TypeAlias = tuple[int, bytes, bytes, bytes, bytes, int, int | None, int, int | None, bytes, bytes, int]
"""A run as it is read: the columns of RunRow with texts as bytes, and the crc."""

Tags: TypeAlias = tuple[tuple[str, str], ...]

ROW_SIZES: Final = (256, 64, 16, 4, 1)
"""Rows per INSERT: few enough statements to prepare once, big enough to step seldom."""

RESTORE_ADVICE: Final = "run `aether db check` and restore the last good backup"

_COLUMNS = struct.Struct("<qqqq")
_RUN_COLUMNS = struct.Struct("<qqqIIII")
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


def is_sound(stored: StoredEvent) -> bool:
    """Tell whether the event is what was written. A damaged row can hold anything, None and texts included."""
    run_key, seq, at, kind, crc, body = stored
    try:
        return crc32(body, crc32(_COLUMNS.pack(run_key, seq, at, kind))) == crc
    except (TypeError, struct.error):
        return False


def unseal(stored: StoredEvent, where: str) -> EventRow:
    """Return the event, or raise StoreDamaged when a bit of it is not what was written."""
    run_key, seq, at, kind, _, body = stored
    if not is_sound(stored):
        raise altered(run_key, seq, where)
    return EventRow(run_key, seq, at, kind, body)


class LogCheck:
    """Finds altered and lost events in the logs of many runs, and passes over the rest of a log with a fault."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._run_key = -1
        self._seq = 0
        self._skipped_key: int | None = None

    def take(self, rows: Iterator[StoredEvent], into: list[EventRow]) -> StoreDamaged | None:
        """Put sound events into the list until there are no more, or until one is not: then that is said."""
        run_key, expected, skipped_key = self._run_key, self._seq, self._skipped_key
        pack = _COLUMNS.pack
        for row in rows:
            key, seq, at, kind, crc, body = row
            if key == skipped_key:
                continue
            expected = expected + 1 if key == run_key else 1
            run_key = key
            # As `is_sound` does, without a call for each of them.
            try:
                is_right = seq == expected and crc32(body, crc32(pack(key, seq, at, kind))) == crc
            except (TypeError, struct.error):
                is_right = False
            if not is_right:
                self._run_key, self._seq, self._skipped_key = key, seq, key
                return lost(key, expected, self._where) if seq != expected else altered(key, seq, self._where)
            into.append(EventRow(key, seq, at, kind, body))
        self._run_key, self._seq, self._skipped_key = run_key, expected, skipped_key
        return None


def run_checksum(run: RunRow) -> int:
    """Return the CRC-32 (unsigned) over what never changes in a run: key, parent, start, its four texts, its tags."""
    texts = (run.workflow_id.encode(), run.run_id.encode(), run.type.encode(), run.queue.encode())
    return _run_checksum(run.key, run.parent_key, run.created_at, texts, pack_tags(run.tags).encode())


def _run_checksum(
    key: int, parent_key: int | None, created_at: int, texts: tuple[bytes, bytes, bytes, bytes], tags: bytes
) -> int:
    parent = -1 if parent_key is None else parent_key
    lengths = len(texts[0]), len(texts[1]), len(texts[2]), len(texts[3])
    fixed = crc32(b"".join([_RUN_COLUMNS.pack(key, parent, created_at, *lengths), *texts]))
    # Last and without a length, so that a run without tags has the checksum that it had before there were any.
    return crc32(tags, fixed)


def pack_tags(tags: Tags) -> str:
    """Return the tags as they are stored: JSON, and nothing for none."""
    return json.dumps(tags, ensure_ascii=False, separators=(",", ":")) if tags else ""


def unpack_tags(stored: bytes) -> Tags:
    """Return stored tags. Raises ValueError or TypeError for anything that is not of the form of `pack_tags`."""
    if stored == b"":  # and not NULL, which nobody has written
        return ()
    return tuple((str(name), str(value)) for name, value in json.loads(stored))


def unseal_run(stored: StoredRun, where: str) -> RunRow:
    """Return the run, or raise StoreDamaged when it is not what was written."""
    key, workflow_id, run_id, type_, queue, state, parent_key, created_at, closed_at, tags, error, crc = stored
    try:
        found = _run_checksum(key, parent_key, created_at, (workflow_id, run_id, type_, queue), tags)
        if found == crc and isinstance(state, int) and isinstance(closed_at, int | None):
            texts = (workflow_id.decode(), run_id.decode(), type_.decode(), queue.decode())
            return RunRow(key, *texts, state, parent_key, created_at, closed_at, unpack_tags(tags), error.decode())
    except (AttributeError, TypeError, ValueError, RecursionError, struct.error):
        pass  # it holds something of another kind: damaged all the more
    raise StoreDamaged(f"run {key} is not what was written (checksum)", where=where, advice=RESTORE_ADVICE, run_key=key)


def show_run(stored: StoredRun) -> RunRow:
    """Return the run as it is, unchecked: a list that shows all runs must not end at a damaged one."""
    key, *texts, state, parent_key, created_at, closed_at, stored_tags, stored_error, _ = stored
    shown = [text.decode(errors="replace") if isinstance(text, bytes) else "" for text in texts]
    workflow_id, run_id, type_, queue = shown
    error = stored_error.decode(errors="replace") if isinstance(stored_error, bytes) else ""
    try:
        tags = unpack_tags(stored_tags)
    except (TypeError, ValueError, RecursionError):
        tags = ()
    return RunRow(key, workflow_id, run_id, type_, queue, state, parent_key, created_at, closed_at, tags, error)


def setting_checksum(name: str, value: bytes) -> int:
    """Return the CRC-32 (unsigned) over both."""
    return crc32(value, crc32(name.encode() + b"\0"))


def unseal_setting(stored: tuple[bytes, bytes, int], where: str) -> SettingRow:
    """Return the setting, or raise StoreDamaged when it is not what was written."""
    name, value, crc = stored
    text = name.decode(errors="replace") if isinstance(name, bytes) else ""
    if isinstance(value, bytes) and setting_checksum(text, value) == crc:
        return SettingRow(text, value)
    what = f"setting {text!r} is not what was written (checksum); it counts as not set"
    raise StoreDamaged(what, where=where, advice="set it again")


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
