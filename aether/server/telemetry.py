"""Logs: events with fields, to stderr; for people on a terminal, as JSON lines for machines.

`Log` is the standard library's logging with fields. A program that embeds the engine finds the loggers `aether.server`
and `aether.transport` in its own logging, with the fields in the record's attribute `fields`.
"""

import json
import logging
import sys
from collections import Counter
from datetime import UTC, datetime

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


# Lines since the process started, for the metrics.
logged: Counter[str] = Counter()


class Log:
    """One event per thing that matters; ids are fields, payloads are not."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
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


def configure_logging(log_format: str, level: str) -> None:
    """`log_format` is "console", "json", or "auto" for what suits stderr; `level` a key of LEVELS."""
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _ConsoleFormatter())
    logger = logging.getLogger("aether")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(LEVELS[level])


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        words = [f"{key}={_shown(value)}" for key, value in _fields(record).items()]
        line = " ".join([_time(record), f"{record.levelname.lower():7}", record.getMessage(), *words])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({**line, **_fields(record)}, default=str)


def _shown(value: object) -> str:
    """Quoted where it would not stand as one word, so that no text of a user's can forge a line."""
    text = str(value)
    return text if text.isprintable() and " " not in text and text else json.dumps(text)
