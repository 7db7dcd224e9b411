"""Temporal: client and worker in one process, against a server. A step is an activity, Temporal's recorded unit."""

import asyncio
import sys
import uuid
from datetime import timedelta

from loop import RESULT, serve_loads
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@activity.defn
async def answer() -> str:
    return RESULT


@workflow.defn
class NSteps:
    @workflow.run
    async def run(self, count: int) -> str:
        result = ""
        for _ in range(count):
            result = await workflow.execute_activity(answer, start_to_close_timeout=timedelta(seconds=60))
        return result


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    async with Worker(
        client,
        task_queue="benchmark",
        workflows=[NSteps],
        activities=[answer],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_workflow_tasks=64,
        max_concurrent_activities=64,
    ):
        await serve_loads(
            lambda count: client.execute_workflow(NSteps.run, count, id=str(uuid.uuid4()), task_queue="benchmark")
        )


if __name__ == "__main__":
    asyncio.run(main())
