"""A whole worker that imports nothing of Aether: grpcio, and the stubs that protoc makes from protos/.

It is the program that docs/worker-protocol.md explains, with one workflow and one activity:

    plain-order(order_id):  step "reserve"  ->  activity "charge"  ->  step "ship"  ->  result

A workflow here is a function from what has happened to what is to be done next. Run it as
`plain_grpc_worker.py HOST:PORT`, with the stubs on the path. PLAIN_DIE_AFTER=reserve makes it die behind that step.
"""

import json
import os
import signal
import sys
import threading

import grpc

from aether.v1 import model_pb2, worker_pb2, worker_pb2_grpc


def payload(value):
    return model_pb2.Payload(data=json.dumps(value).encode())


class Run:
    """What this worker knows of one run: the outcomes at each path, and up to which seq it knows everything."""

    def __init__(self):
        self.arguments = None
        self.outcomes = {}
        self.scheduled = set()
        self.cancel_requested = False
        self.known_seq = 0

    def learn(self, event):
        kind = event.WhichOneof("fact")
        fact = getattr(event, kind)
        if kind == "run_created":
            self.arguments = json.loads(fact.input.data)
        elif kind in {"step_completed", "activity_completed"}:
            self.outcomes[fact.path] = json.loads(fact.result.data)
        elif kind in {"step_failed", "activity_failed"}:
            self.outcomes[fact.path] = fact.failure
        elif kind == "activity_scheduled":
            self.scheduled.add(fact.path)
        elif kind == "cancel_requested":
            self.cancel_requested = True
        self.known_seq = max(self.known_seq, event.seq)


def step(path, name, run):
    """Does the work of a step and makes the command that records it."""
    print(f"step {name}", flush=True)
    result = {"step": name, "order": run.arguments[0]}
    return worker_pb2.Command(
        record_step=worker_pb2.RecordStep(path=path, name=name, result=payload(result), attempt=1)
    )


def next_command(run):
    """The workflow: what is to be done, given what has happened; None when it can only wait."""
    if run.cancel_requested:
        return worker_pb2.Command(cancel_run=worker_pb2.CancelRun())
    if "1" not in run.outcomes:
        return step("1", "reserve", run)
    if "2" not in run.outcomes:
        if "2" in run.scheduled:
            return None
        charge = worker_pb2.ScheduleActivity(
            path="2",
            activity_type="charge",
            input=payload(run.arguments),
            retry=model_pb2.RetryPolicy(initial_ms=10, factor=2, maximum_ms=1000, max_attempts=3),
        )
        return worker_pb2.Command(schedule_activity=charge)
    if isinstance(run.outcomes["2"], model_pb2.Failure):
        return worker_pb2.Command(fail_run=worker_pb2.FailRun(failure=run.outcomes["2"]))
    if "3" not in run.outcomes:
        return step("3", "ship", run)
    result = [run.outcomes[path] for path in ("1", "2", "3")]
    return worker_pb2.Command(complete_run=worker_pb2.CompleteRun(result=payload(result)))


def learn_own(run, command, seq):
    """An acknowledged command is an event that the server does not send back."""
    if command.HasField("record_step"):
        run.outcomes[command.record_step.path] = json.loads(command.record_step.result.data)
    elif command.HasField("schedule_activity"):
        run.scheduled.add(command.schedule_activity.path)
    run.known_seq = max(run.known_seq, seq)


class Worker:
    def __init__(self, channel):
        self.stub = worker_pb2_grpc.WorkerServiceStub(channel)
        self.runs = {}
        self.is_over = threading.Event()

    def work(self):
        registered = self.stub.Register(
            worker_pb2.RegisterRequest(
                worker_id="plain", workflow_types=["plain-order"], activity_types=["charge"], activity_slots=1
            )
        )
        beat_s = registered.session_timeout_ms / 3000
        threading.Thread(target=self.beat, args=(registered.session_id, beat_s), daemon=True).start()
        tasks = self.stub.PollTasks(worker_pb2.PollRequest(session_id=registered.session_id))
        signal.signal(signal.SIGTERM, lambda *_: tasks.cancel())
        print("ready", flush=True)
        try:
            for task in tasks:
                self.take(task, registered.session_id)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.CANCELLED:
                raise
        self.is_over.set()

    def beat(self, session_id, every_s):
        while not self.is_over.wait(every_s):
            self.stub.Heartbeat(worker_pb2.HeartbeatRequest(session_id=session_id))

    def take(self, task, session_id):
        kind = task.WhichOneof("task")
        if kind == "workflow":
            run = self.runs.setdefault(task.token, Run())
            for event in task.workflow.events:
                run.learn(event)
            if not task.workflow.more:
                self.advance(task.token, run)
        elif kind == "activity":
            self.execute(task.token, task.activity, session_id)
        elif kind == "revoked":
            self.runs.pop(task.token, None)

    def advance(self, token, run):
        while (command := next_command(run)) is not None:
            request = worker_pb2.CompleteStepRequest(token=token, commands=[command])
            response = self.complete(request)
            if response is None or command.WhichOneof("command") in {"complete_run", "fail_run", "cancel_run"}:
                self.runs.pop(token, None)
                return
            learn_own(run, command, response.seq)
            if command.record_step.name and command.record_step.name == os.environ.get("PLAIN_DIE_AFTER"):
                os._exit(1)
        self.complete(worker_pb2.CompleteStepRequest(token=token, blocked=True, known_seq=run.known_seq))

    def complete(self, request):
        try:
            return self.stub.CompleteStep(request)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.ABORTED:  # StaleLease: somebody else has it by now
                return None
            raise

    def execute(self, token, task, session_id):
        self.stub.Heartbeat(worker_pb2.HeartbeatRequest(session_id=session_id, token=token, details=payload("half")))
        (order_id,) = json.loads(task.input.data)
        print(f"activity charge, attempt {task.attempt}", flush=True)
        if order_id == "unlucky" and task.attempt == 1:
            failure = model_pb2.Failure(type="CardReader", message="jammed")
            command = worker_pb2.Command(fail_activity=worker_pb2.FailActivity(failure=failure))
        else:
            result = payload({"charged": order_id, "attempt": task.attempt, "seen": task.last_heartbeat.data.decode()})
            command = worker_pb2.Command(complete_activity=worker_pb2.CompleteActivity(result=result))
        self.complete(worker_pb2.CompleteStepRequest(token=token, commands=[command]))


if __name__ == "__main__":
    with grpc.insecure_channel(sys.argv[1]) as connected:
        Worker(connected).work()
