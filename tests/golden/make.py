"""Makes a golden database of the present format, and beside it what must be read from it for ever.

    python -m tests.golden.make

Run it once when the format has got a new number, commit what it makes, and never make it again.
"""

import gzip
import json
import os
import tempfile
from pathlib import Path

import anyio

import aether
from aether.model.events import StepCompleted
from aether.sdk import rpc
from aether.store.sqlite_schema import FORMAT
from aether.wire.documents import event_document
from aether.wire.generated.aether.v1 import admin_pb2, model_pb2
from tests.golden import workflows as w

HERE = Path(__file__).parent


async def fill(client: aether.Client) -> None:
    """Runs in every state, and one that no worker has had."""
    async with client.serve(grace_s=0):
        done = await w.everything.options(
            workflow_id="everything", tags={"customer": "c77", "team": "sales"}, memo={"asked by": "Ada"}
        ).start(20)
        await done.signal("word", "please")
        await done.result()
        various = await w.various.options(workflow_id="various").start()
        while (token := await various.read("token", result_type=str)) is None:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        await client.complete_promise(token, "receipt")
        try:
            await various.result()
        except aether.WorkflowFailed as error:
            print("as it should be:", error)
        forked = await client.handle("everything").fork(at=4, workflow_id="forked")
        await forked.signal("word", "again")
        await forked.result()
        failing = await w.failing.options(workflow_id="failing", tags={"customer": "c78"}).start()
        try:
            await failing.result()
        except aether.WorkflowFailed as error:
            print("as it should be:", error)
        cancelled = await w.waiting.options(workflow_id="cancelled").start("nobody")
        await until_step(cancelled)
        await cancelled.cancel("not needed")
        try:
            await cancelled.result()
        except aether.WorkflowCancelled as error:
            print("as it should be:", error)
        waiting = await w.waiting.options(workflow_id="waiting", tags={"customer": "c77"}).start("Bo")
        await until_step(waiting)
        await w.sleeping.options(workflow_id="sleeping").start()
        await w.lasting.options(workflow_id="lasting", run_timeout_s=10 * 365 * 24 * 3600).start()
        await until_open(client)
    async with client:
        await client.update_queue("nightly", paused=True, reason="inventory")
        pending = w.waiting.options(workflow_id="pending", memo={"asked by": "Cy"}, priority=2)
        await pending.start("Di")


async def until_step(handle: aether.Handle[str]) -> None:
    while not await has_step(handle):  # noqa: ASYNC110 - it has no way of telling
        await anyio.sleep(0.01)


async def has_step(handle: aether.Handle[str]) -> bool:
    return any([isinstance(event.fact, StepCompleted) async for event in handle.history()])


async def until_open(client: aether.Client) -> None:
    """Until one sleeps and the other has a worker."""
    while not (await client.handle("sleeping").status()).pending:  # noqa: ASYNC110 - it has no way of telling
        await anyio.sleep(0.01)
    while not (await client.handle("lasting").status()).info.worker_id:  # noqa: ASYNC110
        await anyio.sleep(0.01)


async def read(client: aether.Client) -> dict[str, object]:
    """Every run with its whole history, as `aether history -o json` shows it."""
    found: dict[str, object] = {}
    async with client:
        infos = [info async for info in client.list()]
        for info in infos:
            request = admin_pb2.GetHistoryRequest(workflow_id=info.workflow_id, run_id=info.run_id)
            path = "/aether.v1.AdminService/GetHistory"
            parse = model_pb2.Event.FromString
            events = [event_document(each) async for each in rpc.stream(client.transport, path, request, parse)]
            found[info.workflow_id] = {"state": info.state.name, "type": info.workflow_type, "history": events}
    return found


async def make() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        client = w.client
        client._db = "golden.db"
        await fill(client)
        content = Path("golden.db").read_bytes()
        expected = await read(client)
    name = HERE / f"format-{FORMAT}"
    # Compressed, for an SQLite file is mostly room; without a time, so only what is in it counts.
    name.with_suffix(".db.gz").write_bytes(gzip.compress(content, mtime=0))
    name.with_suffix(".json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    anyio.run(make)
