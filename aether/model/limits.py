"""Every bound of the engine, each with the reason for its number. Bounds of the transport: `aether/wire/limits.py`."""

from attrs import frozen

# Closed runs that a server keeps unless it is told otherwise: the number for which the store is measured.
CLOSED_RUNS_MAX = 1_000_000


@frozen
class Limits:
    """Sizes in bytes, durations in milliseconds unless the name says otherwise."""

    # Below the transport's message limit of 4 MiB, so that a task with its payload fits into one message.
    payload_max: int = 2 * 1024 * 1024
    # Details of a heartbeat: they go to the next attempt in one message with the input, and into the status of the run.
    heartbeat_max: int = 256 * 1024
    # Ids and names go into indexes and terminals.
    name_max: int = 200
    # A path grows by two numbers a nesting level: room for more than forty levels.
    path_max: int = 200
    # Text of a failure; a traceback says what it has to say in this.
    failure_text_max: int = 32 * 1024
    # Causes and members, nested: what a person would still read.
    failure_depth_max: int = 8
    failure_causes_max: int = 64
    # Replaying so many events takes about a second; longer work belongs into children.
    history_max: int = 50_000
    # Events that a fork shares with where it comes from: they become durable in one commit.
    forked_events_max: int = 10_000
    # Positions of one run that wait at the same time.
    pending_max: int = 10_000
    # Signals that a run may say it waits for: who looks at it reads no more.
    awaits_max: int = 100
    # Commands in one request.
    commands_max: int = 1_000
    # How long a run may clean up after it was asked to stop; then it is ended.
    cancel_grace_ms: int = 300_000
    # Tags and memo of a run, keys that it publishes, ids of signals that it remembers.
    tags_max: int = 32
    memo_max: int = 32
    # Task queues that are paused or have a limit.
    gates_max: int = 1_000
    # Of a worker, and of what a task wants of one.
    labels_max: int = 32
    # All of a memo: it goes to the worker in one message with the input.
    memo_size_max: int = 256 * 1024
    published_max: int = 100
    signal_ids_max: int = 10_000
    # Open runs in one server: 2 KB each.
    open_runs_max: int = 1_000_000
    # What has come in and is not decided yet. Beyond it requests are refused and workers have to come back.
    inbox_max: int = 100_000
    # Decisions that may wait for the disk; then nothing more is decided.
    unwritten_batches_max: int = 65_536
    # Encoded events of open runs that are kept at hand for workers that replay.
    histories_bytes_max: int = 64 * 1024 * 1024
    # Programs waiting for results.
    waiters_max: int = 100_000
    # Programs that follow histories.
    followers_max: int = 10_000
    # Programs that listen to all events: each reads the log for itself.
    listeners_max: int = 100
    sessions_max: int = 10_000
    # Names that one worker may register.
    types_max: int = 1_000
    workflow_slots_default: int = 1_000
    activity_slots_default: int = 100
    slots_max: int = 100_000
    # A worker that is paused for longer than this loses its work to others.
    session_timeout_ms: int = 15_000
    # How long the details of a heartbeat may wait until they are on disk. Work that goes on for days must not fill its
    # history with them, so it is a tenth of the attempt's age between these two.
    heartbeat_kept_ms: int = 5_000
    heartbeat_kept_max_ms: int = 60_000
    # A run that is in memory at a worker without a free slot goes to another that has one, and is replayed, after this.
    sticky_ms: int = 1_000
    # Ten years: beyond that, arithmetic on times is somebody's mistake.
    delay_max_ms: int = 10 * 366 * 24 * 3600 * 1000
    # Timers that fire in one decision; the next ones follow at once, after what else has come in.
    due_max: int = 1_000
    # Failure types that a retry policy may name.
    non_retryable_max: int = 100
    # Answers kept for workers that ask again because an answer was lost.
    answers_max: int = 10_000
    # Closed ids that are remembered, for starts that have looked on disk a moment too early.
    recently_closed_max: int = 10_000
    # Bytes of a result that is kept at hand with such an id; larger ones are read from disk.
    kept_max: int = 1_024
    # Rows of a table of metrics: names that users give may be without end.
    metric_series_max: int = 200
    # What went wrong last, for those who look.
    problems_max: int = 50
    list_max: int = 1_000
    list_default: int = 100


DEFAULT_LIMITS = Limits()

# In the tier `snapshot`: how long what was decided may wait for the disk, in seconds.
SNAPSHOT_INTERVAL_S = 1.0
