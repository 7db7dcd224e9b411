"""What a worker is sent, in which order and in which portions."""

from collections.abc import Callable

from attrs import define, field

from aether.core.effects import Recorded, Revoke, RunTask, SendEvents
from aether.errors import StaleLease
from aether.model.payload import Failure
from aether.server.sinks import CHUNK_BYTES, CHUNK_EVENTS, WAITING_BYTES, Outbox, PollStream, SessionStream
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb


@define(eq=False)
class Wire:
    """The far end of a call: keeps what was sent."""

    sent: list[wpb.ServerMessage] = field(factory=list)
    is_finished: bool = False
    is_congested: bool = False
    on_writable: Callable[[], None] | None = None

    def send(self, message: bytes) -> None:
        self.sent.append(wpb.ServerMessage.FromString(message))

    def finish(self, status: object = None) -> None:
        self.is_finished = True

    def deliveries(self) -> list[wpb.Delivery]:
        return [delivery for message in self.sent for delivery in message.deliveries]


@define(eq=False)
class Room:
    """A stream, and a disk that answers when the test says so."""

    wire: Wire = field(factory=Wire)
    asked: list[tuple[int, int, int]] = field(factory=list)
    then: list[Callable[[list[bytes]], None]] = field(factory=list)
    give_up: list[Callable[[Failure], None]] = field(factory=list)
    blocked: list[tuple[int, Failure]] = field(factory=list)
    told: list[Callable[[object], None]] = field(factory=list)
    outbox: Outbox = field(init=False)
    stream: SessionStream = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.outbox = Outbox(self.fetch, self.block)
        self.stream = SessionStream(1, self.outbox, self.wire)  # type: ignore[arg-type]  # all of a call that it uses

    def fetch(
        self,
        run_key: int,
        first_seq: int,
        last_seq: int,
        then: Callable[[list[bytes]], None],
        give_up: Callable[[Failure], None],
    ) -> None:
        self.asked.append((run_key, first_seq, last_seq))
        self.then.append(then)
        self.give_up.append(give_up)

    def block(self, token: int, failure: Failure, told: Callable[[object], None]) -> None:
        self.blocked.append((token, failure))
        self.told.append(told)

    def kinds(self) -> list[str]:
        return [str(delivery.WhichOneof("delivery")) for delivery in self.wire.deliveries()]


def events(first: int, last: int, size: int = 0) -> list[bytes]:
    filler = mpb.TimerFired(path="1" * size)
    return [mpb.Event(seq=seq, timer_fired=filler).SerializeToString() for seq in range(first, last + 1)]


TASK = RunTask("order-1", "run-1", "order")


def test_nothing_is_sent_before_the_end_of_the_pass_and_then_in_one_message() -> None:
    room = Room()
    room.stream.send_events(SendEvents(1, 7, 1, 1, 2, TASK), events(1, 2))
    room.stream.answer(7, Recorded(7, 3, 99))
    room.stream.answer(8, StaleLease("late"))
    assert room.wire.sent == []
    room.outbox.flush()
    assert len(room.wire.sent) == 1
    task, answer, refusal = room.wire.deliveries()
    assert task.task.workflow.workflow_id == "order-1"
    assert [event.seq for event in task.task.workflow.events] == [1, 2]
    assert (answer.response.token, answer.response.seq, answer.response.at_us) == (7, 3, 99)
    assert (refusal.response.token, refusal.response.refusal.type) == (8, "StaleLease")


def test_whatever_concerns_a_lease_waits_behind_its_events_that_are_being_fetched() -> None:
    room = Room()
    room.stream.send_events(SendEvents(1, 7, 5, 1, 2, TASK), None)
    room.stream.answer(7, Recorded(7, 3, 99))
    room.stream.send_events(SendEvents(1, 7, 5, 4, 4), events(4, 4))
    room.stream.answer(8, Recorded(8, 1, 99))
    room.outbox.flush()
    assert [delivery.response.token for delivery in room.wire.deliveries()] == [8], "other leases do not wait"
    assert room.asked == [(5, 1, 2)]
    room.then[0](events(1, 2))
    assert room.kinds() == ["response", "task", "response", "task"]
    seqs = [[event.seq for event in delivery.task.workflow.events] for delivery in room.wire.deliveries()]
    assert seqs == [[], [1, 2], [], [4]]


def test_a_revoked_lease_gets_no_events_any_more() -> None:
    room = Room()
    room.stream.send_events(SendEvents(1, 7, 5, 1, 2, TASK), None)
    room.stream.revoke(Revoke(1, 7, "gone"))
    room.then[0](events(1, 2))
    room.outbox.flush()
    assert [delivery.task.WhichOneof("task") for delivery in room.wire.deliveries()] == ["revoked"]


def test_a_history_that_can_not_be_read_blocks_its_run() -> None:
    room = Room()
    room.stream.send_events(SendEvents(1, 7, 5, 1, 2, TASK), None)
    failure = Failure("StoreDamaged", "event 2 is not what was written")
    room.give_up[0](failure)
    assert room.blocked == [(7, failure)]
    # What was decided meanwhile would follow events that the worker never got.
    room.stream.send_events(SendEvents(1, 7, 5, 3, 3), events(3, 3))
    room.outbox.flush()
    assert room.kinds() == []
    room.told[0](Recorded(7, 4, 99))
    room.outbox.flush()
    (delivery,) = room.wire.deliveries()
    assert (delivery.task.token, delivery.task.revoked.reason) == (7, failure.message)


def test_a_long_history_goes_out_in_parts_that_say_whether_more_follows() -> None:
    for count, size in ((CHUNK_EVENTS + 1, 0), (5, CHUNK_BYTES // 2)):
        room = Room()
        room.stream.send_events(SendEvents(1, 7, 5, 1, count, TASK), events(1, count, size))
        room.outbox.flush()
        tasks = [delivery.task.workflow for delivery in room.wire.deliveries()]
        assert len(tasks) > 1
        assert [task.more for task in tasks] == [True] * (len(tasks) - 1) + [False]
        assert [task.run_id for task in tasks] == ["run-1"] + [""] * (len(tasks) - 1)
        assert [event.seq for task in tasks for event in task.events] == list(range(1, count + 1))
        assert all(message.ByteSize() <= 2 * CHUNK_BYTES for message in room.wire.sent)


def test_what_a_worker_has_no_room_for_waits_in_its_order() -> None:
    room = Room()
    room.wire.is_congested = True
    for token in (1, 2):
        room.stream.revoke(Revoke(1, token, "x" * CHUNK_BYTES))
    room.outbox.flush()
    assert room.wire.sent == []
    room.wire.is_congested = False
    assert room.wire.on_writable is not None
    room.wire.on_writable()
    assert [delivery.task.token for delivery in room.wire.deliveries()] == [1, 2]


def test_who_is_owed_too_much_is_left_to_the_transport() -> None:
    room = Room()
    room.wire.is_congested = True
    count = WAITING_BYTES // CHUNK_BYTES + 1
    for token in range(count):
        room.stream.revoke(Revoke(1, token, "x" * CHUNK_BYTES))
    room.outbox.flush()
    assert 0 < len(room.wire.sent) < count


@define(eq=False)
class PolledWire(Wire):
    """The far end of `PollTasks`: a message is a task."""

    tokens: list[int] = field(factory=list)

    def send(self, message: bytes) -> None:
        self.tokens.append(wpb.Task.FromString(message).token)


def test_a_worker_that_polls_and_does_not_read_is_owed_as_much_and_no_more() -> None:
    wire = PolledWire(is_congested=True)
    outbox = Outbox(Room().fetch, Room().block)
    stream = PollStream(1, outbox)
    for token in (1, 2):
        stream.revoke(Revoke(1, token, "x" * CHUNK_BYTES))
    outbox.flush()
    stream.call = wire  # type: ignore[assignment]  # all of a call that it uses
    stream.flush()
    assert wire.tokens == []
    wire.is_congested = False
    assert wire.on_writable is not None
    wire.on_writable()
    assert wire.tokens == [1, 2]
    wire.is_congested = True
    for token in range(WAITING_BYTES // CHUNK_BYTES + 1):
        stream.revoke(Revoke(1, token, "x" * CHUNK_BYTES))
    outbox.flush()
    assert 2 < len(wire.tokens) < 6
