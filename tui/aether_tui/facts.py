"""Events, payloads and failures as text. Goes by the fields that a fact has, so that new facts need nothing here."""

import json
from typing import Final

from attrs import fields

from aether import Event, Failure, LoggedEvent, Payload
from aether.model.payload import RAW
from aether_tui.sizes import clock, micros, span

# What a fact calls the thing that it is about.
_NAMES: Final = ("name", "activity_type", "workflow_type", "key")
_TIMES: Final = {"fire_at", "next_at", "start_at", "expires_at"}
# Said elsewhere, or of no interest in one line.
_QUIET: Final = {"path", "started_at", "retry", "timeouts", "run_id", "parent_run_id", "parent_path", *_NAMES}
_SHORT: Final = 400
_LINES_MAX: Final = 2_000


def payload_text(payload: Payload, *, indent: int | None = None) -> str:
    """What a payload holds: JSON, or how many bytes of what."""
    if payload.encoding.partition(";")[0] in {"", "json"}:
        try:
            return json.dumps(json.loads(payload.data or b"null"), ensure_ascii=False, indent=indent)
        except (ValueError, RecursionError):
            pass
    if payload.encoding == RAW:
        return f"{len(payload.data)} bytes"
    return f"{len(payload.data)} bytes of {payload.encoding or 'something that is no JSON'}"


def short_payload(payload: Payload) -> str:
    """Its beginning, on one line; what is long is not read."""
    if len(payload.data) > _SHORT and payload.encoding != RAW:
        head = payload.data[:_SHORT].decode("utf-8", "replace")
        return f"{head}… ({len(payload.data)} bytes)"
    return payload_text(payload)


def failure_text(failure: Failure) -> str:
    members = f" ({len(failure.causes)} failures)" if failure.group else ""
    return f"{failure.type}: {failure.message}{members}" if failure.message else failure.type + members


def failure_lines(failure: Failure, indent: str = "", depth: int = 0) -> list[str]:
    """With its traceback, then what caused it, or all that failed side by side."""
    said = [*failure_text(failure).split("\n"), *failure.traceback.rstrip("\n").split("\n")]
    out = [indent + line for line in said if line][:_LINES_MAX]
    if depth < 16:
        for cause in failure.causes:
            out += [indent + ("and:" if failure.group else "because of:")]
            out += failure_lines(cause, indent + "  ", depth + 1)
    return out


def fact_name(event: Event) -> str:
    return type(event.fact).__name__


def path_of(event: Event) -> str:
    return str(getattr(event.fact, "path", ""))


def fact_subject(event: Event) -> str:
    """What it is about: a step, an activity, a child; else nothing."""
    fact = event.fact
    return next((str(getattr(fact, name)) for name in _NAMES if hasattr(fact, name)), "")


def fact_detail(event: Event, started_us: int) -> str:
    """All else that it says, on one line."""
    said = []
    for field in fields(type(event.fact)):
        value = getattr(event.fact, field.name)
        if field.name in _QUIET or value in {"", 0, None, ()}:
            continue
        if isinstance(value, Payload):
            said.append(short_payload(value))
        elif isinstance(value, Failure):
            said.append(failure_text(value))
        elif field.name in _TIMES:
            said.append(f"due at +{span(value - started_us)}")
        elif field.name == "attempt":
            said.append(f"attempt {value}" if value > 1 else "")
        elif isinstance(value, str | int):
            said.append(f"{field.name.replace('_', ' ')} {value}")
    return ", ".join(text for text in said if text)


def fact_lines(event: Event) -> list[str]:
    """Everything that it says, a field on a line."""
    lines = [f"{event.seq}  {fact_name(event)}  {clock(event.at, with_date=True, fraction=True)}"]
    for field in fields(type(event.fact)):
        value = getattr(event.fact, field.name)
        if isinstance(value, Payload):
            first, *more = payload_text(value, indent=2).split("\n")[:_LINES_MAX]
            lines += [f"{field.name}: {first}", *more]
        elif isinstance(value, Failure):
            lines += [f"{field.name}:", *failure_lines(value, "  ")]
        elif field.name.endswith("_at") and isinstance(value, int):
            lines += [f"{field.name}: {clock(value, with_date=True, fraction=True)}"] if value else []
        elif value not in {"", 0, None, ()}:
            lines.append(f"{field.name}: {value}")
    return lines


# What an event tells of the thing that it is about, by the end of its name: a word that has a sign in the theme.
_STATES: Final = {
    "Completed": "COMPLETED",
    "Resolved": "COMPLETED",
    "Failed": "FAILED",
    "Rejected": "FAILED",
    "Retried": "RETRYING",
    "CancelRequested": "WAITING",
    "Requested": "WAITING",
    "Cancelled": "CANCELLED",
    "Dropped": "CANCELLED",
    "RunCreated": "PENDING",
    "Scheduled": "PENDING",
    "TimerStarted": "SLEEPING",
    "PromiseCreated": "WAITING",
    "Started": "RUNNING",
    "Paused": "PAUSED",
}


def state_of_event(kind: str) -> str:
    return next((state for end, state in _STATES.items() if kind.endswith(end)), "NEWS")


def event_text(event: LoggedEvent) -> str:
    """All that it tells beside its kind and its run, on one line."""
    name = event.name or (f"at {event.path}" if event.path else "")
    said = [f"attempt {event.attempt}" if event.attempt > 1 else ""]
    said.append(f"{event.failure_type}: {event.message}" if event.failure_type and event.message else "")
    said.append((event.failure_type or event.message) if not said[-1] else "")
    if event.due_at is not None:
        said.append(f"due in {span(micros(event.due_at) - micros(event.at))}")
    said.append(f"on {event.worker_id}" if event.worker_id else "")
    details = ", ".join(filter(None, said))
    return " ".join(filter(None, (name, details)))
