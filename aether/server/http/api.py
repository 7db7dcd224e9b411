"""The JSON API under /api/v1: a table of routes, each of which is a method of the public contract.

A route asks the method that any client of gRPC would call, so both are checked, bounded and answered the same. The page
uses nothing else. `openapi.py` writes the table down as a document.
"""

import json
import math
from collections.abc import Callable, Mapping

import trio
from attrs import field, frozen
from google.protobuf.message import Message

from aether.model.limits import DEFAULT_LIMITS
from aether.server.http.local_call import LocalClient
from aether.server.http.messages import HttpError, Request, Response, as_json, json_response, json_text
from aether.server.http.transcode import fill
from aether.server.telemetry import Log
from aether.wire.documents import event_document
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as cpb
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.plain import plain

log = Log("aether.server")

PREFIX = "/api/v1"
_ADMIN = "/aether.v1.AdminService/"
_CLIENT = "/aether.v1.ClientService/"
PAGE_EVENTS = 200
PAGE_ROWS = 10_000
# The engine has its turn after so many parts of a long answer.
_TURN = 50

Parts = Mapping[str, str]


@frozen
class Route:
    """`pattern` has names in braces for parts of the path, which are fields of the request.

    With `many` the answer is a list under that name. `show` makes a document of a message.
    """

    verb: str
    pattern: str
    rpc: str
    request: type[Message]
    answer: type[Message]
    about: str
    many: str = ""
    limit: int = 0
    show: Callable[[Message], object] = field(default=plain)
    # What of the answer is shown: these names alone.
    only: tuple[str, ...] = ()

    @property
    def is_change(self) -> bool:
        return self.verb != "GET"

    @property
    def name(self) -> str:
        """What logs call it."""
        return self.pattern.strip("/") if self.pattern.endswith("}") else self.pattern.rpartition("/")[2]

    def match(self, segments: tuple[str, ...]) -> Parts | None:
        """Values of the names in the pattern, if the path below the prefix fits it."""
        wanted = self.pattern.strip("/").split("/")
        if len(wanted) != len(segments):
            return None
        parts: dict[str, str] = {}
        for want, got in zip(wanted, segments, strict=True):
            if want.startswith("{"):
                parts[want[1:-1]] = got
            elif want != got:
                return None
        return parts


def _shown_event(message: Message) -> object:
    assert isinstance(message, mpb.Event)
    return event_document(message)


# Zero and empty in a row of a list that does not tell what the run does, which reads as if it were so.
_NOT_LISTED = ("parent_workflow_id", "history_length", "worker_id", "forked_from")


def _shown_row(message: Message) -> object:
    row = plain(message)
    return row if "doing" in row else {name: value for name, value in row.items() if name not in _NOT_LISTED}


_RUN = "/workflows/{workflow_id}"
ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/workflows",
        f"{_ADMIN}ListWorkflows",
        apb.ListRequest,
        cpb.WorkflowInfo,
        "Runs, newest first: `next` is the `before_run_key` of the next page, or null. With `oldest_first` the oldest, "
        "and `next` is the `after_run_key`. With `doing`, open runs "
        "tell what they do, and with it their worker, their parent and the length of their history.",
        many="workflows",
        limit=DEFAULT_LIMITS.list_max,
        show=_shown_row,
    ),
    Route(
        "POST",
        "/workflows",
        f"{_CLIENT}StartWorkflow",
        cpb.StartWorkflowRequest,
        cpb.StartWorkflowResponse,
        "Start a run. `input` is the list of its arguments.",
    ),
    Route(
        "GET",
        _RUN,
        f"{_CLIENT}GetWorkflowStatus",
        cpb.GetStatusRequest,
        cpb.WorkflowStatus,
        "What a run is doing, and how it ended.",
    ),
    Route(
        "GET",
        f"{_RUN}/history",
        f"{_ADMIN}GetHistory",
        apb.GetHistoryRequest,
        mpb.Event,
        f"Events, oldest first, {PAGE_EVENTS} at a time. `next` is the `after_seq` of the next page, or null.",
        many="events",
        limit=PAGE_EVENTS,
        show=_shown_event,
    ),
    Route(
        "GET",
        f"{_RUN}/timeline",
        f"{_ADMIN}GetTimeline",
        apb.GetTimelineRequest,
        apb.TimelineRow,
        f"What a run did and when: a row for each thing that took time, at most {PAGE_ROWS:,}.",
        many="rows",
        limit=PAGE_ROWS,
    ),
    Route(
        "GET",
        f"{_RUN}/at/{{seq}}",
        f"{_ADMIN}GetStateAt",
        apb.GetStateAtRequest,
        apb.StateItem,
        "A run as it was after one of its events: first `run`, then what was over, pending, published and received.",
        many="items",
        limit=PAGE_ROWS,
    ),
    Route(
        "GET",
        f"{_RUN}/why",
        f"{_ADMIN}ExplainWorkflow",
        apb.ExplainRequest,
        apb.Explanation,
        "What an open run waits for, or how a closed one ended, in one sentence.",
    ),
    Route(
        "POST",
        f"{_RUN}/cancel",
        f"{_CLIENT}CancelWorkflow",
        cpb.CancelRequest,
        cpb.CancelResponse,
        "Ask a run to stop; with `force`, end it at once.",
    ),
    Route(
        "POST",
        f"{_RUN}/pause",
        f"{_CLIENT}PauseWorkflow",
        cpb.PauseRequest,
        cpb.PauseResponse,
        "Let a run begin nothing new until it is resumed.",
    ),
    Route(
        "POST",
        f"{_RUN}/resume",
        f"{_CLIENT}ResumeWorkflow",
        cpb.ResumeRequest,
        cpb.ResumeResponse,
        "Let a paused run go on.",
    ),
    Route(
        "POST",
        f"{_RUN}/signal",
        f"{_CLIENT}SignalWorkflow",
        cpb.SignalRequest,
        cpb.SignalResponse,
        "Send a run a message.",
    ),
    Route(
        "POST",
        f"{_RUN}/fork",
        f"{_ADMIN}ForkWorkflow",
        apb.ForkRequest,
        apb.ForkResponse,
        "Begin a new run with the events of this one up to `at_seq`, or, with `retry`, up to what made it fail.",
    ),
    Route(
        "GET",
        f"{_RUN}/values/{{key}}",
        f"{_CLIENT}ReadValue",
        cpb.ReadValueRequest,
        cpb.ReadValueResponse,
        "What a run has published under a key.",
    ),
    Route(
        "POST",
        "/promises/complete",
        f"{_CLIENT}CompletePromise",
        cpb.CompletePromiseRequest,
        cpb.CompletePromiseResponse,
        "Say how something went that a run waits for.",
    ),
    Route(
        "GET",
        "/metrics",
        f"{_ADMIN}GetMetrics",
        apb.GetMetricsRequest,
        apb.Metrics,
        "The server in numbers; with `samples=true` also those of the last hour.",
    ),
    Route(
        "GET",
        "/workers",
        f"{_ADMIN}GetMetrics",
        apb.GetMetricsRequest,
        apb.Metrics,
        "Workers that are connected.",
        only=("at", "workers"),
    ),
    Route(
        "GET",
        "/queues",
        f"{_ADMIN}ListQueues",
        apb.ListQueuesRequest,
        apb.ListQueuesResponse,
        "Task queues: what waits, what goes on, and what somebody has paused or limited.",
    ),
    Route(
        "POST",
        "/queues/{task_queue}",
        f"{_ADMIN}UpdateQueue",
        apb.UpdateQueueRequest,
        apb.QueueInfo,
        "Pause or resume a task queue (`paused`, `reason`), or limit its activities (`activity_limit`; 0: no limit).",
    ),
)

# What can be done with a run.
ACTIONS = [route.pattern.rpartition("/")[2] for route in ROUTES if route.is_change and route.pattern.startswith(_RUN)]


class Api:
    """Answers what is below the prefix. `client` reaches the methods."""

    def __init__(self, client: LocalClient) -> None:
        self._client = client

    def find(self, request: Request, segments: tuple[str, ...]) -> tuple[Route, Parts]:
        """`segments` are the parts of the path below the prefix, decoded. Raises HttpError if none fits."""
        verb = "GET" if request.method == "HEAD" else request.method
        fitting = [(route, parts) for route in ROUTES if (parts := route.match(segments)) is not None]
        for route, parts in fitting:
            if route.verb == verb:
                return route, parts
        if fitting:
            verbs = ", ".join(route.verb for route, _ in fitting)
            raise HttpError(405, f"only {verbs}", headers=(("allow", verbs),))
        raise HttpError(404, f"there is no such path; {PREFIX}/openapi.json lists all")

    async def ask(self, route: Route, parts: Parts, request: Request) -> Response:
        message = route.request()
        if route.is_change:
            fill(message, json_of(request.body))
        if "follow" in request.query:
            raise HttpError(400, "an answer has an end; ask again when /stream says that something has changed")
        fill(message, request.query, "parameter")
        fill(message, parts)
        if route.is_change:
            log.info("web_action", action=route.name, **parts)
        wanted = _wanted(route, message)
        # One more than is wanted tells whether there are more.
        raw = await self._client.ask(route.rpc, message.SerializeToString(), wanted + 1 if route.many else 1)
        if route.many:
            return await _listed(route, raw, wanted)
        document = route.show(route.answer.FromString(raw[0]))
        if route.only:
            assert isinstance(document, dict)
            document = {name: document[name] for name in route.only}
        return as_json(document)


async def _listed(route: Route, raw: list[bytes], wanted: int) -> Response:
    """A list may be long, so it is made piece by piece."""
    pieces: list[str] = []
    following, last = None, None
    for number, each in enumerate(raw[:wanted], 1):
        last = route.answer.FromString(each)
        pieces.append(json_text(route.show(last)))
        if number % _TURN == 0:
            await trio.lowlevel.checkpoint()
    if len(raw) > wanted:
        following = _key_of(last)
    return json_response(f'{{"{route.many}":[{",".join(pieces)}],"next":{json_text(following)}}}')


def _wanted(route: Route, message: Message) -> int:
    if isinstance(message, apb.ListRequest):
        wanted = min(message.limit or DEFAULT_LIMITS.list_default, route.limit - 1)
        if message.limit <= route.limit:
            message.limit = wanted + 1
        return wanted
    return route.limit


def _key_of(last: Message | None) -> int | None:
    """What the next page begins behind."""
    if isinstance(last, cpb.WorkflowInfo):
        return last.run_key
    return last.seq if isinstance(last, mpb.Event) else None


def json_of(body: bytes) -> object:
    """What a body holds; an empty one is an empty object. Raises HttpError."""
    if not body:
        return {}
    try:
        return json.loads(body, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise HttpError(400, "the body is not JSON", code="INVALID_ARGUMENT") from None


def _refuse(text: str) -> object:
    raise HttpError(400, f"the body is not JSON: {text[:100]} is no number of JSON", code="INVALID_ARGUMENT")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise HttpError(400, f"{text[:100]} in the body is too large for a number", code="INVALID_ARGUMENT")
    return number
