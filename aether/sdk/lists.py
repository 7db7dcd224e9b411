"""Lists of runs of any length, read a page at a time."""

from collections.abc import AsyncIterator
from typing import Final

from aether.sdk import rpc
from aether.sdk.transport import Transport
from aether.sdk.views import WorkflowInfo, info_from_proto
from aether.wire.generated.aether.v1 import admin_pb2, client_pb2

# The most that a server answers at once.
PAGE_RUNS: Final = 1_000


async def list_runs(
    transport: Transport, request: admin_pb2.ListRequest, limit: int, timeout_s: float
) -> AsyncIterator[WorkflowInfo]:
    """At most `limit` runs; pages follow each other by key, so what is started meanwhile shifts nothing."""
    while limit > 0:
        request.limit = min(limit, PAGE_RUNS)
        count = 0
        parse = client_pb2.WorkflowInfo.FromString
        path = "/aether.v1.AdminService/ListWorkflows"
        async for message in rpc.stream_until(transport, path, request, parse, timeout_s=timeout_s):
            count += 1
            if request.oldest_first:
                request.after_run_key = message.run_key
            else:
                request.before_run_key = message.run_key
            yield info_from_proto(message)
        if count < request.limit:
            return
        limit -= count
