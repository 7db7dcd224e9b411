"""What each record of a history means for the durable call at its path. A table; `replay.py` acts on it."""

from enum import Enum
from typing import Final, Literal

from attrs import frozen

from aether.model import commands as c
from aether.model import events as e

Kind = Literal["step", "timer", "activity", "child", "promise", "value", "signal"]
Record = e.Fact | c.RunCommand


class Verb(Enum):
    """What a record does to the call at its path."""

    STARTS = 1
    ENDS = 2
    # Ends it because the server was asked to give it up, by this run or by somebody else.
    CANCELS = 3
    # The run has asked the server to give it up.
    GIVES_UP = 4
    # An attempt failed; when the server's timer at the same path fires, there is another.
    RETRIES = 5


@frozen
class Meaning:
    verb: Verb
    kind: Kind
    # The record's attribute that tells the call's name; "" if it does not tell.
    name: str = ""


# Records that are not here change nothing for the code.
MEANINGS: Final[dict[type[Record], Meaning]] = {
    c.RecordStep: Meaning(Verb.ENDS, "step", "name"),
    e.StepCompleted: Meaning(Verb.ENDS, "step", "name"),
    e.StepFailed: Meaning(Verb.ENDS, "step", "name"),
    e.StepRetried: Meaning(Verb.RETRIES, "step", "name"),
    c.StartTimer: Meaning(Verb.STARTS, "timer"),
    e.TimerStarted: Meaning(Verb.STARTS, "timer"),
    e.TimerFired: Meaning(Verb.ENDS, "timer"),
    e.TimerCancelled: Meaning(Verb.GIVES_UP, "timer"),
    c.ScheduleActivity: Meaning(Verb.STARTS, "activity", "activity_type"),
    e.ActivityScheduled: Meaning(Verb.STARTS, "activity", "activity_type"),
    e.ActivityCompleted: Meaning(Verb.ENDS, "activity"),
    e.ActivityFailed: Meaning(Verb.ENDS, "activity"),
    e.ActivityCancelRequested: Meaning(Verb.GIVES_UP, "activity"),
    e.ActivityCancelled: Meaning(Verb.CANCELS, "activity"),
    c.StartChild: Meaning(Verb.STARTS, "child", "workflow_type"),
    e.ChildStarted: Meaning(Verb.STARTS, "child", "workflow_type"),
    e.ChildCompleted: Meaning(Verb.ENDS, "child"),
    e.ChildFailed: Meaning(Verb.ENDS, "child"),
    e.ChildCancelRequested: Meaning(Verb.GIVES_UP, "child"),
    e.ChildCancelled: Meaning(Verb.CANCELS, "child"),
    c.CreatePromise: Meaning(Verb.STARTS, "promise", "name"),
    e.PromiseCreated: Meaning(Verb.STARTS, "promise", "name"),
    e.PromiseResolved: Meaning(Verb.ENDS, "promise"),
    e.PromiseRejected: Meaning(Verb.ENDS, "promise"),
    e.PromiseDropped: Meaning(Verb.GIVES_UP, "promise"),
    c.PublishValue: Meaning(Verb.ENDS, "value", "key"),
    e.ValuePublished: Meaning(Verb.ENDS, "value", "key"),
}
# Every history begins with so many of them.
BEGIN_RECORDS: Final = 2


def only_begins(record: Record) -> bool:
    """Nothing but the begin of a run: its code needs not be told."""
    return isinstance(record, e.RunCreated) or (isinstance(record, e.RunStarted) and record.attempt == 1)
