"""Commands that hold runs where they are, and let them go on."""

from aether.cli.call import Caller
from aether.cli.options import show_fields
from aether.cli.output import Format
from aether.wire.generated.aether.v1 import client_pb2 as pb
from aether.wire.plain import plain

_CLIENT = "/aether.v1.ClientService"


def pause_run(server: str, output: Format, workflow_id: str, run_id: str, reason: str) -> None:
    request = pb.PauseRequest(workflow_id=workflow_id, run_id=run_id, reason=reason)
    answer = pb.PauseResponse.FromString(Caller(server).unary(f"{_CLIENT}/PauseWorkflow", request))
    _show(output, workflow_id, answer, "paused already" if answer.existing else "paused")


def resume_run(server: str, output: Format, workflow_id: str, run_id: str) -> None:
    request = pb.ResumeRequest(workflow_id=workflow_id, run_id=run_id)
    answer = pb.ResumeResponse.FromString(Caller(server).unary(f"{_CLIENT}/ResumeWorkflow", request))
    _show(output, workflow_id, answer, "was not paused" if answer.existing else "resumed")


def _show(output: Format, workflow_id: str, answer: pb.PauseResponse | pb.ResumeResponse, said: str) -> None:
    fields = [("workflow", workflow_id), ("run", answer.run_id), ("done", said)]
    show_fields(output, "pause", fields, {"workflow_id": workflow_id, **plain(answer)}, [workflow_id])
