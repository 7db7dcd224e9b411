from aether.model.runs import IdReusePolicy, ParentClosePolicy, RunState, TaskKind
from aether.wire.generated.aether.v1 import client_pb2, model_pb2


def test_three_states_are_final():
    assert [state.name for state in RunState if state.is_closed] == ["COMPLETED", "FAILED", "CANCELLED"]


def test_states_have_the_numbers_of_the_protos():
    protos = {name.removeprefix("RUN_STATE_"): number for name, number in model_pb2.RunState.items() if number}
    assert protos == {state.name: state.value for state in RunState}


def test_two_kinds_of_tasks_wait_in_queues():
    assert [kind.name for kind in TaskKind] == ["WORKFLOW", "ACTIVITY"]


def test_policies_have_the_numbers_of_the_protos():
    protos = {name.removeprefix("PARENT_CLOSE_POLICY_"): n for name, n in model_pb2.ParentClosePolicy.items() if n}
    assert protos == {policy.name: policy.value for policy in ParentClosePolicy}
    protos = {name.removeprefix("ID_REUSE_POLICY_"): n for name, n in client_pb2.IdReusePolicy.items() if n}
    assert protos == {policy.name: policy.value for policy in IdReusePolicy}
