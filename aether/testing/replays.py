"""New code against old histories: does a run that is open now, or one that has ended, go the same way with it?

The workflow's code is driven by a worker session as any worker has it, which is told the whole history. Functions of
steps are never called, and nothing is sent anywhere: what the code asks for beyond the history ends the replay.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import sniffio
import trio
import trio.testing
from attrs import define, evolve, field

from aether.errors import InvalidArgument, NonDeterminism
from aether.model import commands as c
from aether.model import events as e
from aether.model.payload import Payload
from aether.sdk.define import Workflow
from aether.sdk.session import Outcomes, Session
from aether.testing.environment import InlineLane
from aether.wire.convert import command_from_proto, event_from_proto, event_to_proto
from aether.wire.documents import event_of_document
from aether.wire.generated.aether.v1 import worker_pb2 as pb

History = str | os.PathLike[str] | Iterable[e.Event | Mapping[str, object]]

_TOKEN: Final = 1
# Failures that the server ends a run with, whatever its code does.
_OF_THE_SERVER: Final = frozenset({"WorkflowTimeout", "LimitExceeded"})


def load_history(path: str | os.PathLike[str]) -> list[e.Event]:
    """The events of a file that `aether history ID -o json` has written. Raises InvalidArgument."""
    try:
        documents = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidArgument(f"{os.fspath(path)} is not JSON: {error}", field="history") from error
    if not isinstance(documents, list):
        raise InvalidArgument(f"{os.fspath(path)} does not hold a list of events", field="history")
    return [event_from_proto(event_of_document(document)) for document in documents]


def replay(history: History, workflow: Workflow[..., Any]) -> None:
    """Check that the workflow's code fits a history: a file of `aether history ID -o json`, or events.

    Raises:
        NonDeterminism: It does not; the message names what the history holds and what the code asks for.
        InvalidArgument: This is no history, or one of another workflow.

    """
    events = _events(history)
    created = events[0].fact if events else None
    if not isinstance(created, e.RunCreated):
        raise InvalidArgument("a history begins with RunCreated", field="history")
    if created.workflow_type != workflow.name:
        raise InvalidArgument(
            f"this is a history of workflow {created.workflow_type!r}, not of {workflow.name!r}", field="history"
        )
    _judge(events, _play(events, workflow))


def _events(history: History) -> list[e.Event]:
    if isinstance(history, str | os.PathLike):
        return load_history(history)
    return [each if isinstance(each, e.Event) else event_from_proto(event_of_document(each)) for each in history]


@define
class _Answer:
    """What the code did: where it went on beyond the history, and what it asked for."""

    commands: list[c.Command] = field(factory=list)
    live_steps: list[str] = field(factory=list)


def _judge(events: Sequence[e.Event], answer: _Answer) -> None:
    for command in answer.commands:
        if isinstance(command, c.BlockRun):
            raise NonDeterminism(command.failure.message)
    last = events[-1].fact
    # One that was cancelled may have been cancelled by force, wherever its code was.
    if not isinstance(last, e.RunCompleted | e.RunFailed):
        return
    if isinstance(last, e.RunFailed) and last.failure.type in _OF_THE_SERVER:
        return
    asked = [*answer.live_steps, *(_shown(command) for command in answer.commands if not _fits(command, last))]
    if not asked and not answer.commands:
        asked = ["still waits"]
    if asked:
        raise NonDeterminism(f"the history ends with {_told(last)}, the code {asked[0]}")


def _fits(command: c.Command, last: e.Fact) -> bool:
    return isinstance(command, c.CompleteRun if isinstance(last, e.RunCompleted) else c.FailRun)


def _told(fact: e.RunCompleted | e.RunFailed) -> str:
    return f"RunFailed ({fact.failure.type})" if isinstance(fact, e.RunFailed) else type(fact).__name__


def _shown(command: c.Command) -> str:
    if isinstance(command, c.FailRun):
        return f"fails with {command.failure.type}: {command.failure.message}"
    if isinstance(command, c.CompleteRun):
        return "completes"
    path = getattr(command, "path", "")
    return f"asks for {type(command).__name__}" + (f" at {path}" if path else "")


def _play(events: Sequence[e.Event], workflow: Workflow[..., Any]) -> _Answer:
    answer = _Answer()

    def run() -> None:
        trio.run(_drive, events, workflow, answer, clock=trio.testing.MockClock())

    try:
        sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        run()
    else:
        # Called by an async test, whose loop can not run another one.
        thread = threading.Thread(target=run, name="aether replay")
        thread.start()
        thread.join()
    return answer


async def _drive(events: Sequence[e.Event], workflow: Workflow[..., Any], answer: _Answer) -> None:
    client = workflow.client
    settings = evolve(client.worker_settings([workflow]), make_lane=InlineLane, is_watched=False)
    script = _Script(events, workflow.name, answer)
    session = _Rehearsal(settings, client.converter, Outcomes(), script)  # type: ignore[arg-type]
    session.answer = answer
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run, lambda: None)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


class _Script:
    """The stream of the session: says the history, and listens."""

    is_congested = False

    def __init__(self, events: Sequence[e.Event], workflow_type: str, answer: _Answer) -> None:
        self._messages = self._written(events, workflow_type)
        self._take: Callable[[bytes], None] | None = None
        self._give: Callable[[], None]
        self._answer = answer

    def _written(self, events: Sequence[e.Event], workflow_type: str) -> Iterator[pb.ServerMessage]:
        yield pb.ServerMessage(registered=pb.RegisterResponse(session_id="replay", worker_id="replay"))
        task = pb.WorkflowTask(workflow_type=workflow_type, events=[event_to_proto(event) for event in events])
        yield pb.ServerMessage(deliveries=[pb.Delivery(task=pb.Task(token=_TOKEN, workflow=task))])

    def send(self, data: bytes) -> None:
        for completion in pb.WorkerMessage.FromString(data).completions:
            self._answer.commands += [command_from_proto(command) for command in completion.commands]

    async def receive(self) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        if self._take is None:
            return [next(self._messages).SerializeToString()]
        for message in self._messages:
            self._take(message.SerializeToString())
        await trio.sleep_forever()
        raise AssertionError

    def hand_over(self, take: Callable[[bytes], None], give: Callable[[], None]) -> None:
        self._take, self._give = take, give

    def ask(self) -> None:
        trio.lowlevel.current_trio_token().run_sync_soon(self._give, idempotent=True)

    def flush(self) -> None: ...

    def half_close(self) -> None: ...

    def cancel(self) -> None: ...


class _Rehearsal(Session):
    """Calls no step: the first that is not in the history ends the replay."""

    answer: _Answer

    def reuse(self, run_id: str, path: str) -> c.RecordStep:
        run = self._runs[_TOKEN]
        name = run.replay.waiters[path].name
        self.answer.live_steps.append(f"asks for step {name!r} at {path}")
        run.drop()
        return c.RecordStep(path, name, Payload(b"null"))
