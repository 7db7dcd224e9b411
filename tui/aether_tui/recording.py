"""Looks in a file, one a line, compressed; and a feed that plays them.

A recording is gzip of JSON lines. The first says what it is, each other one is a look. A file whose end is missing,
because the machine went down while it was written, is good up to there.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from aether import AetherError, Client, InvalidArgument
from aether.sdk.structure import structure, unstructure
from aether_tui.feed import LiveFeed, Wants
from aether_tui.known import Known, Look

_KIND: Final = {"aether_top": 1}
_SPACING_US: Final = 900_000
# What a crash may take; compressing fewer at a time makes the file larger.
_FLUSH_EACH: Final = 10
_LONGEST_S: Final = 5.0
# A line is longer than that only if it is none of ours.
_LINE_MAX: Final = 16_000_000


class Writer:
    """Appends looks; what it was given is in the file when it is closed, and most of it at any time before."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = gzip.open(path, "xt", encoding="utf-8", compresslevel=6)  # noqa: SIM115 - closed by its owner
        except OSError as error:
            raise InvalidArgument(f"{path} can not be written: {error.strerror or error}", field="--record") from None
        self._last_us = 0
        self._count = 0
        self._write(_KIND)

    def add(self, look: Look) -> None:
        """At most about one a second."""
        if look.at_us - self._last_us >= _SPACING_US:
            self._last_us = look.at_us
            self._write(unstructure(look, Look))
            self._count += 1
            if self._count % _FLUSH_EACH == 0:
                self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _write(self, document: object) -> None:
        self._file.write(json.dumps(document, separators=(",", ":"), default=str) + "\n")


@define
class Recorder:
    """A live feed whose looks are kept too."""

    live: LiveFeed
    writer: Writer

    @classmethod
    def beside(cls, live: LiveFeed, path: Path) -> "Recorder":
        return cls(live, Writer(path))

    @property
    def client(self) -> Client:
        return self.live.client

    def nudge(self) -> None:
        self.live.nudge()

    async def run(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        kept: Look | None = None

        def keep() -> None:
            nonlocal kept
            if known.look is not None and known.look is not kept:
                kept = known.look
                self.writer.add(kept)
            changed()

        try:
            await self.live.run(wants, known, keep)
        finally:
            self.writer.close()


class Recording:
    """The lines of a file. Only those that are shown are parsed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[bytes] = list(self._read())

    @classmethod
    def opened(cls, path: Path) -> "Recording":
        """Raises `InvalidArgument` for what is no recording."""
        try:
            recording = cls(path)
        except OSError as error:
            raise InvalidArgument(f"{path} can not be read: {error.strerror or error}", field="--replay") from None
        if not len(recording):
            raise InvalidArgument(f"{path} is no recording of aether top, or an empty one", field="--replay")
        return recording

    def __len__(self) -> int:
        return len(self._lines)

    def look(self, index: int) -> Look:
        """Raises `InvalidArgument` for a line that is no look."""
        try:
            found: Look = structure(json.loads(zlib.decompress(self._lines[index])), Look)
        except Exception as error:  # cattrs raises what it likes
            raise InvalidArgument(f"{self._path}: line {index + 2} is no look: {error}", field="--replay") from error
        return found

    def _read(self) -> Iterator[bytes]:
        """Each line compressed by itself: a day of them stays in memory."""
        with gzip.open(self._path, "rb") as file:
            try:
                head = file.readline(_LINE_MAX)
                if json.loads(head or b"null") != _KIND:
                    return
                while (line := file.readline(_LINE_MAX)).endswith(b"\n"):
                    yield zlib.compress(line, 1)
            except (EOFError, zlib.error, gzip.BadGzipFile, ValueError):
                # Cut off in the middle of a write, or something else than ours.
                return


@define
class ReplayFeed:
    """Plays a recording as it went; the clock is the recording's."""

    recording: Recording
    _at_us: int = 0
    _shown_at: float = 0.0
    _nudge: trio.Event = field(factory=trio.Event)

    def now_us(self) -> int:
        return self._at_us

    def nudge(self) -> None:
        self._nudge.set()

    async def run(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        for index in range(len(self.recording)):
            try:
                look = self.recording.look(index)
            except AetherError as error:
                known.note(self._at_us, "FAILED", "recording", str(error))
                continue
            pause_s = (look.at_us - self._at_us) / 1e6 if self._at_us else 0.0
            # As fast as it is looked: at twice the rate it plays twice as fast.
            await trio.sleep(max(min(pause_s, _LONGEST_S), 0.0) * wants().rate_s)
            self._at_us = look.at_us
            known.take_look(look)
            changed()
        known.note(self._at_us, "NEWS", "recording", "ends here")
        changed()
