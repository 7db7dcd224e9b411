"""A status is one message, whatever its run waits for."""

import pytest

from aether.core.views import PendingView, RunView
from aether.model.limits import DEFAULT_LIMITS
from aether.model.payload import Failure, Payload
from aether.model.runs import RunState
from aether.server.answers import status_of_open
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.limits import TransportLimits

LONG = "€" * DEFAULT_LIMITS.name_max
BEAT = Payload(b"x" * DEFAULT_LIMITS.heartbeat_max)
FAILURE = Failure("ValueError", "x" * 9_000, "y" * 9_000)


def status(*pending: PendingView) -> pb.WorkflowStatus:
    view = RunView(
        1, "w", "r", "t", "q", RunState.RUNNING, 0, "", 2, "", pending, False, None, False, "", (), (),
    )  # fmt: skip
    return status_of_open(view, "memory")


@pytest.mark.parametrize(
    ("each", "count", "told", "whole"),
    [
        (PendingView("1", "activity", "a", heartbeat=BEAT), 3, 3, 3),
        (PendingView("1", "activity", "a", heartbeat=BEAT), 20, 20, 3),
        (PendingView("1", "activity", "a", last_failure=FAILURE), 2_000, 2_000, 58),
        (PendingView("1", "activity", "a"), DEFAULT_LIMITS.pending_max, DEFAULT_LIMITS.pending_max, 0),
        (PendingView("1", "activity", LONG, worker_id=LONG), DEFAULT_LIMITS.pending_max, 1_720, 0),
    ],
)
def test_it_has_as_much_as_fits_and_the_first_of_it_whole(each: PendingView, count: int, told: int, whole: int) -> None:
    answer = status(*[each] * count)
    assert answer.ByteSize() < TransportLimits().message_bytes - DEFAULT_LIMITS.memo_size_max
    assert len(answer.pending) == told
    assert sum(item.HasField("heartbeat") or bool(item.last_failure.traceback) for item in answer.pending) == whole
    assert {item.last_failure.type for item in answer.pending} == {each.last_failure.type if each.last_failure else ""}


def test_what_is_too_large_by_itself_leaves_room_for_others() -> None:
    huge = PendingView("1", "activity", "a", last_failure=Failure("ValueError", "x" * 2_000_000))
    answer = status(huge, PendingView("2", "activity", "a", heartbeat=BEAT))
    assert len(answer.pending[0].last_failure.message) == 200
    assert answer.pending[1].heartbeat.data == BEAT.data
