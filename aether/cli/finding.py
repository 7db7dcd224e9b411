"""Ids like the one that no run has: what somebody may have meant."""

from difflib import get_close_matches

from aether.cli.call import Caller
from aether.cli.options import say
from aether.errors import AetherError, WorkflowNotFound
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2

# It is only a help: a server that is slow to say it is not waited for.
_PATIENCE_S = 2.0
_BEGIN_MAX = 100
_NEWEST = 500
_SHOWN = 5


def ids_that_begin(server: str, text: str, patience_s: float = _PATIENCE_S) -> list[str]:
    """Ids of runs, newest first, each once; without children, who begin like their parents, unless they are meant."""
    found = _ids(server, admin_pb2.ListRequest(workflow_id_prefix=text, limit=_BEGIN_MAX), patience_s)
    parents = tuple(f"{each}/" for each in found)
    return [each for each in found if "/" in text or not each.startswith(parents)]


def _ids(server: str, request: admin_pb2.ListRequest, patience_s: float) -> list[str]:
    answers = Caller(server, patience_s).stream("/aether.v1.AdminService/ListWorkflows", request)
    infos = (client_pb2.WorkflowInfo.FromString(each) for each in answers)
    return list(dict.fromkeys(info.workflow_id for info in infos))


def with_near_ids(error: WorkflowNotFound, server: str, workflow_id: str) -> WorkflowNotFound:
    """The same error, and which ids are like that one."""
    try:
        begin = ids_that_begin(server, workflow_id)
        near = begin or get_close_matches(
            workflow_id, _ids(server, admin_pb2.ListRequest(limit=_NEWEST), _PATIENCE_S), _SHOWN, cutoff=0.7
        )
    except AetherError:
        return error
    if not near:
        return error
    shown = ", ".join(near[:_SHOWN]) + (", …" if len(near) > _SHOWN else "")
    what = f"these begin so: {shown}" if len(begin) > 1 else f"did you mean {shown}?"
    return WorkflowNotFound(f"no workflow {workflow_id!r}; {what}")


def resolved(server: str, workflow_id: str, error: WorkflowNotFound) -> str:
    """The one id that begins so. Raises the error if there is none, or more than one."""
    try:
        begin = ids_that_begin(server, workflow_id)
    except AetherError:
        raise error from None
    if len(begin) != 1:
        raise error
    say(f"aether: no workflow {workflow_id!r}; this is {begin[0]}, the only one that begins so")
    return begin[0]
