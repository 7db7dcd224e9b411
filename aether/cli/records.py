"""Messages of the server as one line of text for tables. Pure.

It goes by the fields that a message has, so a fact that a newer server knows is shown without a change here.
"""

import json
from collections.abc import Iterable, Mapping

from google.protobuf.message import Message

from aether.cli.moments import Moment, duration
from aether.cli.output import Cell
from aether.model.payload import UNREADABLE
from aether.wire.generated.aether.v1 import client_pb2, model_pb2
from aether.wire.plain import plain_payload, state_name

# What a run waits for that has something to do, by what is wrong.
_WANTED = {
    "paused": "somebody to resume it",
    "blocked": "a worker whose code fits its history",
    "waits for a slot": "a slot of the worker that has it",
}
# What a fact calls the thing that it is about.
_NAMES = ("name", "activity_type", "workflow_type", "key", "workflow_id")


def fact_name(event: model_pb2.Event) -> str:
    """The event's name, StepCompleted for example."""
    return (event.WhichOneof("fact") or "unknown").title().replace("_", "")


def value_text(payload: model_pb2.Payload) -> str:
    """What a payload holds, on one line."""
    return json.dumps(plain_payload(payload), ensure_ascii=False)


def tags_text(tags: Mapping[str, str]) -> str:
    """Names and values, on one line."""
    return " ".join(f"{name}={value}" for name, value in sorted(tags.items()))


def failure_text(failure: model_pb2.Failure) -> str:
    """The failure's type and message, and how many there are when it stands for several."""
    members = f" ({len(failure.causes)} failures)" if failure.group else ""
    return failure_line(failure.type, failure.message) + members


def failure_line(kind: str, message: str) -> str:
    return f"{kind}: {message}" if message else kind


def history_rows(events: Iterable[model_pb2.Event], *, since_start: bool = True) -> Iterable[tuple[Cell, ...]]:
    """Seq, time since the first event, event, path, name and detail of each; a path keeps the name it was given."""
    started_at, names = None, dict[str, str]()
    for event in events:
        started_at = event.at_us if started_at is None else started_at
        which = event.WhichOneof("fact")
        fact = getattr(event, which) if which else model_pb2.TimerFired()
        path = getattr(fact, "path", "")
        name = _name_of(fact)
        if path and name:
            names[path] = name
        since = f"+{(event.at_us - started_at) / 1_000_000:.3f}"
        yield (
            event.seq,
            since if since_start else Moment(event.at_us),
            fact_name(event),
            path,
            name or names.get(path, ""),
            _detail(fact, started_at),
        )


def _name_of(fact: Message) -> str:
    if isinstance(fact, model_pb2.ChildStarted):
        return f"{fact.workflow_type} {fact.workflow_id}"
    return next((str(getattr(fact, key)) for key in _NAMES if hasattr(fact, key)), "")


def _detail(fact: Message, started_at: int) -> str:
    said = []
    for field in fact.DESCRIPTOR.fields:
        value = getattr(fact, field.name)
        if isinstance(value, model_pb2.Payload) and fact.HasField(field.name):
            said.append(value_text(value))
        elif isinstance(value, model_pb2.Failure) and fact.HasField(field.name):
            said.append(failure_text(value))
        elif field.name == "attempt" and value > 1:
            said.append(f"attempt {value}")
        elif field.name == "worker_id" and value:
            said.append(f"worker {value}")
        elif field.name in {"fire_at_us", "next_at_us"}:
            said.append(f"due at +{(value - started_at) / 1_000_000:.3f}")
        elif field.name == "reason" and value:
            said.append(value)
    return ", ".join(said)


def status_fields(status: client_pb2.WorkflowStatus, now_us: int) -> list[tuple[str, Cell]]:
    """Everything that is known about a run, as names and values; what is not known is left out."""
    info = status.info
    ran_until = info.closed_at_us or now_us
    fields: list[tuple[str, Cell]] = [
        ("workflow", info.workflow_id),
        ("run", info.run_id),
        ("type", info.workflow_type),
        ("state", state_name(info.state)),
        ("queue", info.task_queue),
        ("parent", info.parent_workflow_id),
        ("forked from", _origin_text(info.forked_from) if info.HasField("forked_from") else ""),
        ("created", Moment(info.created_at_us)),
        ("closed", Moment(info.closed_at_us)),
        ("took" if info.closed_at_us else "open for", duration(ran_until - info.created_at_us)),
        ("events", str(info.history_length)),
        ("worker", info.worker_id),
        ("trace", status.trace_id),
        ("tags", tags_text(info.tags)),
        ("memo", ", ".join(f"{key}={value_text(value)}" for key, value in sorted(status.memo.items()))),
        ("cancel", "requested" if status.cancel_requested and not info.closed_at_us else ""),
        ("paused", (status.pause_reason or "yes") if status.paused else ""),
        ("blocked", _why_blocked(status) if status.blocked else ""),
        *(("waits for", pending_text(each, now_us)) for each in status.pending),
        ("kept in", status.persistence),
    ]
    if status.HasField("result"):
        fields.append(("result", value_text(status.result)))
    if status.HasField("failure"):
        fields.append(("failure", failure_tree(status.failure)))
    return [(name, value) for name, value in fields if value not in ("", Moment(0))]


def _why_blocked(status: client_pb2.WorkflowStatus) -> str:
    if status.failure.type == UNREADABLE:
        return "the server can not read the history from disk"
    return "the workers' code does not fit the history"


def _origin_text(origin: client_pb2.ForkOrigin) -> str:
    return f"{origin.workflow_id} (run {origin.run_id}) at event {origin.seq}"


def pending_text(pending: client_pb2.Pending, now_us: int) -> str:
    """What a run waits for, in one line."""
    what = [pending.kind, pending.name, pending.path and f"at {pending.path}"]
    if pending.kind == "worker":
        # Its name is what is wrong.
        what = [_WANTED.get(pending.name) or ": ".join(filter(None, ("a worker", pending.name)))]
    said = [" ".join(filter(None, what))]
    if pending.attempt > 1:
        said.append(f"attempt {pending.attempt}")
    if pending.reason:
        said.append(pending.reason)
    if pending.worker_id:
        said.append(f"on worker {pending.worker_id}")
    if pending.due_at_us:
        left = pending.due_at_us - now_us
        said.append(f"due in {duration(left)}" if left > 0 else f"due since {duration(left)}")
    if pending.HasField("heartbeat"):
        said.append(f"last heartbeat {value_text(pending.heartbeat)}")
    if pending.HasField("last_failure"):
        said.append(f"last failure {failure_text(pending.last_failure)}")
    return ", ".join(said)


def failure_tree(failure: model_pb2.Failure, indent: str = "") -> str:
    """The failure with its traceback, then what caused it, or all that failed side by side."""
    lines = [failure_text(failure), *failure.traceback.rstrip("\n").split("\n")]
    out = [indent + line for line in lines if line]
    for cause in failure.causes:
        out += [indent + ("and:" if failure.group else "because of:"), failure_tree(cause, indent + "  ")]
    return "\n".join(out)
