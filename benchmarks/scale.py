"""How a store of many runs behaves: time to ready, lists, a long history, room on disk, memory.

    python benchmarks/scale.py [--scale 1] [--database PATH]

Fills one SQLite file through the store's own interface with 1,000,000 closed and 100,000 open runs of six events each
(times `--scale`) and one history of 10,000 events, all of them real events, and then asks what an operator would ask.
A server is started on it in a process of its own. With `--database` the file is kept, and used again if it is there.
CPU is what noise touches least.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

from aether.model import events as e
from aether.model.filters import parse_filter
from aether.model.payload import Failure, Payload
from aether.store.interface import Batch, EventRow, Reader, RunRow
from aether.store.sqlite import SqliteStore
from aether.wire.convert import KINDS, decode_event, encode_event

CLOSED, OPEN, LONG = 1_000_000, 100_000, 10_000
TYPES = ("order", "bill", "ship", "mail", "sync")
US = 1_000_000
VALUE = Payload(b'"' + b"x" * 120 + b'"')
BATCH_RUNS = 200
_PATIENCE_S = 600

LISTS = (
    ("the newest", ""),
    ("one type", "type:bill"),
    ("one state that few have", "state:failed"),
    ("one type in one state", "type:order state:completed"),
    ("two states", "state:failed,cancelled"),
    ("open ones of a type", "type:mail state:open"),
    ("a tag that 1 in 1,000 has", "tag.customer:c77"),
    ("a tag and a state", "tag.customer:c77 state:failed"),
    ("ids that begin so", "order-12"),
    ("one id", "id:bill-4321"),
    ("started in the last hour", "started:>1h"),
    ("closed on a day", "closed:2026-09-20"),
    ("not a state", "-state:completed"),
    ("worst: hardly ever met", "type:order -id:order* state:completed"),
    ("worst: no index", "queue:nobody"),
)


def history(run: RunRow, steps: int) -> Iterator[e.Event]:
    """A run of that many steps, as an engine would have recorded it."""
    facts: list[e.Fact] = [
        e.RunCreated(run.workflow_id, run.run_id, run.type, run.queue, VALUE, tags=run.tags),
        e.RunStarted("worker-1", 1),
        *(e.StepCompleted(str(number), "step", VALUE) for number in range(1, steps + 1)),
    ]
    if run.state == 3:
        facts.append(e.RunCompleted(VALUE))
    elif run.state == 4:
        facts.append(e.RunFailed(Failure("Boom", "it broke")))
    elif run.state == 5:
        facts.append(e.RunCancelled("not needed"))
    else:
        facts.append(e.TimerStarted(str(steps + 1), run.created_at + 10 * 365 * 86_400 * US))
    for seq, fact in enumerate(facts, 1):
        at = run.closed_at if run.closed_at is not None and seq == len(facts) else run.created_at + (seq - 1) * 1000
        yield e.Event(seq, at, fact, parked=isinstance(fact, e.TimerStarted))


def rows(run: RunRow, steps: int) -> list[EventRow]:
    return [
        EventRow(run.key, event.seq, event.at, KINDS[type(event.fact)], encode_event(event))
        for event in history(run, steps)
    ]


def make_run(key: int, count: int, draw: random.Random, now: int, *, is_open: bool) -> RunRow:
    type_ = TYPES[key % len(TYPES)]
    state = 2 if is_open else draw.choices((3, 4, 5), (970, 20, 10))[0]
    started = now - (count - key + 1) * 7 * US
    tags = (("customer", f"c{key % 1_000}"), ("team", "sales")) if key % 2 else ()
    closed_at = None if is_open else started + draw.randrange(US, 3600 * US)
    return RunRow(key, f"{type_}-{key}", f"{key:032x}", type_, "default", state, None, started, closed_at, tags)


def fill(store: SqliteStore, closed: int, opened: int) -> int:
    """Runs of all kinds, mixed as time mixes them; how many events."""
    draw = random.Random(7)
    now = int(time.time() * US)
    count = closed + opened + 1
    opened_keys = set(draw.sample(range(2, count + 1), opened))
    events, batches = 0, list[Batch]()
    for key in range(1, count + 1):
        run = make_run(key, count, draw, now, is_open=key in opened_keys)
        log = rows(run, LONG - 3 if key == 1 else 3)
        events += len(log)
        batches.append(Batch(runs=[run], events=log))
        if len(batches) == BATCH_RUNS or key == count:
            store.commit(batches)
            store.tidy()
            batches.clear()
    return events


def took(question: Callable[[], object], times: int) -> tuple[float, float]:
    """Milliseconds of the first time, and the median of some more."""
    found = []
    for _ in range(times + 1):
        started = time.perf_counter()
        question()
        found.append((time.perf_counter() - started) * 1000)
    return found[0], statistics.median(found[1:])


def read_history(reader: Reader, run_key: int) -> int:
    after = 0
    while page := reader.events(run_key, after, 2_000):
        for event in page:
            decode_event(event.body)
        after = page[-1].seq
    return after


def ask(path: str) -> None:
    store = SqliteStore(path)
    now = int(time.time() * US)
    print(f"{'a page of 100 runs':<28} {'first ms':>9} {'then ms':>9} {'runs':>6}")
    for name, text in LISTS:
        reader = store.reader()
        wanted = parse_filter(text, now)
        first, then = took(lambda: reader.list_runs(wanted, limit=100), 5)  # noqa: B023 - called at once
        print(f"{name:<28} {first:>9.1f} {then:>9.1f} {len(reader.list_runs(wanted, limit=100)):>6}")
        reader.close()
    reader = store.reader()
    middle = int(sum(reader.counts().values()) / 2)
    _, then = took(lambda: reader.list_runs(before_key=middle, limit=100), 5)
    print(f"{'a page in the middle':<28} {'':>9} {then:>9.1f}")
    first, then = took(lambda: read_history(reader, 1), 3)
    print(f"{'a history of 10,000 events':<28} {first:>9.1f} {then:>9.1f}   decoded")
    first, then = took(lambda: reader.events(1, 5_000, 100), 5)
    print(f"{'100 events of it':<28} {first:>9.1f} {then:>9.1f}")
    first, then = took(reader.counts, 3)
    print(f"{'counts by type and state':<28} {first:>9.1f} {then:>9.1f}")
    reader.close()


def start_server(path: str) -> None:
    """Time, CPU and memory until requests are answered."""
    command = [sys.executable, "-m", "aether.cli", "serve", "--grpc-port", "0", "--no-metrics", "--db", path]
    started = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        ready_s = time.perf_counter() - started
        status = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
        cpu_s = (int(status[11]) + int(status[12])) / os.sysconf("SC_CLK_TCK")
        memory = Path(f"/proc/{server.pid}/status").read_text()
        rss = next(line.split()[1] for line in memory.splitlines() if line.startswith("VmRSS"))
        peak = next(line.split()[1] for line in memory.splitlines() if line.startswith("VmHWM"))
        listed = subprocess.run(
            [sys.executable, "-m", "aether.cli", "workflow", "list", "-o", "json", "--limit", "1", "--server", url],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert len(json.loads(listed.stdout)) == 1
        print(
            f"ready after {ready_s:.1f} s ({cpu_s:.1f} s of CPU), {int(rss) >> 10} MiB, at most {int(peak) >> 10} MiB"
        )
        server.send_signal(signal.SIGTERM)
        server.wait(_PATIENCE_S)
    finally:
        server.kill()
        server.wait()


def tables(path: str, runs: int, events: int) -> None:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    kind = "CASE WHEN name LIKE 'log%' THEN 'log' ELSE 'runs' END"
    sizes = connection.execute(f"SELECT {kind}, sum(pgsize) FROM dbstat WHERE aggregate = TRUE GROUP BY 1")
    found = {str(name): int(str(size)) for name, size in sizes}
    body = len(rows(make_run(1, 1, random.Random(1), 1, is_open=True), 1)[2].body)
    print(f"{sum(found.values()) / 1e6:.0f} MB, {sum(found.values()) / runs:.0f} B a run with all it has")
    log, rest = found["log"] / events, found["runs"] / runs
    print(f"{log:.0f} B an event (a step of {body} B), {rest:.0f} B a run beside its events")
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--database", type=Path)
    options = parser.parse_args()
    closed, opened = int(CLOSED * options.scale), int(OPEN * options.scale)
    with tempfile.TemporaryDirectory() as folder:
        path = str(options.database or Path(folder) / "scale.db")
        if not Path(path).exists():
            store = SqliteStore(path)
            store.open()
            before = time.process_time()
            events = fill(store, closed, opened)
            cpu_s = time.process_time() - before
            print(f"filled with {events:,} events of {closed + opened + 1:,} runs, {cpu_s:.0f} s of CPU")
            store.close()
        tables(path, closed + opened + 1, 6 * (closed + opened) + LONG)
        for _ in range(2):
            start_server(path)
        ask(path)


if __name__ == "__main__":
    main()
