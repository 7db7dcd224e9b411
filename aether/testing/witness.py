"""Listens to everything that a server says, and compares it with what is durable at that moment.

It stands between the services and the protocol: whatever a handler sends passes it first. What is told must be on disk,
what is handed out must be handed out once, and tokens must grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import trio
from attrs import define, field

from aether.model.runs import RunState
from aether.testing.checkers import Account, Journal, Violation
from aether.wire.calls import Call, Method
from aether.wire.generated.aether.v1 import client_pb2 as cpb
from aether.wire.generated.aether.v1 import model_pb2 as mpb
from aether.wire.generated.aether.v1 import worker_pb2 as wpb

_CLIENT: Final = "/aether.v1.ClientService/"
_WORK: Final = "/aether.v1.WorkerService/WorkSession"


@define(eq=False)
class Witness:
    """One for a whole simulation, over all servers."""

    journal: Journal
    trace: Callable[[str], None]
    # Told of a broken promise; raising it would only end the one answer.
    fail: Callable[[Violation], None]
    # What the worker of that id has.
    labels_of: Callable[[str], Mapping[str, str]]
    # In this tier only the end of a run is on disk when it is told.
    is_ahead: bool = False
    # The newest lease of each run, and of each activity of one: (token, worker, when).
    holders: dict[tuple[str, str], tuple[int, str, float]] = field(factory=dict)
    stale: list[tuple[int, bool]] = field(factory=list)
    last_token: int = 0
    told: int = 0
    _runs: dict[int, str] = field(factory=dict)
    _workers: dict[Call, str] = field(factory=dict)

    def watch(self, methods: Mapping[str, Method]) -> Mapping[str, Method]:
        return {path: Method(path, self._between(method), method.kind) for path, method in methods.items()}

    def _between(self, method: Method) -> Callable[..., None]:
        def handle(call: Call, *message: bytes) -> None:
            send = call.send

            def tell(data: bytes) -> None:
                self.told += 1
                check = (_CHECKS_AHEAD if self.is_ahead else _CHECKS).get(method.path)
                if check is not None:
                    try:
                        check(self, call, message[0] if message else b"", data)
                    except Violation as violation:
                        self.fail(violation)
                send(data)

            setattr(call, "send", tell)  # noqa: B010 - a method is what it replaces
            method.handler(call, *message)

        return handle

    def account(self, run_id: str, what: str) -> Account:
        account = self.journal.by_run_id.get(run_id)
        if account is None:
            raise Violation(f"{what} of run {run_id} is told, and the run is not on disk")
        return account

    # What is told to clients.

    def _started(self, call: Call, request: bytes, data: bytes) -> None:
        answer = cpb.StartWorkflowResponse.FromString(data)
        self.account(answer.run_id, "the start")

    def _closed(self, call: Call, request: bytes, data: bytes) -> None:
        answer = cpb.WorkflowResult.FromString(data)
        account = self.account(answer.run_id, "the end")
        told = RunState(answer.state).name.lower()
        kept = type(account.closing).__name__.removeprefix("Run").lower()
        if told != kept:
            raise Violation(f"run {answer.run_id} is told to be {told}; on disk it is {kept}")

    def _signalled(self, call: Call, request: bytes, data: bytes) -> None:
        asked, answer = cpb.SignalRequest.FromString(request), cpb.SignalResponse.FromString(data)
        if asked.signal_id not in self.account(answer.run_id, "a signal").signal_ids:
            raise Violation(f"signal {asked.signal_id} of run {answer.run_id} is acknowledged and not on disk")

    def _promised(self, call: Call, request: bytes, data: bytes) -> None:
        path, _, rest = cpb.CompletePromiseRequest.FromString(request).token.partition("/")
        account = self.account(rest.partition("/")[0], "a promise")
        # One that the run has dropped is over as well.
        if path not in account.over:
            raise Violation(f"promise {path} of run {account.row.run_id} is acknowledged and not on disk")

    def _cancelled(self, call: Call, request: bytes, data: bytes) -> None:
        answer = cpb.CancelResponse.FromString(data)
        if not self.account(answer.run_id, "a cancel").is_cancelled:
            raise Violation(f"the cancel of run {answer.run_id} is acknowledged and not on disk")

    def _read(self, call: Call, request: bytes, data: bytes) -> None:
        asked, answer = cpb.ReadValueRequest.FromString(request), cpb.ReadValueResponse.FromString(data)
        if not answer.found:
            return
        accounts = [each for each in self.journal.accounts.values() if each.row.workflow_id == asked.workflow_id]
        published = [value.data for each in accounts for value in each.published.get(asked.key, ())]
        if answer.value.data not in published:
            raise Violation(f"{asked.key!r} of {asked.workflow_id!r} is shown and not on disk")

    # What is told to workers.

    def _work(self, call: Call, request: bytes, data: bytes) -> None:
        message = wpb.ServerMessage.FromString(data)
        if message.HasField("registered"):
            self._workers[call] = message.registered.worker_id
        worker = self._workers[call]
        for delivery in message.deliveries:
            if delivery.HasField("response"):
                self._acknowledged(delivery.response)
            elif delivery.task.HasField("workflow"):
                self._handed_out(worker, delivery.task.token, delivery.task.workflow)
            elif delivery.task.HasField("activity"):
                activity = delivery.task.activity
                self._grant(activity.run_id, activity.path, delivery.task.token, worker)
                self.trace(f"{worker} has attempt {activity.attempt} of {activity.path} of {activity.workflow_id}")

    def _handed_out(self, worker: str, token: int, task: wpb.WorkflowTask) -> None:
        if task.run_id:
            self._grant(task.run_id, "", token, worker)
            self._runs[token] = task.run_id
            self.trace(f"{worker} has {task.workflow_id}")
        if self.is_ahead:
            return
        if token not in self._runs:
            raise Violation(f"events of lease {token} are handed out, and nobody was given it")
        account = self.account(self._runs[token], "an event")
        for event in task.events:
            if event.seq > len(account.bodies):
                raise Violation(f"event {event.seq} of run {account.row.run_id} is handed out and not on disk")
            # As messages: the entries of a map are written in any order.
            if event != mpb.Event.FromString(account.bodies[event.seq - 1]):
                raise Violation(f"event {event.seq} of run {account.row.run_id} is not what is on disk")

    def _grant(self, run_id: str, path: str, token: int, worker: str) -> None:
        if not self.is_ahead:
            self.account(run_id, "a task")
        self._check_labels(run_id, path, worker)
        now = trio.current_time()
        before, _, at = self.holders.get((run_id, path), (0, "", 0.0))
        if any(token == other for other, _, _ in self.holders.values()):
            raise Violation(f"token {token} has two holders")
        if token < before and at == now:
            # Of one pass of the server: what it says to several workers leaves in any order.
            self.stale.append((token, bool(path)))
            return
        if token <= before:
            raise Violation(f"token {token} of run {run_id} {path} follows {before}")
        if before:
            self.stale.append((before, bool(path)))
        self.holders[run_id, path] = token, worker, now

    def _check_labels(self, run_id: str, path: str, worker: str) -> None:
        account = self.journal.by_run_id.get(run_id)
        if account is None:
            return
        wanted = account.activities[path].labels if path in account.activities else ()
        if not path and account.created is not None:
            wanted = account.created.labels
        has = self.labels_of(worker)
        if any(has.get(name) != value for name, value in wanted):
            raise Violation(f"{worker} has {dict(has)}, and was given run {run_id} {path}, which wants {wanted}")

    def _acknowledged(self, response: wpb.CompleteStepResponse) -> None:
        run_id = self._runs.get(response.token)
        if run_id is None or response.HasField("refusal") or self.is_ahead:
            return
        account = self.account(run_id, "an acknowledgement")
        if response.seq > len(account.bodies):
            raise Violation(f"event {response.seq} of run {run_id} is acknowledged and not on disk")

    def holder(self, run_id: str) -> str:
        """The worker that was given the run last."""
        return self.holders.get((run_id, ""), (0, "", 0.0))[1]


_CHECKS: dict[str, Callable[[Witness, Call, bytes, bytes], None]] = {
    _CLIENT + "StartWorkflow": Witness._started,  # noqa: SLF001 - a table of the class above
    _CLIENT + "AwaitResult": Witness._closed,  # noqa: SLF001
    _CLIENT + "SignalWorkflow": Witness._signalled,  # noqa: SLF001
    _CLIENT + "CompletePromise": Witness._promised,  # noqa: SLF001
    _CLIENT + "CancelWorkflow": Witness._cancelled,  # noqa: SLF001
    _CLIENT + "ReadValue": Witness._read,  # noqa: SLF001
    _WORK: Witness._work,  # noqa: SLF001
}
_CHECKS_AHEAD: dict[str, Callable[[Witness, Call, bytes, bytes], None]] = {
    path: _CHECKS[path] for path in (_CLIENT + "AwaitResult", _WORK)
}
