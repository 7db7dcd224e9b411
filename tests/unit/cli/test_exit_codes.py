"""Exit codes are a contract with scripts."""

import inspect

import pytest

from aether import errors
from aether.cli.exit_codes import MEANINGS, ExitCode, NameNotFound, exit_code_of, exit_code_of_run
from aether.model.payload import Failure
from aether.model.runs import RunState


def test_every_code_has_a_meaning():
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError(["x"]), 2),
        (errors.InvalidArgument("x"), 2),
        (errors.WorkflowNotFound("x"), 3),
        (NameNotFound("x"), 3),
        (errors.ServerUnavailable("x"), 5),
        (errors.StorageUnavailable("x"), 5),
        (errors.WorkflowAlreadyExists("x"), 6),
        (errors.WorkflowClosed("x"), 6),
        (errors.DeadlineExceeded("x"), 7),
        (errors.ServerFault("x"), 1),
        (errors.LimitExceeded("x"), 4),
        (errors.WorkflowFailed("x"), 10),
        (errors.WorkflowCancelled("x"), 11),
        (errors.WorkflowFailed("x", Failure("WorkflowTimeout", "late")), 13),
    ],
)
def test_an_error_ends_the_command_with_its_code(error, code):
    assert exit_code_of(error) == code


def test_what_may_be_asked_again_never_looks_like_a_wrong_question():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.AetherError)]
    for kind in kinds:
        if kind.is_retryable:
            assert exit_code_of(kind("x")) in {ExitCode.UNREACHABLE, ExitCode.TIMED_OUT}


@pytest.mark.parametrize(
    ("state", "failure", "code"),
    [
        (RunState.RUNNING, "", 0),
        (RunState.COMPLETED, "", 0),
        (RunState.FAILED, "ValueError", 10),
        (RunState.FAILED, "WorkflowTimeout", 13),
        (RunState.CANCELLED, "", 11),
    ],
)
def test_how_a_run_ended_may_be_asked_for_as_a_code(state, failure, code):
    assert exit_code_of_run(state, failure) == code
