"""Logs: events with fields, to stderr; for people on a terminal, as JSON lines for machines.

`Log` is the standard library's logging with fields. A program that embeds the engine finds the loggers `aether.server`
and `aether.transport` in its own logging, with the fields in the record's attribute `fields`. What the SDK logs, for
workers and programs, are sentences, with the attributes `event` and `fields` beside them.

Nobody waits for stderr. Lines go into a bounded queue, and a thread writes them: when whoever reads stderr stands
still, lines are left out and counted, and when stderr is closed or its disk is full, they are lost. The server goes on.
"""

import contextlib
import json
import logging
import os
import queue
import select
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

from aether.model.visible import HOSTILE, clean, clean_lines

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# Lines that wait for whoever reads stderr.
_WAITING_MAX: Final = 10_000
# At the end of the process.
_FLUSH_S: Final = 1.0

# Why a line is left out: nobody reads stderr, it takes nothing, or the same was told often enough.
NOT_READ, NOT_WRITTEN, TOO_MANY = REASONS = ("not read", "not written", "too many")

# Lines since the process started, and those of them that were left out, for the metrics.
logged: Counter[str] = Counter()
left_out: Counter[str] = Counter()


class Log:
    """One event per thing that matters; ids are fields, payloads are not."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            logged["debug"] += 1
            self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        logged["info"] += 1
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        logged["warning"] += 1
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
        logged["error"] += 1
        self._logger.error(event, exc_info=exc_info, extra={"fields": fields})


class Throttle:
    """So many of one event in a span of time; the next one that is let through says how many were left out."""

    def __init__(self, lines_max: int = 20, span_us: int = 10_000_000) -> None:
        self._lines_max = lines_max
        self._span_us = span_us
        self._begun_at = 0
        self._lines = 0
        self._left_out = 0

    def admit(self, now: int) -> dict[str, int] | None:
        """What to tell with the line, or None if it is left out. `now` is in microseconds."""
        if not 0 <= now - self._begun_at < self._span_us:
            self._begun_at, self._lines = now, 0
        if self._lines >= self._lines_max:
            self._left_out += 1
            left_out[TOO_MANY] += 1
            return None
        self._lines += 1
        count, self._left_out = self._left_out, 0
        return {"left_out": count} if count else {}


def configure_logging(log_format: str, level: str) -> None:
    """`log_format` is "console", "json", or "auto" for what suits stderr; `level` a key of LEVELS."""
    if log_format == "auto":
        log_format = "console" if _is_terminal(sys.stderr) else "json"
    # Without a stderr from the start, its number may be that of any file by now.
    handler: logging.Handler = LineHandler(sys.stderr) if sys.stderr is not None else logging.NullHandler()
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _ConsoleFormatter())
    logger = logging.getLogger("aether")
    for old in logger.handlers:
        old.flush()
        old.close()
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(LEVELS[level])


def flush_logs() -> None:
    """Before the process says its last words: lines that wait come first, if they are taken within a second."""
    for handler in logging.getLogger("aether").handlers:
        handler.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


class LineHandler(logging.Handler):
    """Has a thread of its own write lines to a stream."""

    def __init__(self, stream: TextIO, waiting_max: int = _WAITING_MAX) -> None:
        super().__init__()
        self._write = _writer_of(stream)
        self._waiting: queue.Queue[str | None] = queue.Queue(waiting_max)
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - whatever a value's __str__ raises
            line = f"{record.levelname.lower()} {clean(str(record.msg))} (its fields can not be shown)"
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="aether-log", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            left_out[NOT_READ] += 1

    def _work(self) -> None:
        while True:
            line = self._waiting.get()
            if line is None:
                return
            try:
                self._write(f"{line}\n")
            except (OSError, ValueError):
                left_out[NOT_WRITTEN] += 1
            finally:
                self._waiting.task_done()

    def flush(self) -> None:
        """Until what waits is written, or a second has passed."""
        done = self._waiting.all_tasks_done
        with done:
            done.wait_for(lambda: not self._waiting.unfinished_tasks, _FLUSH_S)

    def close(self) -> None:
        if self._thread is not None:
            # If there is no room the thread is stuck, and ends with the process.
            with contextlib.suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread = None
        super().close()


def _writer_of(stream: TextIO) -> Callable[[str], object]:
    """Straight to the file, past the stream's buffer: what could not be written is not tried again at exit."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return stream.write

    def write(text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        while data:
            try:
                data = data[os.write(number, data) :]
            except BlockingIOError:
                # Somebody who shares the file has set it so.
                select.select([], [number], [])

    return write


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # A message that is a sentence has them in it.
        is_sentence = hasattr(record, "event")
        words = [] if is_sentence else [f"{key}={_shown(value)}" for key, value in _fields(record).items()]
        line = " ".join([_time(record), f"{record.levelname.lower():7}", clean(record.getMessage()), *words])
        return f"{line}\n{clean_lines(self.formatException(record.exc_info))}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        event = getattr(record, "event", None)
        if event is not None:
            line |= {"event": event, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # What JSON leaves as it is, and a terminal would obey: DEL.
        return json.dumps({**line, **_fields(record)}, default=str).replace("\x7f", "\\u007f")


def _shown(value: object) -> str:
    """Quoted where it would not stand as one word, so that no text of a user's can forge a line."""
    text = str(value)
    if text and " " not in text and '"' not in text and text.isprintable():
        return text
    return json.dumps(text, ensure_ascii=bool(HOSTILE.search(text))).replace("\x7f", "\\u007f")
