"""Commands that hold runs where they are, and let them go on."""

from aether.cli.batch import act_on_all
from aether.cli.call import Caller
from aether.cli.options import show_fields
from aether.cli.output import Format
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.plain import plain

_CLIENT = "/aether.v1.ClientService"


def pause_run(server: str, output: Format, workflow_id: str, run_id: str, reason: str) -> None:
    _show(output, workflow_id, *_pause(Caller(server), workflow_id, run_id, reason))


def resume_run(server: str, output: Format, workflow_id: str, run_id: str) -> None:
    _show(output, workflow_id, *_resume(Caller(server), workflow_id, run_id))


def pause_all(server: str, output: Format, words: str, reason: str, *, dry_run: bool, yes: bool) -> None:
    def act(caller: Caller, info: pb.WorkflowInfo) -> str:
        return "would be paused" if dry_run else _pause(caller, info.workflow_id, info.run_id, reason)[1]

    act_on_all(server, output, words, "open", act, verb="paused", dry_run=dry_run, yes=yes)


def resume_all(server: str, output: Format, words: str, *, dry_run: bool, yes: bool) -> None:
    def act(caller: Caller, info: pb.WorkflowInfo) -> str:
        return "would be resumed" if dry_run else _resume(caller, info.workflow_id, info.run_id)[1]

    act_on_all(server, output, words, "open", act, verb="resumed", dry_run=dry_run, yes=yes)


def _pause(caller: Caller, workflow_id: str, run_id: str, reason: str) -> tuple[pb.PauseResponse, str]:
    request = pb.PauseRequest(workflow_id=workflow_id, run_id=run_id, reason=reason)
    answer = pb.PauseResponse.FromString(caller.unary(f"{_CLIENT}/PauseWorkflow", request))
    return answer, "paused already" if answer.existing else "paused"


def _resume(caller: Caller, workflow_id: str, run_id: str) -> tuple[pb.ResumeResponse, str]:
    request = pb.ResumeRequest(workflow_id=workflow_id, run_id=run_id)
    answer = pb.ResumeResponse.FromString(caller.unary(f"{_CLIENT}/ResumeWorkflow", request))
    return answer, "was not paused" if answer.existing else "resumed"


def _show(output: Format, workflow_id: str, answer: pb.PauseResponse | pb.ResumeResponse, said: str) -> None:
    fields = [("workflow", workflow_id), ("run", answer.run_id), ("done", said)]
    show_fields(output, "pause", fields, {"workflow_id": workflow_id, **plain(answer)}, [workflow_id])
