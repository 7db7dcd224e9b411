"""One run: what it is, and in tabs what it did, what went in and out, what failed, and what it waits for."""

from collections.abc import Callable, Sequence
from typing import Final

from aether import Event, TimelineRow
from aether.model import events as e
from aether_tui.facts import (
    fact_detail,
    fact_lines,
    fact_name,
    fact_subject,
    failure_lines,
    failure_text,
    path_of,
    payload_text,
)
from aether_tui.grid import Cell, Column, grid, window
from aether_tui.known import RunLook
from aether_tui.lines import Line, Picture, boxed, cell, folded, restyled, to_size, to_width, words
from aether_tui.listing import listing
from aether_tui.sizes import age, micros, span
from aether_tui.theme import style_of
from aether_tui.ui import Tab
from aether_tui.views.scene import Drawn, Scene, Zone, narrowed_note
from aether_tui.waterfall import axis, bar, part_of, scale_of, zoomed

# Signs of a row's state, by the words of timelines.
SIGNS: Final = {
    "waiting": "WAITING",
    "queued": "PENDING",
    "running": "RUNNING",
    "backing_off": "RETRYING",
    "completed": "COMPLETED",
    "failed": "FAILED",
    "cancelled": "CANCELLED",
    "abandoned": "CANCELLED",
}
# Rows behind those in sight that are looked at for the ends of branches.
_AHEAD: Final = 1_000
_KINDS: Final = {"run": "", "step": "", "activity": "", "timer": "sleep ", "child": "child ", "promise": "waits for "}
_DETAIL_LINES: Final = 7
HISTORY_COLUMNS: Final = (
    Column("SEQ", 5, ">"),
    Column("SINCE", 7, ">"),
    Column("EVENT", 18),
    Column("PATH", 6),
    Column("ABOUT", 14, grows=True),
    Column("DETAIL", 24, grows=True),
    Column("TIME", 13),
)
_CHILD_COLUMNS: Final = (
    Column("", 1),
    Column("WORKFLOW", 24, grows=True),
    Column("STATE", 9),
    Column("TYPE", 14),
    Column("PATH", 8),
    Column("RUN", 32),
)


def draw(scene: Scene) -> Drawn:
    run = scene.known.run
    key = scene.ui.opened[-1]
    if run is None or run.key != key:
        return Drawn(boxed(key[0], [words(("asking…", "dim"))], scene.width, scene.height, scene.theme))
    if run.fault:
        return Drawn(boxed(key[0], [words((run.fault, "bad"))], scene.width, scene.height, scene.theme))
    top = [*_headline(run, scene), _tabs(scene)]
    rest = scene.sized(scene.width, max(scene.height - len(top), 0))
    drawn = _TABS[scene.ui.tab](run, rest)
    first = drawn.first + len(top) if drawn.first >= 0 else -1
    picture = [*to_size(top, scene.width, len(top)), *drawn.picture]
    return Drawn(picture, drawn.top, drawn.page, first, _tab_zones(len(top) - 1))


def _headline(run: RunLook, scene: Scene) -> Picture:
    status = run.status
    if status is None:
        return [words((f" {run.key[0]}", "head"))]
    info, now_us = status.info, scene.now_us
    state = "BLOCKED" if status.blocked else "PAUSED" if status.paused else info.state.name
    created = micros(info.created_at)
    closed = micros(info.closed_at) if info.closed_at else 0
    took = span((closed or now_us) - created)
    when = f"{scene.clock(created, with_date=True)} → {scene.clock(closed)} ({took})" if closed else f"open for {took}"
    first = words(
        (f" {info.workflow_id}", "head"), f"  {info.workflow_type}  ",
        (f"{scene.theme.sign(state)} {state}", style_of(state)), f"  {when}",
    )  # fmt: skip
    facts = [("queue", info.task_queue), ("events", str(info.history_length)), ("run", info.run_id)]
    if info.worker_id:
        facts.insert(0, ("on", info.worker_id))
    if info.forked_from:
        facts.insert(0, ("fork of", f"{info.forked_from.workflow_id} at {info.forked_from.seq}"))
    if info.parent_workflow_id:
        facts.insert(0, ("child of", info.parent_workflow_id))
    if status.cancel_requested and not closed:
        facts.insert(0, ("cancel", "requested"))
    second: Line = words(" ")
    for name, value in facts:
        second += words((f"{name} ", "dim"), f"{value}  ")
    return [first, second]


def _tabs(scene: Scene) -> Line:
    out: Line = []
    for tab in Tab:
        out += words((f" {tab.title() if scene.width > 70 else tab} ", "selected" if tab is scene.ui.tab else "dim"))
    return out


def _tab_zones(line: int) -> tuple[Zone, ...]:
    zones, left = [], 0
    for tab in Tab:
        zones.append(Zone(line, left, left + len(tab) + 1, tab=tab))
        left += len(tab) + 2
    return tuple(zones)


# Tabs.


def _timeline(run: RunLook, scene: Scene) -> Drawn:
    rows = listing(scene.ui, scene.known)
    if not rows.things:
        return Drawn(boxed("timeline", [words(("nothing yet", "dim"))], scene.width, scene.height, scene.theme))
    has_detail = scene.height >= 16
    height = scene.height - (_DETAIL_LINES if has_detail else 0)
    shown_rows, chosen = scene.window(rows, height - 3)
    width = scene.width - 4
    label = max(min(width // 3, 44), 12)
    chart = max(width - label - 3 - 8, 1)
    scale = scale_of(run.timeline, scene.now_us, chart, hides_idle=scene.ui.hides_idle)
    if scene.ui.zoom:
        scale = part_of(scale, scene.ui.zoom, scene.ui.pan)
    elif scene.ui.zooms:
        scale = zoomed(scale, rows.things[shown_rows.top : shown_rows.bottom], scene.now_us)
    inside: Picture = [[cell("", label + 3), cell(axis(scale), chart, "dim")]]
    branches = branches_of(rows.things[shown_rows.top : shown_rows.bottom + _AHEAD])
    for index in range(shown_rows.top, shown_rows.bottom):
        row = rows.things[index]
        sign = SIGNS.get(row.state, "")
        line = [
            cell(_label(row, branches[index - shown_rows.top], scene), label), cell("", 1),
            cell(scene.theme.sign(sign), 1, style_of(sign)), cell("", 1),
            *bar(row, scale, scene.now_us, scene.theme), cell(_took(row, scene.now_us), 8, "", ">"),
        ]  # fmt: skip
        # The bar keeps its colours; what is selected is told by its name.
        if index == chosen:
            line[0] = restyled([line[0]], "selected")[0]
        inside.append(line)
    title = f"timeline {shown_rows.note}".rstrip() + (" · idle cut" if scale.cuts else "")
    title += f" · zoomed {2**scene.ui.zoom} times" if scene.ui.zoom else " · zoomed" if scene.ui.zooms else ""
    title += narrowed_note(scene)
    picture = boxed(title, inside, scene.width, height, scene.theme)
    if has_detail and chosen is not None:
        picture += _row_detail(rows.things[chosen], run, scene)
    return Drawn(picture, shown_rows.top, height - 3, 2)


def branches_of(rows: Sequence[TimelineRow]) -> list[tuple[bool, ...]]:
    """For each row and each of its levels, down to its own: does another row of that level follow in its branch?"""
    found: list[tuple[bool, ...]] = []
    following: set[int] = set()
    for row in reversed(rows):
        found.append(tuple(level in following for level in range(row.depth + 1)))
        following = {level for level in following if level < row.depth} | {row.depth}
    return found[::-1]


def _label(row: TimelineRow, follows: tuple[bool, ...], scene: Scene) -> str:
    if row.kind == "run":
        return row.name
    *trunks, is_followed = follows
    indent = "".join(scene.theme.pick("│ ", "|  ") if each else scene.theme.pick("  ", "   ") for each in trunks)
    mark = scene.theme.pick("├ ", "|- ") if is_followed else scene.theme.pick("└ ", "`- ")
    tries = f" \u00d7{row.attempt_count}" if row.attempt_count > 1 else ""
    name = row.child_workflow_id if row.kind == "child" else row.name
    return f"{indent}{mark}{_KINDS.get(row.kind, row.kind + ' ')}{name}{tries}"


def _took(row: TimelineRow, now_us: int) -> str:
    if row.kind in {"signal", "value"}:
        return ""
    begun = micros(row.created_at)
    return span((micros(row.ended_at) if row.ended_at else now_us) - begun)


def _row_detail(row: TimelineRow, run: RunLook, scene: Scene) -> Picture:
    """The selected row in words."""
    now_us = scene.now_us
    said = [f"created {scene.clock(micros(row.created_at), with_date=True, fraction=True)}"]
    if row.due_at and not row.ended_at:
        left = micros(row.due_at) - now_us
        said.append(f"due in {span(left)}" if left > 0 else f"due since {span(-left)}")
    if row.worker_id:
        said.append(f"on {row.worker_id}")
    said.append(f"events {row.first_seq} to {row.last_seq}")
    inside = [words(", ".join(said))]
    if row.kind == "run" and run.why:
        inside = [*(words((line, "head")) for line in folded(run.why, scene.width - 4)), *inside]
    tries = [_attempt_text(index, row, now_us) for index in range(len(row.attempts))][-12:]
    if row.attempt_count > 1:
        inside.append(words(("attempts ", "dim"), " · ".join(tries)))
    if row.failure:
        inside += [words((line, "bad")) for line in failure_lines(row.failure)]
    name = row.child_workflow_id or row.name or row.kind
    title = f"{row.kind} {name} · {row.state.replace('_', ' ')}" + (f" · at {row.path}" if row.path else "")
    return boxed(title, inside, scene.width, _DETAIL_LINES, scene.theme)


def _attempt_text(index: int, row: TimelineRow, now_us: int) -> str:
    attempt = row.attempts[index]
    if attempt.started_at is None:
        return f"{attempt.number} waits"
    ended = micros(attempt.ended_at) if attempt.ended_at else now_us
    said = f"{attempt.number} {span(ended - micros(attempt.started_at))}"
    return f"{said} {attempt.failure.type}" if attempt.failure else said


def _history(run: RunLook, scene: Scene) -> Drawn:
    rows = listing(scene.ui, scene.known)
    if not rows.things:
        return Drawn(boxed("history", [words(("no events", "dim"))], scene.width, scene.height, scene.theme))
    detail = min(scene.height // 3, 14) if scene.height >= 16 else 0
    height = scene.height - detail
    shown_rows, chosen = scene.window(rows, height - 3)
    started = run.events[0].at
    inside = grid(
        HISTORY_COLUMNS, shown_rows, lambda index: event_row(rows.things[index], started, run, scene), scene.width - 4,
        selected=chosen,
    )  # fmt: skip
    title = f"history {shown_rows.note}".rstrip() + narrowed_note(scene)
    picture = boxed(title, inside, scene.width, height, scene.theme)
    if detail and chosen is not None:
        lines = [words(line) for line in fact_lines(rows.things[chosen])]
        picture += boxed("event", lines, scene.width, detail, scene.theme)
    return Drawn(picture, shown_rows.top, height - 3, 2)


def event_row(event: Event, started_us: int, run: RunLook, scene: Scene) -> list[Cell]:
    name = fact_name(event)
    style = "bad" if "Failed" in name else "warn" if "Retried" in name or "Cancel" in name else ""
    return [
        str(event.seq),
        f"+{span(event.at - started_us)}",
        (name, style),
        path_of(event),
        fact_subject(event) or run.names.get(path_of(event), ""),
        fact_detail(event, started_us),
        (scene.clock(event.at, fraction=True), "dim"),
    ]


def _children(run: RunLook, scene: Scene) -> Drawn:
    rows = listing(scene.ui, scene.known)
    shown_rows, chosen = scene.window(rows, scene.height - 3)

    def row(index: int) -> list[Cell]:
        child, state = rows.things[index]
        style = style_of(state)
        return [
            (scene.theme.sign(state), style), child.workflow_id, (state, style), child.workflow_type, child.path,
            child.run_id,
        ]  # fmt: skip

    inside = [words(("it has started no children", "dim"))]
    if rows.things:
        inside = grid(_CHILD_COLUMNS, shown_rows, row, scene.width - 4, selected=chosen)
    picture = boxed(f"children {shown_rows.note}".rstrip(), inside, scene.width, scene.height, scene.theme)
    return Drawn(picture, shown_rows.top, scene.height - 3, 2)


def _text(title: str, lines: Sequence[tuple[str, str]], scene: Scene) -> Drawn:
    """Lines that are read; long ones are folded."""
    width, height = max(scene.width - 4, 1), scene.height - 2
    pieces = [(piece, style) for text, style in lines for piece in folded(text, width)]
    part = window(len(pieces), height, scene.ui.cursor.top, None)
    inside = [to_width(words(line), width) for line in pieces[part.top : part.bottom]]
    name = f"{title} {part.note}".rstrip()
    return Drawn(boxed(name, inside, scene.width, scene.height, scene.theme), part.top, height)


def _values(run: RunLook, scene: Scene) -> Drawn:
    lines: list[tuple[str, str]] = []
    for event in run.events:
        fact = event.fact
        if isinstance(fact, e.RunCreated):
            lines += [("input", "title"), *_pretty(payload_text(fact.input, indent=2))]
            lines += [(f"tag {name}: {value}", "") for name, value in fact.tags]
            for name, value in fact.memo:
                lines += [(f"memo {name}", "title"), *_pretty(payload_text(value, indent=2))]
        elif isinstance(fact, e.RunCompleted):
            lines += [("", ""), ("output", "title"), *_pretty(payload_text(fact.result, indent=2))]
        elif isinstance(fact, e.ValuePublished):
            lines += [("", ""), (f"published as {fact.key}", "title"), *_pretty(payload_text(fact.value, indent=2))]
        elif isinstance(fact, e.SignalReceived):
            lines += [("", ""), (f"signal {fact.name}", "title"), *_pretty(payload_text(fact.value, indent=2))]
    return _text("input and output", lines or [("nothing yet", "dim")], scene)


def _pretty(text: str) -> list[tuple[str, str]]:
    return [(line, "") for line in text.split("\n")]


def _errors(run: RunLook, scene: Scene) -> Drawn:
    lines: list[tuple[str, str]] = []
    # The last one first: it is what the run failed with.
    for event in reversed(run.events):
        failure = getattr(event.fact, "failure", None)
        if failure is None:
            continue
        path = path_of(event)
        about = " ".join(filter(None, (run.names.get(path, ""), path and f"at {path}")))
        tries = getattr(event.fact, "attempt", 0)
        head = f"{fact_name(event)} {about}".rstrip() + (f", attempt {tries}" if tries else "")
        lines += [(f"{head}, {scene.clock(event.at, with_date=True)}", "title")]
        lines += [(line, "bad" if index == 0 else "") for index, line in enumerate(failure_lines(failure))]
        lines += [("", "")]
    return _text("errors", lines or [("nothing failed", "dim")], scene)


def _why(run: RunLook, scene: Scene) -> Drawn:
    status, now_us = run.status, scene.now_us
    lines: list[tuple[str, str]] = [(run.why, "head"), ("", "")] if run.why else []
    for each in status.pending if status else ():
        said = " ".join(filter(None, (each.kind, each.name, each.path and f"at {each.path}")))
        if each.attempt > 1:
            said += f", attempt {each.attempt}"
        if each.worker_id:
            said += f", on worker {each.worker_id}"
        if each.due_at:
            left = micros(each.due_at) - now_us
            said += f", due in {span(left)}" if left > 0 else f", due since {age(micros(each.due_at), now_us)}"
        lines.append((said, ""))
        if each.heartbeat is not None:
            lines.append((f"  last heartbeat {each.heartbeat!r}", ""))
        if each.last_failure:
            lines.append((f"  last failure {failure_text(each.last_failure)}", "bad"))
    return _text("why", lines or [("nothing", "dim")], scene)


_TABS: Final[dict[Tab, Callable[[RunLook, Scene], Drawn]]] = {
    Tab.TIMELINE: _timeline,
    Tab.HISTORY: _history,
    Tab.VALUES: _values,
    Tab.ERRORS: _errors,
    Tab.CHILDREN: _children,
    Tab.WHY: _why,
}
