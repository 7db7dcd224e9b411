"""Commands that speak to runs: start one, send it a signal, wait for its result."""

import json
import math
import sys
from pathlib import Path

import typer

from aether.cli.call import TIMEOUT_S, Caller
from aether.cli.clock import monotonic, pause
from aether.cli.exit_codes import NameNotFound
from aether.cli.options import show, show_fields
from aether.cli.output import Format, render_data, render_json
from aether.cli.records import failure_tree
from aether.errors import (
    DeadlineExceeded,
    InvalidArgument,
    ServerUnavailable,
    StorageUnavailable,
    WorkflowCancelled,
    WorkflowFailed,
)
from aether.model.payload import Failure
from aether.sdk.entropy import new_id
from aether.wire.generated.aether.v1 import client_pb2, model_pb2
from aether.wire.plain import plain, plain_payload

_SERVICE = "/aether.v1.ClientService"
_PAUSE_S = 0.5
# One request; a server that is gone is noticed by then.
_WAIT_S = 600.0
# A socket takes no time at all for something else.
_LEAST_S = 0.01
_TOO_DEEP = "a value is nested too deeply"


def value_of(text: str) -> object:
    """JSON if it is any, and a text otherwise: `5` is a number, `"5"` and `five` are texts."""
    try:
        return _parsed(text)
    except ValueError:
        return text
    except RecursionError:
        raise InvalidArgument(_TOO_DEEP) from None


def _parsed(text: str) -> object:
    """Raises ValueError for what is no JSON, as NaN and Infinity, and RecursionError for what is too deep."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise ValueError(f"it holds {word}")


def payload(value: object) -> model_pb2.Payload:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return model_pb2.Payload(data=text.encode())
    except UnicodeEncodeError:
        raise InvalidArgument("a text in it holds half of a surrogate pair, or bytes that are not UTF-8") from None
    except ValueError:
        raise InvalidArgument("a number in it is too large") from None
    except RecursionError:
        raise InvalidArgument(_TOO_DEEP) from None


def start_run(
    server: str,
    output: Format,
    workflow_type: str,
    arguments: list[str],
    *,
    workflow_id: str,
    task_queue: str,
    tags: list[str],
    source: str,
    wait: bool,
) -> None:
    if source and arguments:
        raise typer.BadParameter("either arguments or --input, not both", param_hint="--input")
    request = client_pb2.StartWorkflowRequest(
        workflow_type=workflow_type,
        # Made here, so that a start whose answer was lost can be repeated.
        workflow_id=workflow_id or f"{workflow_type[:150]}-{new_id()}",
        input=payload(_read(source) if source else [value_of(each) for each in arguments]),
        task_queue=task_queue,
        tags=dict(_tag(each) for each in tags),
    )
    caller = Caller(server)
    answer = client_pb2.StartWorkflowResponse.FromString(caller.unary(f"{_SERVICE}/StartWorkflow", request))
    if wait:
        show_result(server, output, answer.workflow_id, answer.run_id, timeout_s=0)
    else:
        there = [("found", "it was open already")] if answer.existing else []
        fields = [("workflow", answer.workflow_id), ("run", answer.run_id), *there]
        show_fields(output, "start", fields, plain(answer), [answer.workflow_id])


def _read(source: str) -> list[object]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text()
        found = _parsed(text)
    except OSError as error:
        raise typer.BadParameter(f"{source}: {error.strerror}", param_hint="--input") from None
    except ValueError as error:
        raise typer.BadParameter(f"{source} is not JSON: {error}", param_hint="--input") from None
    except RecursionError:
        raise typer.BadParameter(f"{source}: {_TOO_DEEP}", param_hint="--input") from None
    if not isinstance(found, list):
        raise typer.BadParameter(f"{source} must be the JSON array of the arguments", param_hint="--input")
    return found


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"must be NAME=VALUE, not {text!r}", param_hint="--tag")
    return name, value


def send_signal(server: str, output: Format, workflow_id: str, run_id: str, name: str, value: str) -> None:
    request = client_pb2.SignalRequest(
        workflow_id=workflow_id, run_id=run_id, name=name, value=payload(value_of(value)), signal_id=new_id()
    )
    answer = client_pb2.SignalResponse.FromString(Caller(server).unary(f"{_SERVICE}/SignalWorkflow", request))
    fields = [("workflow", workflow_id), ("run", answer.run_id), ("signal", name)]
    show_fields(output, "signal", fields, {"workflow_id": workflow_id, **plain(answer)}, [workflow_id])


def read_value(server: str, output: Format, workflow_id: str, run_id: str, key: str) -> None:
    request = client_pb2.ReadValueRequest(workflow_id=workflow_id, run_id=run_id, key=key)
    answer = client_pb2.ReadValueResponse.FromString(Caller(server).unary(f"{_SERVICE}/ReadValue", request))
    if not answer.found:
        raise NameNotFound(f"workflow {workflow_id!r} has published nothing under {key!r}")
    value = plain_payload(answer.value)
    show(render_data(output, value, [workflow_id]) if output.is_data else render_json(value))


def complete_promise(server: str, output: Format, token: str, value: str, failure: str) -> None:
    """With a value, or with a failure of that message."""
    request = client_pb2.CompletePromiseRequest(token=token)
    if failure:
        request.failure.CopyFrom(model_pb2.Failure(type="PromiseFailed", message=failure))
    else:
        request.result.CopyFrom(payload(value_of(value)))
    answer = client_pb2.CompletePromiseResponse.FromString(Caller(server).unary(f"{_SERVICE}/CompletePromise", request))
    said = "somebody has done so before; this changed nothing" if answer.duplicate else "completed"
    show_fields(output, "promise", [("token", token), ("done", said)], {"token": token, **plain(answer)}, [token])


def show_result(server: str, output: Format, workflow_id: str, run_id: str, *, timeout_s: float) -> None:
    """Waits, over restarts of the server too; raises what became of a run that did not complete."""
    result = _await(server, client_pb2.AwaitResultRequest(workflow_id=workflow_id, run_id=run_id), timeout_s)
    what = f"workflow {workflow_id!r}"
    if result.state == model_pb2.RUN_STATE_FAILED:
        failure = Failure(result.failure.type, result.failure.message)
        raise WorkflowFailed(f"{what} failed: {failure_tree(result.failure)}", failure)
    if result.state == model_pb2.RUN_STATE_CANCELLED:
        reason = f": {result.failure.message}" if result.failure.message else ""
        raise WorkflowCancelled(f"{what} was cancelled{reason}")
    value = plain_payload(result.result)
    show(render_data(output, value, [workflow_id]) if output.is_data else render_json(value))


def _await(server: str, request: client_pb2.AwaitResultRequest, timeout_s: float) -> client_pb2.WorkflowResult:
    until = monotonic() + timeout_s if timeout_s else math.inf
    # A server that is not there now is not waited for; and it is this run that is, whatever comes under its id later.
    asked = client_pb2.GetStatusRequest(workflow_id=request.workflow_id, run_id=request.run_id)
    first = Caller(server, min(timeout_s or TIMEOUT_S, TIMEOUT_S))
    status = client_pb2.WorkflowStatus.FromString(first.unary(f"{_SERVICE}/GetWorkflowStatus", asked))
    request.run_id = status.info.run_id
    while True:
        caller = Caller(server, max(min(until - monotonic(), _WAIT_S), _LEAST_S))
        try:
            return client_pb2.WorkflowResult.FromString(caller.unary(f"{_SERVICE}/AwaitResult", request))
        except (DeadlineExceeded, ServerUnavailable, StorageUnavailable):
            if monotonic() + _PAUSE_S >= until:
                what = f"workflow {request.workflow_id!r} is not closed after {timeout_s:g} s; nothing happened to it"
                raise DeadlineExceeded(what) from None
        pause(_PAUSE_S)
