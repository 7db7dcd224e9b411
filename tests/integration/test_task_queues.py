"""Which worker takes what, with real processes: labels."""

import shutil
from pathlib import Path

import anyio
import pytest

import aether
from tests.integration import queue_tasks as app
from tests.processes import Child
from tests.processes import aether as command

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"


class Worker(Child):
    def __init__(self, folder: Path, name: str, url: str, *options: str) -> None:
        shutil.copy(app.__file__, folder)
        line = ("-m", "aether.cli", "worker", "queue_tasks:client", *options)
        super().__init__(*line, cwd=folder, AETHER_SERVER=url, WORKER=name)
        self.wait_for("serving")


async def until_waiting(handle: "aether.Handle[str]", reason: str) -> None:
    with anyio.fail_after(30):
        while not any(reason in (item.reason or item.name) for item in (await handle.status()).pending):  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def test_an_activity_runs_only_where_its_labels_are_and_says_which_one_is_missing(server, tmp_path):
    async with aether.Client(server.url) as client:
        handle = await client.start(app.trains.options(workflow_id="t"))
        with Worker(tmp_path, "plain", server.url), Worker(tmp_path, "small", server.url, "--label", "gpu=t4"):
            await until_waiting(handle, "no worker has label gpu=a100")
            assert "no worker has label gpu=a100" in command("status", "t", AETHER_SERVER=server.url).stdout
            with Worker(tmp_path, "large", server.url, "--label", "gpu=a100", "--label", "zone=b"):
                assert await handle.result(timeout_s=30) == "large"


def test_a_label_without_a_value_is_refused(tmp_path):
    done = command("worker", "queue_tasks:client", "--label", "gpu", cwd=Path(app.__file__).parent)
    assert done.returncode == 2
    assert "must be NAME=VALUE, not 'gpu'" in done.stderr
