"""What is known of a run's past and present as messages of the public contract."""

from collections.abc import Iterator

from aether.core.explain import Explanation, Reason
from aether.core.past import PastRun
from aether.core.timeline import Attempt, Row
from aether.server.answers import pending_of, proto_state
from aether.wire.generated.aether.v1 import admin_pb2 as pb
from aether.wire.values import failure_to_proto, payload_to_proto


def timeline_row(row: Row) -> pb.TimelineRow:
    return pb.TimelineRow(
        path=row.path,
        kind=row.kind,
        name=row.name,
        state=row.state,
        branch=row.branch,
        depth=row.depth,
        created_at_us=row.created_at,
        started_at_us=row.started_at,
        ended_at_us=row.ended_at,
        due_at_us=row.due_at,
        worker_id=row.worker_id,
        attempts=[_attempt(attempt) for attempt in row.attempts],
        attempt_count=row.attempt_count,
        failure=failure_to_proto(row.failure) if row.failure else None,
        child_workflow_id=row.child_workflow_id,
        child_run_id=row.child_run_id,
        first_seq=row.first_seq,
        last_seq=row.last_seq,
    )


def _attempt(attempt: Attempt) -> pb.TimelineAttempt:
    return pb.TimelineAttempt(
        number=attempt.number,
        due_at_us=attempt.due_at,
        started_at_us=attempt.started_at,
        ended_at_us=attempt.ended_at,
        worker_id=attempt.worker_id,
        failure=failure_to_proto(attempt.failure) if attempt.failure else None,
    )


def explanation(told: Explanation) -> pb.Explanation:
    return pb.Explanation(
        workflow_id=told.workflow_id,
        run_id=told.run_id,
        state=proto_state(told.state),
        sentence=told.sentence,
        reasons=[_reason(reason) for reason in told.reasons],
    )


def _reason(reason: Reason) -> pb.Reason:
    return pb.Reason(
        kind=reason.kind,
        text=reason.text,
        path=reason.path,
        name=reason.name,
        due_at_us=reason.due_at,
        worker_id=reason.worker_id,
    )


def state_items(past: PastRun) -> Iterator[pb.StateItem]:
    """Each fits into a message, whatever the run holds."""
    run, last = past.run, past.last
    assert run is not None
    assert last is not None
    yield pb.StateItem(
        run=pb.RunAt(
            workflow_id=run.workflow_id,
            run_id=run.run_id,
            workflow_type=run.workflow_type,
            state=proto_state(run.state),
            seq=last.seq,
            at_us=last.at,
            attempt=run.attempts,
            worker_id=past.worker_id,
            cancel_requested=run.cancel_requested,
            created_at_us=run.created_at,
        )
    )
    for outcome in past.outcomes:
        yield pb.StateItem(
            outcome=pb.Outcome(
                seq=outcome.seq,
                at_us=outcome.at,
                path=outcome.path,
                kind=outcome.kind,
                name=outcome.name,
                state=outcome.state,
                attempt=outcome.attempt,
                result=payload_to_proto(outcome.result) if outcome.result is not None else None,
                failure=failure_to_proto(outcome.failure) if outcome.failure is not None else None,
            )
        )
    for view in past.pending():
        yield pb.StateItem(pending=pending_of(view))
    for key, (value, at) in (run.published or {}).items():
        yield pb.StateItem(published=pb.PublishedValue(key=key, value=payload_to_proto(value), published_at_us=at))
    for signal in past.signals:
        yield pb.StateItem(
            signal=pb.ReceivedSignal(
                seq=signal.seq, at_us=signal.at, name=signal.name, value=payload_to_proto(signal.value)
            )
        )
