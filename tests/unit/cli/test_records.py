"""Messages as JSON documents and as lines."""

import base64

import pytest

from aether.cli.moments import Moment, duration
from aether.cli.records import (
    failure_text,
    failure_tree,
    history_rows,
    pending_text,
    status_fields,
    value_text,
)
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2
from aether.wire.generated.aether.v1 import model_pb2 as pb
from aether.wire.plain import iso_time, plain, plain_payload, state_name

T0 = 1_790_000_000_000_000
BOOM = pb.Failure(type="Boom", message="it broke", traceback="Traceback:\n  line 1\n")


def payload(text):
    return pb.Payload(data=text.encode())


def test_times_are_iso_in_utc():
    assert iso_time(T0) == "2026-09-21T14:13:20.000Z"
    assert iso_time(0) == ""
    assert iso_time(2**62) == f"{2**62} us"


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (350_000, "350 ms"),
        (4_200_000, "4.2 s"),
        (-4_200_000, "4.2 s"),
        (185_000_000, "3 min 5 s"),
        (7_800_000_000, "2 h 10 min"),
        (273_600_000_000, "3 d 4 h"),
    ],
)
def test_durations_are_said_in_two_units_at_most(length, words):
    assert duration(length) == words


def test_states_are_named_without_their_prefix():
    assert state_name(pb.RUN_STATE_FAILED) == "FAILED"
    assert state_name(99) == "99"


def test_a_payload_is_what_it_holds():
    assert plain_payload(payload('{"a": [1, null]}')) == {"a": [1, None]}
    assert plain_payload(payload("NaN")) == "NaN"
    assert plain_payload(pb.Payload(data=b"\xff\x00")) == {"base64": base64.b64encode(b"\xff\x00").decode()}
    assert plain_payload(pb.Payload(data=b"[1]", encoding="json;type=shop:Order")) == [1]
    assert plain_payload(pb.Payload(data=b"xx", encoding="aes")) == {"encoding": "aes", "base64": "eHg="}
    assert plain_payload(payload("[" * 100_000)) == {"base64": base64.b64encode(b"[" * 100_000).decode()}
    assert value_text(payload('{"a":"ü"}')) == '{"a": "ü"}'


def test_a_message_becomes_a_document_without_what_is_not_there():
    info = client_pb2.WorkflowInfo(workflow_id="w", state=pb.RUN_STATE_RUNNING, created_at_us=T0, history_length=3)
    assert plain(info) == {
        "workflow_id": "w",
        "run_id": "",
        "workflow_type": "",
        "task_queue": "",
        "state": "RUNNING",
        "created_at": "2026-09-21T14:13:20.000Z",
        "closed_at": None,
        "parent_workflow_id": "",
        "history_length": 3,
        "worker_id": "",
        "tags": {},
        "run_key": 0,
    }
    pending = [client_pb2.Pending(kind="timer")]
    info.tags["team"] = "red"
    status = plain(client_pb2.WorkflowStatus(info=info, pending=pending, result=payload("1"), memo={"n": payload("2")}))
    assert plain(info)["tags"] == {"team": "red"}
    assert status["memo"] == {"n": 2}
    assert status["result"] == 1
    assert "failure" not in status
    assert status["pending"] == [
        {"path": "", "kind": "timer", "name": "", "attempt": 0, "due_at": None, "worker_id": "", "reason": ""}
    ]
    worker = plain(admin_pb2.WorkerInfo(workflow_types=["a", "b"]))
    assert worker["workflow_types"] == ["a", "b"]


def test_history_names_what_a_path_was_given_and_counts_from_the_start():
    events = [
        pb.Event(seq=1, at_us=T0, run_created=pb.RunCreated(workflow_type="order", input=payload("[1]"))),
        pb.Event(seq=2, at_us=T0 + 1000, run_started=pb.RunStarted(worker_id="w1", attempt=2, reason="lost")),
        pb.Event(seq=3, at_us=T0 + 2000, activity_scheduled=pb.ActivityScheduled(path="1", activity_type="charge")),
        pb.Event(seq=4, at_us=T0 + 3000, activity_started=pb.ActivityStarted(path="1", attempt=1, worker_id="w1")),
        pb.Event(
            seq=5,
            at_us=T0 + 4000,
            activity_retried=pb.ActivityRetried(path="1", attempt=1, failure=BOOM, next_at_us=T0 + 1_004_000),
        ),
        pb.Event(seq=6, at_us=T0 + 5000, timer_started=pb.TimerStarted(path="2", fire_at_us=T0 + 60_005_000)),
        pb.Event(
            seq=7, at_us=T0 + 6000, child_started=pb.ChildStarted(path="3", workflow_id="c-1", workflow_type="ship")
        ),
        pb.Event(seq=8, at_us=T0 + 7000, child_completed=pb.ChildCompleted(path="3", result=payload("true"))),
        pb.Event(seq=9, at_us=T0 + 8000),
    ]
    assert list(history_rows(events)) == [
        (1, "+0.000", "RunCreated", "", "order", "[1]"),
        (2, "+0.001", "RunStarted", "", "", "worker w1, attempt 2, lost"),
        (3, "+0.002", "ActivityScheduled", "1", "charge", ""),
        (4, "+0.003", "ActivityStarted", "1", "charge", "worker w1"),
        (5, "+0.004", "ActivityRetried", "1", "charge", "Boom: it broke, due at +1.004"),
        (6, "+0.005", "TimerStarted", "2", "", "due at +60.005"),
        (7, "+0.006", "ChildStarted", "3", "ship c-1", ""),
        (8, "+0.007", "ChildCompleted", "3", "ship c-1", "true"),
        (9, "+0.008", "Unknown", "", "", ""),
    ]
    assert [row[1] for row in history_rows(events[:2], since_start=False)] == [Moment(T0), Moment(T0 + 1000)]


def test_the_status_of_an_open_run_says_what_it_waits_for():
    status = client_pb2.WorkflowStatus(
        info=client_pb2.WorkflowInfo(
            workflow_id="w", run_id="r", workflow_type="t", state=pb.RUN_STATE_RUNNING, created_at_us=T0
        ),
        cancel_requested=True,
        blocked=True,
        pending=[
            client_pb2.Pending(path="2", kind="timer", due_at_us=T0 + 10_000_000),
            client_pb2.Pending(
                path="1", kind="activity", name="charge", attempt=3, due_at_us=T0, last_failure=BOOM, worker_id="w1",
                heartbeat=payload("7"),
            ),
        ],
        persistence="memory",
    )  # fmt: skip
    fields = status_fields(status, T0 + 5_000_000)
    assert ("open for", "5.0 s") in fields
    assert ("cancel", "requested") in fields
    assert ("blocked", "the workers' code does not fit the history") in fields
    status.failure.type = "HistoryUnreadable"
    assert ("blocked", "the server can not read the history from disk") in status_fields(status, T0)
    assert [value for name, value in fields if name == "waits for"] == [
        "timer at 2, due in 5.0 s",
        "activity charge at 1, attempt 3, on worker w1, due since 5.0 s, last heartbeat 7, last failure Boom: it broke",
    ]
    assert "closed" not in dict(fields)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "a worker"),
        ("no worker has its type", "a worker: no worker has its type"),
        ("paused", "somebody to resume it"),
        ("blocked", "a worker whose code fits its history"),
        ("waits for a slot", "a slot of the worker that has it"),
    ],
)
def test_what_a_run_waits_for_that_is_ready_reads_as_a_sentence(name, words):
    assert pending_text(client_pb2.Pending(kind="worker", name=name), T0) == words


def test_the_status_of_a_closed_run_says_how_it_ended():
    info = client_pb2.WorkflowInfo(
        workflow_id="w", state=pb.RUN_STATE_FAILED, created_at_us=T0, closed_at_us=T0 + 1_500_000
    )
    fields = dict(status_fields(client_pb2.WorkflowStatus(info=info, failure=BOOM, cancel_requested=True), T0 + 10**12))
    assert fields["took"] == "1.5 s"
    assert fields["failure"] == "Boom: it broke\nTraceback:\n  line 1"
    assert "cancel" not in fields
    done = client_pb2.WorkflowStatus(info=info, result=payload('"ok"'))
    assert dict(status_fields(done, T0))["result"] == '"ok"'


def test_a_failure_is_told_with_its_causes_or_members():
    assert failure_text(pb.Failure(type="Boom")) == "Boom"
    assert failure_tree(pb.Failure(type="A", message="a", causes=[BOOM])) == (
        "A: a\nbecause of:\n  Boom: it broke\n  Traceback:\n    line 1"
    )
    group = pb.Failure(type="ExceptionGroup", group=True, causes=[pb.Failure(type="X"), pb.Failure(type="Y")])
    assert failure_tree(group) == "ExceptionGroup (2 failures)\nand:\n  X\nand:\n  Y"
