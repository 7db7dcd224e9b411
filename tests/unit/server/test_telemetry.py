import json
import logging
from collections.abc import Iterator

import pytest

from aether.server.telemetry import Log, configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger = logging.getLogger("aether")
    before = (list(logger.handlers), logger.propagate, logger.level)
    yield
    logger.handlers, logger.propagate, logger.level = before


def fail() -> BaseException:
    try:
        raise ValueError("broken")
    except ValueError as error:
        return error


def test_for_machines_each_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    log = Log("aether.server")
    log.info("serving", grpc="127.0.0.1:1", open_runs=3)
    log.error("answer_failed", exc_info=fail(), path="/x\n{}")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["event"], first["grpc"], first["open_runs"]) == ("info", "serving", "127.0.0.1:1", 3)
    assert second["path"] == "/x\n{}"
    assert second["exception"].endswith("ValueError: broken")


def test_for_people_an_event_is_a_line_that_no_text_of_a_users_can_forge(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "info")
    log = Log("aether.server")
    log.warning("run_damaged", workflow_id="a\nforged \x1b[2J", empty="", reason="two words")
    log.error("failed", exc_info=fail())
    line, failed, *traceback = capsys.readouterr().err.splitlines()
    assert line.endswith('warning run_damaged workflow_id="a\\nforged \\u001b[2J" empty="" reason="two words"')
    assert "error   failed" in failed
    assert traceback[-1] == "ValueError: broken"


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "error")
    Log("aether.server").warning("nothing")
    assert capsys.readouterr().err == ""
