"""`aether tail`: events of all runs as they come."""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from aether.cli.call import Caller
from aether.cli.clock import pause
from aether.cli.options import say, show
from aether.cli.options import screen as stdout_screen
from aether.cli.output import Column, Format, render_data, render_row
from aether.cli.reader import end_with_reader
from aether.cli.records import failure_line
from aether.errors import ServerUnavailable, StorageUnavailable
from aether.wire.documents import event_document
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.plain import iso_time, plain

_PATH: Final = "/aether.v1.AdminService/FollowEvents"
_COLUMNS: Final = (
    Column("TIME", width=24),
    Column("WORKFLOW", width=24),
    Column("EVENT", width=18),
    Column("NAME", width=16),
    Column("DETAIL", can_shrink=True, width=0),
)
# What a pipe may be behind: nobody looks at it, so rather late than not at all.
_BEHIND_MAX: Final = 1_000_000
_AWAY_S: Final = 0.5


def follow(
    server: str,
    output: Format | None,
    terms: Sequence[str],
    kinds: Sequence[str],
    *,
    last: int,
    after: int | None,
    whole: bool,
) -> None:
    is_seen = sys.stdout.isatty()
    output = output or (Format.TABLE if is_seen else Format.JSONL)
    request = pb.FollowEventsRequest(
        filter=" ".join(terms), kinds=kinds, last=last, whole=whole, behind_max=0 if is_seen else _BEHIND_MAX
    )
    if after is not None:
        request.after_position = after
    end_with_reader()
    screen = stdout_screen(output)
    if not output.is_data:
        show(render_row(_COLUMNS, [column.title for column in _COLUMNS], screen))
    # An array has no end yet.
    output = Format.JSONL if output is Format.JSON else output
    for event in _follow(Caller(server), request):
        if event.dropped:
            say(f"aether: {event.dropped} events were left out, because they were not read in time")
        if event.kind and output.is_data:
            show(render_data(output, [document_of(event)], [event.workflow_id]))
        elif event.kind:
            show(render_row(_COLUMNS, row_of(event), screen))


def _follow(caller: Caller, request: pb.FollowEventsRequest) -> Iterator[pb.LoggedEvent]:
    """Each event once, whatever becomes of the server meanwhile. One that was never there is not waited for."""
    is_away, has_begun = False, False
    while True:
        try:
            for each in caller.stream(_PATH, request, is_endless=True):
                event = pb.LoggedEvent.FromString(each)
                request.after_position, is_away, has_begun = event.position, False, True
                yield event
        except (ServerUnavailable, StorageUnavailable) as error:
            if not has_begun:
                raise
            if not is_away:
                say(f"aether: {error}; waiting for it")
            is_away = True
            pause(_AWAY_S)


def document_of(event: pb.LoggedEvent) -> dict[str, object]:
    """Without what is empty; a whole event's own fields among those of all."""
    shown = {name: value for name, value in plain(event).items() if value not in (None, "", 0)}
    shown["event"] = shown.pop("kind")
    return shown | (event_document(event.event) if event.HasField("event") else {})


def row_of(event: pb.LoggedEvent) -> list[str]:
    details = [f"attempt {event.attempt}" if event.attempt > 1 else ""]
    details.append(failure_line(event.failure_type, event.message) if event.failure_type else event.message)
    details.append(f"due at {iso_time(event.due_at_us)}" if event.due_at_us else "")
    details.append(f"on {event.worker_id}" if event.worker_id else "")
    name = event.name or (f"at {event.path}" if event.path else "")
    return [iso_time(event.at_us), event.workflow_id, event.kind, name, ", ".join(filter(None, details))]
