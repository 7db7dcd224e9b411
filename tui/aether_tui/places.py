"""Where `:` can lead, and how a filter that is typed can go on. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from aether import RunState
from aether_tui.actions import ACTIONS
from aether_tui.known import Known
from aether_tui.listing import queue_rows
from aether_tui.ui import MAIN_VIEWS, Ui, View

OFFERS_MAX: Final = 8
# What can be done by its name, beside actions.
_COMMANDS: Final = {
    "export": "export", "freeze": "freeze", "help": "help", "idle": "idle", "mouse": "mouse", "quit": "quit",
    "refresh": "refresh", "times": "times", "unmark": "unmark", "wide": "wide",
}  # fmt: skip
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_FIELDS: Final = ("id", "run", "type", "queue", "state", "parent", "started", "closed", "age")
_STATES: Final = (*(state.name.lower() for state in RunState), "open", "closed")


@frozen
class Place:
    """`kind` is "view", "action", "command", "time", "queue", "worker", "filter" or "run"; `of` is what it means."""

    kind: str
    text: str
    of: str
    says: str = ""


def places(ui: Ui, known: Known) -> list[Place]:
    """Those that fit what is typed, the nearest first; of a workflow id any may be meant."""
    wanted = ui.typed.strip().casefold()
    fitting = [place for place in _all(ui, known) if wanted in place.text.casefold()]
    fitting.sort(key=lambda place: not place.text.casefold().startswith(wanted))
    return fitting[:OFFERS_MAX]


def place_of(ui: Ui, known: Known) -> Place:
    """The one whose name is typed, or, in a recording, the time; what has a `:` is a filter, else it is an id."""
    typed = ui.typed.strip()
    named = next((place for place in _all(ui, known) if place.text == typed), None)
    if named is not None:
        return named
    at = _TIME.fullmatch(typed)
    if ui.is_replay and at is not None:
        seconds = 3600 * int(at[1]) + 60 * int(at[2]) + int(at[3] or 0)
        return Place("time", typed, str(seconds))
    return Place("filter", typed, typed) if ":" in typed else Place("run", typed, typed)


def _all(ui: Ui, known: Known) -> Iterable[Place]:
    yield from (Place("view", view, view, "view") for view in MAIN_VIEWS)
    yield from (Place("command", name, does, "command") for name, does in _COMMANDS.items())
    if not ui.read_only:
        for kind, action in ACTIONS.items():
            if action.is_of_queue is (ui.view is View.QUEUES) and (not action.is_single or ui.view is View.RUN):
                yield Place("action", action.name, kind, action.says)
    look = known.look
    if look is None:
        return
    yield from (Place("filter", f"type:{name}", f"type:{name}", "runs of the workflow") for name in _types(known))
    yield from (Place("queue", row.task_queue, row.id, "task queue") for row in queue_rows(look))
    yield from (Place("worker", each.worker_id, each.worker_id, "worker") for each in look.metrics.workers)
    yield from (Place("run", info.workflow_id, info.workflow_id, info.workflow_type) for info in look.runs)


def _types(known: Known) -> list[str]:
    metrics = known.look.metrics if known.look else None
    return sorted({each.workflow_type for each in metrics.runs}) if metrics else []


def completed(typed: str, known: Known) -> str:
    """With the last word as far as it can only go on in one way: fields, and the values that are known here."""
    head, space, word = typed.rpartition(" ")
    sign = "-" if word.startswith("-") else ""
    field, colon, value = word[len(sign) :].partition(":")
    if not colon:
        offers = [f"{name}:" for name in (*_FIELDS, *_tags(known)) if name.startswith(field)]
        return head + space + sign + (_common(offers) or field)
    before, comma, last = value.rpartition(",")
    offers = [each for each in _values(field, known) if each.startswith(last)]
    return head + space + sign + field + colon + before + comma + (_common(offers) or last)


def offers(typed: str, known: Known) -> list[str]:
    """What the last word can go on with."""
    word = typed.rpartition(" ")[2].removeprefix("-")
    field, colon, value = word.partition(":")
    if not colon:
        return [f"{name}:" for name in (*_FIELDS, *_tags(known)) if name.startswith(field)]
    return [each for each in _values(field, known) if each.startswith(value.rpartition(",")[2])]


def _values(field: str, known: Known) -> list[str]:
    if field == "state":
        return list(_STATES)
    if field == "type":
        return _types(known)
    if field == "queue" and known.look is not None:
        return sorted({row.task_queue for row in queue_rows(known.look)})
    if field.startswith("tag.") and known.look is not None:
        name = field[4:]
        return sorted({info.tags[name] for info in known.look.runs if name in info.tags})
    return []


def _tags(known: Known) -> list[str]:
    names = {name for info in known.look.runs for name in info.tags} if known.look else set()
    return sorted(f"tag.{name}" for name in names)


def _common(texts: list[str]) -> str:
    """How all of them begin."""
    first, last = min(texts, default=""), max(texts, default="")
    same = next((index for index, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]
