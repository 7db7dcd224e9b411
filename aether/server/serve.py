"""The server as a tree of nurseries: the one place to read first.

    serve
    ├─ writer        FATAL      group commit in a thread of its own
    ├─ engine loop   FATAL      inbox -> engine -> writer -> effects once durable
    ├─ timekeeper    FATAL      sleeps until the wheel's next deadline
    ├─ retention     RESTARTED  removes old closed runs; FATAL when it keeps failing
    ├─ readers       CONTAINED  answers that need the disk, one task each
    │  └─ health                tells who watches when the server can not take work, and when it can
    ├─ windows       restarted  web page, metrics port; never ends the process
    ├─ loop watch               how late the event loop is
    ├─ notifier                 signs of life for systemd, if it asks for them
    ├─ traces        restarted  spans for a collector, if asked for
    └─ doors                    closed first on shutdown, with a deadline
       └─ listener → one nursery per connection   CONTAINED

What is FATAL ends the process: the disk holds the truth, and a new process reads it. On SIGTERM or SIGINT nothing
new is accepted, workers are told, what they have in hand may finish until a deadline, the doors close, and the writer
flushes what is left. A second signal cuts the deadline short.
"""

import os
import signal
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio
from attrs import evolve, frozen

from aether.core.engine import Engine
from aether.model.limits import DEFAULT_LIMITS, Limits
from aether.server.admin_service import AdminService
from aether.server.archive import Archive
from aether.server.census import Census
from aether.server.client_service import ClientService
from aether.server.connection import current_burst
from aether.server.engine_loop import EngineLoop
from aether.server.entropy import new_id
from aether.server.event_service import EventService
from aether.server.fetching import fetch
from aether.server.histories import Histories
from aether.server.listener import BindError, Drain, Listener, bind_tcp, serve_connections, server_tls
from aether.server.loop_watch import watch_loop
from aether.server.machine import Machine
from aether.server.metrics_report import MetricsReport
from aether.server.notify import Notifier
from aether.server.past_service import PastService
from aether.server.queue_service import QueueService
from aether.server.readiness import Readiness
from aether.server.recovery import Recovery
from aether.server.retention import Keep, retain
from aether.server.settings import Settings, read_token
from aether.server.sinks import Outbox
from aether.server.standard_services import HealthService, reflection_methods
from aether.server.supervision import supervise
from aether.server.tally import Tally
from aether.server.telemetry import Log
from aether.server.tiers import Tier
from aether.server.timekeeper import Timekeeper
from aether.server.traffic import Traffic
from aether.server.windows import Window, bind_windows, close_windows, keep_open
from aether.server.worker_service import WorkerService
from aether.server.writer import WriterLimits
from aether.store.interface import Opened, Store
from aether.store.open import open_store
from aether.wire.calls import Method

# How often a stopping server looks whether its workers have finished.
_DRAIN_LOOK_S = 0.02
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
# A smaller step of the machine's clock is not worth a line in the log.
_CLOCK_TOLD_US = 1_000_000
REAL = Machine()

log = Log("aether.server")


@frozen
class Running:
    """A server whose engine runs; whoever has connections serves `methods` on them."""

    methods: dict[str, Method]
    client: ClientService
    past: PastService
    events: EventService
    worker: WorkerService
    health: HealthService
    readiness: Readiness
    loop: EngineLoop
    report: MetricsReport
    archive: Archive

    async def drain(self, deadline_s: float) -> None:
        """Take nothing new, and return when no worker has anything in hand or time is up."""
        self.readiness.draining = True
        self.health.drain()
        self.client.drain()
        self.past.drain()
        self.events.drain()
        self.worker.drain()
        with trio.move_on_after(deadline_s):
            while not self.worker.is_idle:  # noqa: ASYNC110 - once in a server's life; an event would cost each pass
                await trio.sleep(_DRAIN_LOOK_S)
        for sink in list(self.loop.sinks.values()):
            sink.end("the server is stopping")


@asynccontextmanager
async def run_engine(
    store: Store, tier: Tier, limits: Limits = DEFAULT_LIMITS, machine: Machine = REAL, keep: Keep | None = None
) -> AsyncIterator[Running]:
    """The FATAL part of the tree around an opened store, for as long as the block lasts. Raises StoreError.

    Without `keep` all closed runs are kept.
    """
    tier.check(store)
    opened = await machine.call(store.open)
    if opened.migrated_from:
        log.info("database_migrated", db=store.location, from_format=opened.migrated_from)
    clock = machine.clock()
    archive = Archive(store, machine.call)
    tally = Tally(await archive.read(lambda reader: reader.counts()))
    engine = Engine(clock.now(), epoch=opened.epoch, next_run_key=opened.next_run_key, limits=limits)
    try:
        async with trio.open_nursery() as readers:
            loop = tier.loop(engine, clock, Histories(limits.histories_bytes_max), tally)
            loop.outbox = Outbox(partial(fetch, readers, archive), loop.block)
            loop.burst = current_burst()
            timekeeper = Timekeeper(clock, loop.post)
            loop.on_due = timekeeper.set_due
            room = WriterLimits(limits.unwritten_batches_max)
            writer, archive.settle = tier.writer(store, loop.on_durable, machine.desk, room)
            loop.attach(writer)
            async with trio.open_nursery() as root:
                await root.start(writer.run)
                async with trio.open_nursery() as deciders:
                    await _recover(loop, archive, opened)
                    deciders.start_soon(loop.run)
                    deciders.start_soon(timekeeper.run)
                    if keep is not None:
                        deciders.start_soon(supervise, "retention", partial(retain, keep, writer, clock, tally))
                    readiness = Readiness(loop, writer, tier)
                    running = _services(loop, limits, archive, readiness, readers, lineage=tier.lineage(opened))
                    readers.start_soon(running.health.run)
                    yield running
                    deciders.cancel_scope.cancel()
                # Only now: what was decided last is still on its way to the disk.
                root.cancel_scope.cancel()
            readers.cancel_scope.cancel()
    finally:
        archive.close()
        store.close()


def _services(
    loop: EngineLoop, limits: Limits, archive: Archive, readiness: Readiness, readers: trio.Nursery, *, lineage: int
) -> Running:
    client = ClientService(loop, limits, archive, readiness, readers)
    worker = WorkerService(loop, limits, loop.outbox, lineage)
    report = MetricsReport(loop, readiness, Census(loop.engine.state), new_id()[:8], Traffic())
    admin = AdminService(loop.clock, limits, archive, report, readers)
    health = HealthService(readiness)
    past = PastService(loop, limits, archive, readiness, readers)
    events = EventService(loop, limits, archive, readers)
    services = (client, worker, admin, QueueService(loop, limits, readiness), past, events, health)
    methods = [*(method for service in services for method in service.methods()), *reflection_methods()]
    by_path = {method.path: method for method in methods}
    return Running(by_path, client, past, events, worker, health, readiness, loop, report, archive)


async def _recover(loop: EngineLoop, archive: Archive, opened: Opened) -> None:
    """Fold what the disk has of open runs, and go on from there."""
    recovery = Recovery(found={damage.run_key: damage.what for damage in opened.damage})
    await archive.read(partial(recovery.read, loop.engine))
    # A timer that is due an hour after an event is not to wait for longer because the machine's clock was set back.
    jump = loop.clock.not_before(recovery.newest_at)
    if jump >= _CLOCK_TOLD_US:
        log.warning("clock_behind", seconds=round(jump / 1e6, 3))
    loop.begin(loop.engine.take_up(loop.clock.now()))
    for run_key, fault in sorted(recovery.damage.items()):
        log.error("run_damaged", run_key=run_key, error=fault)
    for fault in recovery.unset:
        log.error("setting_damaged", error=fault)
    for damage in opened.damage:
        if damage.run_key not in recovery.damage:
            log.error("closed_run_damaged", run_key=damage.run_key, error=damage.what)
    if recovery.runs or recovery.damage:
        log.info("recovered", open_runs=recovery.runs, events=recovery.events, damaged=len(recovery.damage))


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None] = lambda address: None,
    opened: Callable[[str, str], None] = lambda name, url: None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is told the address once requests are taken, then `opened` each window's.

    Raises BindError if the port is taken and StoreError if the database can not be used or fails.
    """
    notifier = Notifier.of(os.environ, os.getpid())
    listener = _bind(settings)
    try:
        windows = bind_windows(settings)
    except BindError:
        listener.close()
        raise
    limits = evolve(
        DEFAULT_LIMITS,
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        metric_series_max=settings.metrics_max_label_values,
    )
    store = open_store(settings.location)
    tier = Tier(settings.persistence, settings.snapshot_interval_s)
    keep = Keep(settings.retention_closed_max, settings.retention_closed_days)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        try:
            async with run_engine(store, tier, limits, keep=keep) as running, trio.open_nursery() as doors:
                drain = Drain()
                stop = partial(_stop_on_signal, signals, running, drain, settings.drain_deadline_s, notifier)
                doors.start_soon(stop)
                doors.start_soon(watch_loop, running.loop.metrics, running.loop.clock)
                doors.start_soon(notifier.live)
                running.loop.metrics.logs_payloads = settings.log_payloads
                ahead = {"snapshot_interval_s": tier.snapshot_interval_s} if tier.is_ahead else {}
                log.info("serving", grpc=listener.address, db=store.location, persistence=tier.mode, **ahead)
                ready(listener.address)
                notifier.ready()
                for window in windows:
                    opened(window.name, window.url)
                    doors.start_soon(
                        keep_open, window.name, partial(_look_out, window, running, store.location, settings)
                    )
                if settings.traces_endpoint is not None:
                    doors.start_soon(keep_open, "traces", _tracer(running, settings.traces_endpoint))
                if settings.web_token_file is not None and settings.web_token_file.stat().st_mode & _OTHERS_READ:
                    log.warning("token_readable", path=str(settings.web_token_file), advice="chmod 600")
                task_status.started(listener.address)
                await serve_connections([listener], running.methods, drain=drain, traffic=running.report.traffic)
                doors.cancel_scope.cancel()
        finally:
            listener.close()
            close_windows(windows)
    log.info("stopped")


def _tracer(running: Running, endpoint: str) -> Callable[[], Awaitable[None]]:
    from aether.server.tracer import Tracer

    report = running.report
    # From now on each run has a trace, which its code is told of.
    running.loop.engine.state.meters.is_traced = True
    return Tracer(running.loop, running.archive, report.readiness.writer, endpoint, report.node, report.traces).run


async def _look_out(window: Window, running: Running, database: str, settings: Settings) -> None:
    """Serve a window. What it needs is imported when somebody looks: it takes time and room, and nobody may ever."""
    await trio.lowlevel.wait_readable(window.listener.socket.fileno())
    # In a thread, so that nobody else waits for it.
    await trio.to_thread.run_sync(_load_sites)
    from aether.server.http.metrics_site import MetricsSite

    metrics = MetricsSite(running.report, database)
    if window.name == "metrics":
        await metrics.serve(window.listener.socket)
        return
    from aether.server.http.guard import Guard
    from aether.server.http.local_call import LocalClient
    from aether.server.http.web_site import WebSite

    hosts = (settings.http_host, *settings.web_allowed_hosts)
    secret = read_token(settings.web_token_file) if settings.web_token_file is not None else ""
    guard = Guard(hosts, read_only=settings.web_read_only, secret=secret)
    site = WebSite(
        running.report, LocalClient(running.methods, running.report.traffic), guard, metrics.handle, settings
    )
    await site.serve(window.listener.socket)


def _load_sites() -> None:
    import aether.server.http.local_call
    import aether.server.http.metrics_site
    import aether.server.http.web_site  # noqa: F401 - only to have them


def _bind(settings: Settings) -> Listener:
    tls = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        tls = server_tls(settings.tls_cert, settings.tls_key, client_ca=settings.tls_client_ca)
    return bind_tcp(settings.grpc_host, settings.grpc_port, tls=tls)


async def _stop_on_signal(
    signals: AsyncIterator[int], running: Running, drain: Drain, deadline_s: float, notifier: Notifier
) -> None:
    async with trio.open_nursery() as nursery:
        async for number in signals:
            if drain.is_started:
                log.info("stopping_now", signal=signal.Signals(number).name)
                drain.start(0)
                nursery.cancel_scope.cancel()
                continue
            log.info("stopping", signal=signal.Signals(number).name, deadline_s=deadline_s)
            # At once, for whoever asks next is to be told.
            running.readiness.draining = True
            notifier.stopping()
            drain.start(deadline_s)
            nursery.start_soon(_drain, running, drain, deadline_s)


async def _drain(running: Running, drain: Drain, deadline_s: float) -> None:
    await running.drain(deadline_s)
    # The streams have ended; their last frames need a moment to leave.
    drain.start(min(deadline_s, 1.0))
