"""Looks in a file, one a line, compressed; and a feed that plays them.

A recording is gzip of JSON lines. The first says what it is, each other one is a look. A file whose end is missing,
because the machine went down while it was written, is good up to there.
"""

import gzip
import json
import math
import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import trio
from attrs import define, evolve, field

from aether import AetherError, Client, InvalidArgument
from aether.sdk.structure import structure, unstructure
from aether_tui.feed import LiveFeed, Wants
from aether_tui.following import CHANGES, LogWants
from aether_tui.known import Known, Look

_KIND: Final = {"aether_top": 1}
_SPACING_US: Final = 900_000
# What a crash may take; compressing fewer at a time makes the file larger.
# Of the log, with one look.
_LINES_MAX: Final = 50
_FLUSH_EACH: Final = 10
_DAY_US: Final = 86_400_000_000
_LONGEST_S: Final = 5.0
# A line is longer than that only if it is none of ours.
_LINE_MAX: Final = 16_000_000
_BEGIN: Final = re.compile(rb'\{"at_us":(\d{1,18}),')
# Looks before the one that was sought: they make the rates of the last minutes.
_BEFORE: Final = 300


class Writer:
    """Appends looks; what it was given is in the file when it is closed, and most of it at any time before."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = gzip.open(path, "xt", encoding="utf-8", compresslevel=6)  # noqa: SIM115 - closed by its owner
        except OSError as error:
            raise InvalidArgument(f"{path} can not be written: {error.strerror or error}", field="--record") from None
        self._path = path
        self._last_us = 0
        self._count = 0
        self._write(_KIND)

    def add(self, look: Look) -> bool:
        """At most about one a second; whether it was taken."""
        if look.at_us - self._last_us < _SPACING_US:
            return False
        self._last_us = look.at_us
        self._write(unstructure(look, Look))
        self._count += 1
        if self._count % _FLUSH_EACH == 0:
            with self._told():
                self._file.flush()
        return True

    def close(self) -> None:
        with self._told():
            self._file.close()

    def _write(self, document: object) -> None:
        with self._told():
            self._file.write(json.dumps(document, separators=(",", ":"), default=str) + "\n")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A disk that is full is the world's fault, and no defect of ours."""
        try:
            yield
        except OSError as error:
            raise AetherError(f"{self._path} can not be written: {error.strerror or error}") from None


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
        told = 0

        def keep() -> None:
            nonlocal kept, told
            if known.look is not None and known.look is not kept:
                kept = known.look
                lines = [line for line in known.log if line.number > told][-_LINES_MAX:]
                if self.writer.add(evolve(kept, log=tuple(lines))):
                    told = known.log[-1].number if known.log else 0
            changed()

        def wanted() -> Wants:
            """The log too, so that it can be read later what went on while nobody looked at it."""
            of = wants()
            return of if of.log is not None else evolve(of, log=LogWants(of.filter, CHANGES))

        try:
            await self.live.run(wanted, known, keep)
        finally:
            self.writer.close()


class Recording:
    """The lines of a file. Only those that are shown are parsed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # When each look was, and its line.
        self.times: list[int] = []
        self._lines: list[bytes] = []
        self._read()

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

    def _read(self) -> None:
        """Each line compressed by itself: a day of them stays in memory."""
        # Cut off in the middle of a write, or something else than ours: good up to there.
        with gzip.open(self._path, "rb") as file, suppress(EOFError, zlib.error, gzip.BadGzipFile, ValueError):
            if json.loads(file.readline(_LINE_MAX) or b"null") != _KIND:
                return
            while (line := file.readline(_LINE_MAX)).endswith(b"\n"):
                begin = _BEGIN.match(line)
                if begin is not None:
                    self.times.append(int(begin[1]))
                    self._lines.append(zlib.compress(line, 1))


@define
class ReplayFeed:
    """Plays a recording as it went; the clock is the recording's.

    `_next` is the look to show next. A seek throws away what is known and looks at the last minutes before it again.
    """

    recording: Recording
    _next: int = 0
    _has_sought: bool = False
    _nudge: trio.Event = field(factory=trio.Event)

    def now_us(self) -> int:
        return self.recording.times[max(self._next - 1, 0)]

    def nudge(self) -> None:
        self._nudge.set()

    def seek(self, looks: int = 0, span_us: int = 0, day_s: int = -1) -> None:
        """Show another look: so many later, or the one at that distance in time; back with negative numbers.

        Or the first one that is not before that second of the day on which the recording began, or of the next day.
        """
        times, shown = self.recording.times, self._next - 1
        wanted = shown + looks
        if day_s >= 0:
            at = times[0] - times[0] % _DAY_US + day_s * 1_000_000
            wanted = bisect_left(times, at if at >= times[0] - times[0] % 1_000_000 else at + _DAY_US)
        if span_us:
            wanted = bisect_left(times, times[max(shown, 0)] + span_us)
        self._next = max(0, min(wanted, len(times) - 1))
        self._has_sought = True
        self.nudge()

    async def run(self, wants: Callable[[], Wants], known: Known, changed: Callable[[], None]) -> None:
        while True:
            if self._has_sought:
                self._has_sought = False
                known.forget()
                for index in range(max(self._next - _BEFORE, 0), self._next):
                    self._show(index, known)
            elif wants().is_paused or self._next == len(self.recording) or not await self._is_due(wants):
                # At the end too: somebody may go back.
                await self._wait(math.inf if wants().is_paused or self._next == len(self.recording) else 0)
                continue
            self._show(self._next, known)
            self._next += 1
            if self._next == len(self.recording):
                known.note(self.now_us(), "NEWS", "recording", "ends here")
            changed()

    def _show(self, index: int, known: Known) -> None:
        try:
            known.take_look(self.recording.look(index))
        except InvalidArgument as error:
            known.note(self.recording.times[index], "FAILED", "recording", str(error))

    async def _is_due(self, wants: Callable[[], Wants]) -> bool:
        """Waits for as long as there was between two looks; False if something else happened meanwhile."""
        if self._next == 0:
            return True
        pause_s = (self.recording.times[self._next] - self.now_us()) / 1e6
        # As fast as it is looked: at twice the rate it plays twice as fast.
        return not await self._wait(max(min(pause_s, _LONGEST_S), 0.0) * wants().rate_s)

    async def _wait(self, longest_s: float) -> bool:
        """True if it was nudged."""
        self._nudge = trio.Event()
        with trio.move_on_after(longest_s):
            await self._nudge.wait()
            return True
        return False
