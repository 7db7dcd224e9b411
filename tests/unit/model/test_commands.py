import typing

from aether.model import commands
from aether.model.payload import Payload
from aether.model.policy import DEFAULT_RETRY, NO_TIMEOUTS
from aether.wire.generated.aether.v1 import worker_pb2


def test_the_list_of_commands_is_closed_and_is_that_of_the_protos():
    own = commands.__name__
    defined = {kind for kind in vars(commands).values() if isinstance(kind, type) and kind.__module__ == own}
    listed = set(typing.get_args(commands.Command))
    assert defined == listed
    assert {kind.__name__ for kind in listed} == {
        field.message_type.name
        for field in worker_pb2.Command.DESCRIPTOR.oneofs_by_name["command"].fields
        if field.message_type is not None
    }


def test_each_command_is_for_one_kind_of_task():
    for_runs, for_activities = (set(typing.get_args(kind)) for kind in (commands.RunCommand, commands.ActivityCommand))
    assert not for_runs & for_activities
    assert for_runs | for_activities == set(typing.get_args(commands.Command))


def test_an_activity_has_the_default_policy_and_no_bounds_unless_it_says_otherwise():
    command = commands.ScheduleActivity("1", "charge", "", Payload(b""))
    assert (command.retry, command.timeouts) == (DEFAULT_RETRY, NO_TIMEOUTS)
