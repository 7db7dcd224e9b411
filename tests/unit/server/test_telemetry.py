import contextlib
import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aether.server.telemetry import LineHandler, Log, Throttle, configure_logging, flush_logs, left_out, logged


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger = logging.getLogger("aether")
    before = (list(logger.handlers), logger.propagate, logger.level)
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate, logger.level = before


def fail(words: str = "broken") -> BaseException:
    try:
        raise ValueError(words)
    except ValueError as error:
        return error


def written(capsys: pytest.CaptureFixture[str]) -> list[str]:
    flush_logs()
    return capsys.readouterr().err.splitlines()


def test_for_machines_each_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    log = Log("aether.server")
    log.info("serving", grpc="127.0.0.1:1", open_runs=3)
    log.error("answer_failed", exc_info=fail(), path="/x\n{}")
    first, second = map(json.loads, written(capsys))
    assert (first["level"], first["event"], first["grpc"], first["open_runs"]) == ("info", "serving", "127.0.0.1:1", 3)
    assert second["path"] == "/x\n{}"
    assert second["exception"].endswith("ValueError: broken")


def test_for_people_an_event_is_a_line_that_no_text_of_a_users_can_forge(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "info")
    log = Log("aether.server")
    log.warning("run_damaged", workflow_id="a\nforged \x1b[2J", empty="", reason="two words", name="é", quoted='a"b')
    log.error("failed", exc_info=fail())
    line, failed, *traceback = written(capsys)
    assert line.endswith(
        'warning run_damaged workflow_id="a\\nforged \\u001b[2J" empty="" reason="two words" name=é quoted="a\\"b"'
    )
    assert "error   failed" in failed
    assert traceback[-1] == "ValueError: broken"


HOSTILE = "\x1b]0;x\x07 \x7f \x9b31m \u202e end"


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_no_text_of_a_users_moves_a_terminal(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure_logging(log_format, "info")
    Log("aether.server").error("failed", exc_info=fail(HOSTILE), workflow_id=HOSTILE)
    logging.getLogger("aether.worker").warning("run %s is blocked", HOSTILE)
    lines = written(capsys)
    assert all(line.isprintable() for line in lines)
    assert sum(line.count("end") for line in lines) >= 3


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "error")
    before = logged["debug"]
    Log("aether.server").warning("nothing")
    Log("aether.server").debug("nothing")
    assert written(capsys) == []
    assert logged["debug"] == before
    configure_logging("console", "debug")
    Log("aether.server").debug("something")
    assert len(written(capsys)) == 1
    assert logged["debug"] == before + 1


def test_sentences_of_the_sdk_are_events_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    told = {"event": "session_lost", "fields": {"worker_id": "w-1"}}
    for log_format in ("json", "console"):
        configure_logging(log_format, "info")
        logging.getLogger("aether.worker").warning("worker %s: gone", "w-1", extra=told)
    machine, person = written(capsys)
    line = json.loads(machine)
    assert (line["event"], line["message"], line["worker_id"]) == ("session_lost", "worker w-1: gone", "w-1")
    assert person.endswith("warning worker w-1: gone")


def test_a_value_that_can_not_be_shown_costs_a_line_and_not_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError

    configure_logging("console", "info")
    Log("aether.server").info("serving", rude=Rude())
    (line,) = written(capsys)
    assert line == "info serving (its fields can not be shown)"


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("aether", logging.INFO, "", 0, text, None, None)


def test_lines_that_nobody_reads_are_left_out_and_nobody_waits() -> None:
    reading, writing = os.pipe()
    before = left_out["not read"]
    with os.fdopen(writing, "w") as stream:
        handler = LineHandler(stream, waiting_max=5)
        for _ in range(50):
            handler.emit(record("x" * 10_000))
        assert left_out["not read"] - before > 30
        os.set_blocking(reading, False)
        handler.flush()
        got = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                got += len(os.read(reading, 1 << 20))
                handler.flush()
        handler.close()
        assert got > 50_000
    os.close(reading)


def test_a_stream_that_is_closed_or_full_costs_its_lines_only() -> None:
    for path, mode in ((os.devnull, "r"), ("/dev/full", "w")):
        before = left_out["not written"]
        with Path(path).open(mode) as stream:
            assert isinstance(stream, io.TextIOWrapper)
            handler = LineHandler(stream)
            handler.emit(record("lost"))
            handler.flush()
            handler.close()
            assert left_out["not written"] == before + 1
    closed = io.StringIO()
    closed.close()
    handler = LineHandler(closed)
    handler.emit(record("lost"))
    handler.flush()
    handler.close()


def test_a_program_without_stderr_logs_nothing_and_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    configure_logging("auto", "info")
    Log("aether.server").info("serving")


def test_of_one_event_only_so_many_are_told_in_a_while_and_the_next_says_how_many_were_not() -> None:
    throttle = Throttle(2, 1_000)
    assert [throttle.admit(10_000 + at) for at in (0, 1, 2, 999)] == [{}, {}, None, None]
    assert throttle.admit(11_000) == {"left_out": 2}
    assert throttle.admit(11_001) == {}
    # The clock of another run.
    assert throttle.admit(5) == {}
