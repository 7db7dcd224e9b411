"""What is done to one run or to many, and how each went."""

import trio
from trio.testing import MockClock

from aether import QueueInfo
from aether.errors import WorkflowClosed
from aether_tui.deeds import perform
from aether_tui.ui import Intent


class Handles:
    """A client whose runs can be cancelled, signalled, are over, or say nothing."""

    def __init__(self, *, over=(), silent=()):
        self.over, self.silent = over, silent
        self.done = []
        self.at_once = self.most_at_once = 0

    def handle(self, workflow_id, run_id):
        return Handle(self, workflow_id, run_id)

    async def update_queue(self, name, *, paused=None, reason="", activity_limit=None):
        self.done.append((name, paused, activity_limit))
        return QueueInfo(name, bool(paused), reason, activity_limit or 0, 1, 0, 0, 0, 0)


class Handle:
    def __init__(self, client, workflow_id, run_id):
        self.client, self.workflow_id, self.run_id = client, workflow_id, run_id

    async def _do(self, *what):
        client = self.client
        client.at_once += 1
        client.most_at_once = max(client.most_at_once, client.at_once)
        await trio.sleep(1)
        client.at_once -= 1
        if self.workflow_id in client.silent:
            await trio.sleep_forever()
        if self.workflow_id in client.over:
            raise WorkflowClosed(f"{self.workflow_id} is over")
        client.done.append((self.workflow_id, *what))

    async def cancel(self, reason, *, force=False):
        await self._do("cancel", force)

    async def pause(self, reason):
        await self._do("pause")

    async def resume(self):
        await self._do("resume")

    async def retry(self):
        await self._do("retry")
        return Handle(self.client, self.workflow_id, "2")

    async def fork(self, *, at, workflow_id):
        await self._do("fork", at)
        return Handle(self.client, workflow_id or "made-up", "2")

    async def signal(self, name, value):
        await self._do(name, value)


def done(client, intent):
    told = {}

    def tell(run, is_done, said):
        told[run[0]] = is_done, said

    return trio.run(perform, client, intent, tell, clock=MockClock(autojump_threshold=0)), told


def test_each_action_does_what_it_says():
    client = Handles()
    assert done(client, Intent("cancel", (("a", "1"),))) == (1, {"a": (True, "done")})
    assert done(client, Intent("retry", (("a", "1"),))) == (1, {"a": (True, "goes on as run 2")})
    assert done(client, Intent("fork", (("a", "1"),), answers=("8", " "))) == (1, {"a": (True, "the fork is made-up")})
    assert client.done == [("a", "cancel", False), ("a", "retry"), ("a", "fork", 8)]
    client.done.clear()
    done(client, Intent("pause", (("a", "1"),)))
    done(client, Intent("resume", (("a", "1"),)))
    assert client.done == [("a", "pause"), ("a", "resume")]
    client.done.clear()
    done(client, Intent("end", (("a", "1"),)))
    done(client, Intent("signal", (("a", "1"),), answers=(" go ", '{"x": 1}')))
    done(client, Intent("signal", (("a", "1"),), answers=("go", "")))
    assert client.done == [("a", "cancel", True), ("a", "go", {"x": 1}), ("a", "go", None)]


def test_a_queue_is_paused_resumed_and_limited():
    client = Handles()
    assert done(client, Intent("pause-queue", queue="gpu")) == (1, {"gpu": (True, "done")})
    done(client, Intent("resume-queue", queue="gpu"))
    assert (
        done(client, Intent("limit-queue", queue="gpu", answers=("8",)))[1]["gpu"][1]
        == "at most 8 activities at a time"
    )
    one = done(client, Intent("limit-queue", queue="gpu", answers=("1",)))[1]["gpu"][1]
    assert one == "at most 1 activity at a time"
    assert done(client, Intent("limit-queue", queue="gpu", answers=("0",)))[1]["gpu"][1] == "no limit"
    assert client.done == [("gpu", True, None), ("gpu", False, None), *(("gpu", None, limit) for limit in (8, 1, 0))]


def test_of_many_each_is_told_and_few_are_done_at_once():
    client = Handles(over={"w-7"}, silent={"w-9"})
    count, told = done(client, Intent("cancel", tuple((f"w-{number}", "r") for number in range(100))))
    assert count == 98
    assert told["w-7"] == (False, "w-7 is over")
    assert told["w-9"] == (False, "no answer; whether it was done is not known")
    assert list(told.values()).count((True, "done")) == 98
    assert client.most_at_once == 16
