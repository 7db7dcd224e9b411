"""One thing done to many runs: those that a filter means, or those that somebody has marked.

A request does a hundred at a time and says where to go on, so the one who asks sees it proceed and may stop it, and
nothing of it is kept here. A dry run counts. Runs that are in no fitting state are left out: a cancel means open ones.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import trio
from attrs import define, field, frozen
from google.protobuf.message import Message

from aether.server.http.local_call import LocalClient
from aether.server.http.messages import HttpError
from aether.server.http.transcode import fill
from aether.server.telemetry import Log
from aether.wire.generated.aether.v1 import admin_pb2 as apb
from aether.wire.generated.aether.v1 import client_pb2 as cpb

log = Log("aether.server")

CHUNK: Final = 100
# More than that is counted as so many and more.
COUNT_MAX: Final = 10_000
RUNS_MAX: Final = 500
_PAGE: Final = 1_000
# Alternatives in one term of a filter.
_RUNS_AT_ONCE: Final = 32
# They share commits, and leave the engine to others in between.
_AT_ONCE: Final = 16
_ADMIN: Final = "/aether.v1.AdminService/"
_CLIENT: Final = "/aether.v1.ClientService/"
_RUN_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,200}")


@frozen
class Action:
    rpc: str
    request: type[Message]
    # What it is done to.
    states: str
    fixed: Mapping[str, object] = field(factory=dict)


BATCH_ACTIONS: Final = {
    "cancel": Action(f"{_CLIENT}CancelWorkflow", cpb.CancelRequest, "open"),
    "pause": Action(f"{_CLIENT}PauseWorkflow", cpb.PauseRequest, "open"),
    "resume": Action(f"{_CLIENT}ResumeWorkflow", cpb.ResumeRequest, "open"),
    "signal": Action(f"{_CLIENT}SignalWorkflow", cpb.SignalRequest, "open"),
    "retry": Action(f"{_ADMIN}ForkWorkflow", apb.ForkRequest, "failed,cancelled", {"retry": True}),
    "fork": Action(f"{_ADMIN}ForkWorkflow", apb.ForkRequest, "open,closed"),
}


@frozen
class Batch:
    """`runs` are run ids; None: those that `words` mean. `fields` are those of the action's own request."""

    action: str
    words: str = ""
    runs: tuple[str, ...] | None = None
    dry_run: bool = False
    before_run_key: int = 0
    fields: Mapping[str, object] = field(factory=dict)

    def message(self, workflow_id: str, run_id: str) -> Message:
        """What is asked for one of the runs. Raises HttpError for fields that the action does not have."""
        known = BATCH_ACTIONS[self.action]
        message = known.request()
        fill(message, {**self.fields, **known.fixed, "workflow_id": workflow_id, "run_id": run_id})
        return message

    def filters(self) -> Iterator[str]:
        """One after the other they mean the runs that are meant."""
        states = f"state:{BATCH_ACTIONS[self.action].states}"
        if self.runs is None:
            # First, so that nothing of what somebody has left unfinished is about it.
            yield f"{states} {self.words}"
            return
        for first in range(0, len(self.runs), _RUNS_AT_ONCE):
            yield f"run:{','.join(self.runs[first : first + _RUNS_AT_ONCE])} {states}"


def batch_of(document: object) -> Batch:
    """Raises HttpError with everything that is wrong with the document."""
    if not isinstance(document, Mapping):
        raise _wrong("the body must be an object")
    taken: dict[str, Any] = {}
    faults: list[str] = []
    for name, value in document.items():
        wanted = _FIELDS.get(name)
        if wanted is None:
            faults.append(f"there is no field {str(name)[:100]!r}")
        elif not wanted.fits(value):
            faults.append(f"{name} must be {wanted.about}")
        else:
            taken[wanted.attribute] = tuple(value) if isinstance(value, list) else value
    if ("filter" in document) == ("runs" in document):
        faults.append("one of filter and runs must be given")
    if "action" not in document:
        faults.append(f"action must be {_FIELDS['action'].about}")
    if faults:
        raise _wrong("; ".join(faults))
    batch = Batch(**taken)
    batch.message("any", "any")
    return batch


class Batches:
    def __init__(self, client: LocalClient) -> None:
        self._client = client

    async def answer(self, batch: Batch) -> dict[str, object]:
        """Count the runs, or do it to the next of them. Raises HttpError if they can not be found."""
        if batch.dry_run:
            return await self._count(batch)
        log.info("web_action", action=f"batch/{batch.action}", filter=batch.words, marked=len(batch.runs or ()))
        infos = await self._chosen(batch)
        following = infos[CHUNK - 1].run_key if batch.runs is None and len(infos) > CHUNK else None
        tally = _Tally()
        limiter = trio.CapacityLimiter(_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for info in infos if following is None else infos[:CHUNK]:
                nursery.start_soon(self._act, batch, info, tally, limiter)
        return {"done": tally.done, "failed": tally.failed, "next": following}

    async def _act(self, batch: Batch, info: cpb.WorkflowInfo, tally: "_Tally", limiter: trio.CapacityLimiter) -> None:
        message = batch.message(info.workflow_id, info.run_id)
        try:
            async with limiter:
                await self._client.ask(BATCH_ACTIONS[batch.action].rpc, message.SerializeToString(), 1)
        except HttpError as error:
            which = {"workflow_id": info.workflow_id, "run_id": info.run_id}
            tally.failed.append({**which, "code": error.code, "message": error.words})
        else:
            tally.done += 1

    async def _chosen(self, batch: Batch) -> list[cpb.WorkflowInfo]:
        """The runs whose turn it is; of those that a filter means one more, if there are more."""
        limit = CHUNK + 1 if batch.runs is None else _RUNS_AT_ONCE
        return [info for words in batch.filters() for info in await self._listed(words, batch.before_run_key, limit)]

    async def _count(self, batch: Batch) -> dict[str, object]:
        """How many there are, and below which key: those that are started from now on are not meant."""
        if batch.runs is not None:
            return {"count": len(await self._chosen(batch)), "is_more": False, "before_run_key": 0}
        (words,) = batch.filters()
        page = await self._listed(words, batch.before_run_key, _PAGE)
        count, below = len(page), page[0].run_key + 1 if page else batch.before_run_key
        while len(page) == _PAGE and count <= COUNT_MAX:
            page = await self._listed(words, page[-1].run_key, _PAGE)
            count += len(page)
        return {"count": min(count, COUNT_MAX), "is_more": count > COUNT_MAX, "before_run_key": below}

    async def _listed(self, words: str, before: int, limit: int) -> list[cpb.WorkflowInfo]:
        request = apb.ListRequest(filter=words, before_run_key=before, limit=limit)
        raw = await self._client.ask(f"{_ADMIN}ListWorkflows", request.SerializeToString(), limit)
        return [cpb.WorkflowInfo.FromString(each) for each in raw]


@define
class _Tally:
    done: int = 0
    failed: list[dict[str, str]] = field(factory=list)


@frozen
class _Field:
    attribute: str
    about: str
    schema: Mapping[str, object]

    def fits(self, value: object) -> bool:
        match self.attribute:
            case "action":
                return isinstance(value, str) and value in BATCH_ACTIONS
            case "words":
                return isinstance(value, str)
            case "runs":
                return isinstance(value, list) and len(value) <= RUNS_MAX and all(map(_is_run_id, value))
            case "dry_run":
                return isinstance(value, bool)
            case "before_run_key":
                return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
            case _:
                return isinstance(value, Mapping)


def _is_run_id(value: object) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


_FIELDS: Final = {
    "action": _Field("action", f"one of {', '.join(BATCH_ACTIONS)}", {"enum": list(BATCH_ACTIONS)}),
    "filter": _Field("words", "a filter", {"type": "string"}),
    "runs": _Field(
        "runs",
        f"a list of at most {RUNS_MAX} run ids",
        {"type": "array", "items": {"type": "string"}, "maxItems": RUNS_MAX},
    ),
    "dry_run": _Field("dry_run", "true or false", {"type": "boolean"}),
    "before_run_key": _Field("before_run_key", "the key of a run", {"type": "integer"}),
    "fields": _Field("fields", "an object", {"type": "object"}),
}
BATCH_SCHEMA: Final = {
    "type": "object",
    "required": ["action"],
    "properties": {name: {"description": each.about, **each.schema} for name, each in _FIELDS.items()},
}


def _wrong(words: str) -> HttpError:
    return HttpError(400, words, code="INVALID_ARGUMENT")
