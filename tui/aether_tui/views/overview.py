"""The first screen: how much flows, how long things take, what waits, who works, what went wrong.

At 110 columns and more all panels, with less some columns of them, below 80 one panel at a time; `next` turns to the
next. When lines are short, panels give up lines from the bottom.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from aether import Latency, Metrics, Problem, RunState
from aether_tui.grid import Cell, Column, grid
from aether_tui.known import CLOSED, EVENTS, FAILED, OPEN_STATES, STARTED, STEPS
from aether_tui.lines import Line, Picture, beside, boxed, fit, to_size, words
from aether_tui.listing import listing, queue_rows
from aether_tui.sizes import age, count, micros, rate, span
from aether_tui.spark import sparkline
from aether_tui.theme import style_of
from aether_tui.views import queues, workers
from aether_tui.views.scene import Drawn, Scene

WIDE, ONE_PANEL, TINY_HEIGHT = 110, 80, 9
_STATES_WIDTH: Final = 34
_STORAGE_WIDTH: Final = 40
# The name of a count of open runs, and whose sign it carries.
_OPEN: Final = {name: {"queued": "PENDING"}.get(name, name.upper()) for name in OPEN_STATES}


def draw(scene: Scene) -> Drawn:
    look = scene.known.look
    if look is None:
        return Drawn(_waiting(scene))
    if scene.height < TINY_HEIGHT or scene.width < 40:
        return Drawn(to_size(_list(scene, look.metrics), scene.width, scene.height))
    if scene.width < ONE_PANEL:
        return _one_panel(scene)
    return _all_panels(scene)


def _waiting(scene: Scene) -> Picture:
    lost = scene.known.lost
    said = [words(("waiting for the server…", "dim"))]
    if lost is not None:
        said = [
            words((lost.reason, "bad")),
            words(("start one with `aether serve`, or name another with --server", "dim")),
        ]
    return boxed("overview", said, scene.width, scene.height, scene.theme)


# All panels.


@frozen
class Panel:
    """`inside` is given a scene of the size inside of the frame; `wanted` is how many lines it would fill."""

    name: str
    inside: Callable[[Scene], Picture]
    wanted: int
    least: int


def _all_panels(scene: Scene) -> Drawn:
    flow, states, queue, storage, worker, problems = _panels(scene)
    height = scene.height
    rows = [
        (max(flow.wanted, states.wanted), flow.least),
        (max(queue.wanted, storage.wanted), queue.least),
        (worker.wanted, worker.least),
        (problems.wanted, problems.least),
    ]
    heights = shares([(wanted + 2, least + 2) for wanted, least in rows], height)
    width = scene.width
    picture: Picture = []
    page, first = 1, -1
    for index, lines in enumerate(heights):
        if lines == 0:
            continue
        if index == 0:
            picture += _pair(scene, flow, states, width - _STATES_WIDTH, _STATES_WIDTH, lines)
        elif index == 1:
            right = _STORAGE_WIDTH if width >= WIDE else 30
            picture += _pair(scene, queue, storage, width - right, right, lines)
        else:
            panel = worker if index == 2 else problems
            page, first = lines - 3, len(picture) + 2
            picture += _framed(scene, panel, width, lines)
    return Drawn(picture, scene.ui.cursor.top, page, first)


def shares(wishes: Sequence[tuple[int, int]], height: int) -> list[int]:
    """Lines for each panel, one under the other: what is wanted, at least what is needed; the last are given up.

    What is left over goes to the last that is shown.
    """
    given: list[int] = []
    left = height
    for _, least in wishes:
        given.append(least if left >= least and (not given or given[-1]) else 0)
        left -= given[-1]
    for index, (wanted, _) in enumerate(wishes):
        if given[index]:
            more = min(max(wanted - given[index], 0), left)
            given[index] += more
            left -= more
    last = max((index for index, lines in enumerate(given) if lines), default=None)
    if last is not None:
        given[last] += left
    return given


def _pair(scene: Scene, left: Panel, right: Panel, left_width: int, right_width: int, lines: int) -> Picture:
    return beside(
        (_framed(scene, left, left_width, lines), left_width), (_framed(scene, right, right_width, lines), right_width)
    )


def _framed(scene: Scene, panel: Panel, width: int, height: int) -> Picture:
    inside = panel.inside(scene.sized(width - 4, height - 2))
    return boxed(panel.name, inside, width, height, scene.theme)


def _panels(scene: Scene) -> list[Panel]:
    look = scene.known.look
    assert look is not None
    metrics = look.metrics
    rows = len(queue_rows(look))
    return [
        Panel("flow · 5 min", _flow, 9, 4),
        Panel("states · change in 1 min", _states, len(_OPEN) + 3, 4),
        Panel("queues", queues.small, max(rows, 1) + 1, 3),
        Panel("storage", _storage, 5, 3),
        Panel(workers.headline(scene), workers.small, max(len(metrics.workers), 1) + 1, 2),
        Panel("problems", _problems, max(len(metrics.problems), 1), 2),
    ]


def _one_panel(scene: Scene) -> Drawn:
    panels = _panels(scene)
    index = scene.ui.panel % len(panels)
    names: Line = []
    for number, name in enumerate(("flow", "states", "queues", "storage", "workers", "problems")):
        names += words((f" {name} ", "selected" if number == index else "dim"))
    inside = _framed(scene, panels[index], scene.width, scene.height - 1)
    is_list = index == len(panels) - 1
    return Drawn(
        [*to_size([names], scene.width, 1), *inside], scene.ui.cursor.top, scene.height - 4, 3 if is_list else -1
    )


# What is in them.


def _flow(scene: Scene) -> Picture:
    look, ring = scene.known.look, scene.known.ring
    assert look is not None
    metrics, width, theme = look.metrics, scene.width, scene.theme
    tail = 22 if width >= 60 else 14
    curve = max(width - 10 - 7 - tail - 1, 0)
    picture = [
        words(
            (fit("", 10), ""), (fit("/s", 6, ">"), "dim"), "  " + " " * (curve - 1), (_percentile_titles(tail), "dim")
        )
    ]
    rows: list[tuple[str, int | None, Latency | None]] = [
        ("started", STARTED, None),
        ("start lag", None, metrics.start_lag),
        ("closed", CLOSED, None),
        ("failed", FAILED, None),
        ("steps", STEPS, metrics.step_latency),
        ("activities", None, metrics.activity_latency),
        ("timer lag", None, metrics.timer_lag),
        ("events", EVENTS, None),
    ]
    for name, index, latency in rows:
        speed = "" if index is None else rate(ring.rate(index))
        drawn = "" if index is None else sparkline(ring.curve(index, curve), curve, theme)
        style = "bad" if index == FAILED and ring.rate(index) else "info"
        picture.append(
            words(
                fit(name, 10), (fit(speed, 6, ">"), "head"), " ", (fit(drawn, curve), style), " ",
                _percentiles(latency, tail) if latency else "",
            )
        )  # fmt: skip
    return picture


def _percentile_titles(width: int) -> str:
    return "".join(fit(title, 7, ">") for title in (("p50", "p90", "p99") if width >= 21 else ("p50", "p99")))


def _percentiles(latency: Latency, width: int) -> str:
    values = (latency.p50_us, latency.p90_us, latency.p99_us) if width >= 21 else (latency.p50_us, latency.p99_us)
    if not latency.count:
        return "".join(fit("-", 7, ">") for _ in values)
    return "".join(fit(span(value), 7, ">") for value in values)


def _states(scene: Scene) -> Picture:
    look = scene.known.look
    assert look is not None
    metrics, theme = look.metrics, scene.theme
    recent = scene.known.states
    counts = [(name, sign, getattr(metrics.open, name), recent.change(name)) for name, sign in _OPEN.items()]
    counts += [(state.name.lower(), state.name, number, None) for state, number in _closed(metrics).items()]
    # Where lines are few, those that are not zero.
    if len(counts) > scene.height:
        counts.sort(key=lambda each: not each[2])
    return [
        _state_line(theme.sign(sign), name, number, style_of(sign), change) for name, sign, number, change in counts
    ]


def _closed(metrics: Metrics) -> dict[RunState, int]:
    return {
        state: sum(each.count for each in metrics.runs if each.state is state)
        for state in (RunState.FAILED, RunState.COMPLETED, RunState.CANCELLED)
    }


def _state_line(sign: str, name: str, number: int, style: str, change: int | None) -> Line:
    """With how it has changed in a minute."""
    tone = style if number else "dim"
    moved = f"{'+' if change > 0 else '-'}{count(abs(change))}" if change else ""
    return words(
        (f"{sign} ", tone),
        (fit(name, 11), tone),
        (fit(count(number), 8, ">"), "head" if number else "dim"),
        (fit(moved, 8, ">"), "dim"),
    )


def _storage(scene: Scene) -> Picture:
    look = scene.known.look
    assert look is not None
    metrics = look.metrics
    writer = metrics.writer
    lag = metrics.loop_lag
    fault = metrics.storage_fault or metrics.not_ready
    room = scene.width - _FACT
    facts = [
        (
            "commit",
            _middle_and_worst(span(writer.commit.p50_us), span(writer.commit.p99_us), writer.commit.count, room),
        ),
        ("batch", _middle_and_worst(count(writer.batch_p50), count(writer.batch_p99), writer.batch_p50, room)),
        ("waiting", count(writer.waiting)),
        ("engine lag", _middle_and_worst(span(lag.p50_us), span(lag.p99_us), lag.count, room)),
        ("memory", f"{metrics.rss_bytes / 1e6:.0f} MB"),
    ]
    picture = [words((fit(name, _FACT), "dim"), value) for name, value in facts]
    return [words((f"! {fault}", "alarm")), *picture] if fault else picture


def _middle_and_worst(middle: str, worst: str, seen: int, room: int) -> str:
    """In a narrow place the worst alone, for it is what one looks for."""
    both = f"{middle} p50, {worst} p99"
    if not seen:
        return "-"
    return both if len(both) <= room else f"{worst} p99"


_FACT: Final = 11


PROBLEM_COLUMNS: Final = (
    Column("", 1),
    Column("AGO", 6, ">"),
    Column("WORKFLOW", 18, grows=True),
    Column("WHAT", 16),
    Column("FAILURE", 24, grows=True),
    Column("NEXT", 14),
)


def _problems(scene: Scene) -> Picture:
    rows = listing(scene.ui, scene.known)
    if not rows.things:
        return [
            words((f"{scene.theme.sign('COMPLETED')} ", "good"), ("nothing went wrong since the server started", "dim"))
        ]
    shown, chosen = scene.window(rows, scene.height - 1)
    return grid(
        PROBLEM_COLUMNS, shown, lambda index: problem_row(rows.things[index], scene), scene.width, selected=chosen
    )


def problem_row(problem: Problem, scene: Scene) -> list[Cell]:
    sign = "BLOCKED" if problem.kind == "blocked" else "RETRYING" if problem.next_at else "FAILED"
    style = style_of(sign)
    what = problem.name if problem.attempt < 2 else f"{problem.name} try {problem.attempt}"
    if problem.count > 1 and problem.attempt < 2:
        what += scene.theme.pick(f" \u00d7{problem.count}", f" x{problem.count}")
    due = micros(problem.next_at) - scene.now_us if problem.next_at else 0
    following = "" if problem.next_at is None else f"again in {span(due)}" if due > 0 else "tried again"
    said = f"{problem.failure_type}: {problem.message}" if problem.message else problem.failure_type
    return [
        (scene.theme.sign(sign), style),
        (age(micros(problem.at), scene.now_us), "dim"),
        problem.workflow_id,
        what,
        (said, style),
        (following, "dim"),
    ]


# When there is no room for a picture, and for those who have it read out.


def _list(scene: Scene, metrics: Metrics) -> Picture:
    return [words(text) for text in facts(scene, metrics)]


def facts(scene: Scene, metrics: Metrics) -> list[str]:
    """The server in a few short lines, the most important first."""
    ring = scene.known.ring
    ready = sum(queue.ready for queue in metrics.queues)
    oldest = min((micros(queue.oldest_at) for queue in metrics.queues if queue.oldest_at), default=0)
    said = [
        f"runs/s {rate(ring.rate(STARTED))} closed/s {rate(ring.rate(CLOSED))} failed/s {rate(ring.rate(FAILED))}",
        " ".join(f"{name} {count(getattr(metrics.open, name))}" for name in list(_OPEN)[:3]),
        " ".join(f"{state.name.lower()} {count(number)}" for state, number in _closed(metrics).items()),
        f"ready {count(ready)}" + (f", oldest {age(oldest, scene.now_us)}" if oldest else ""),
        f"workers {len(metrics.workers)}",
        f"problems {len(metrics.problems)}",
    ]
    fault = metrics.storage_fault or metrics.not_ready
    return [f"! {fault}", *said] if fault else said
