"""Boxes over a view: the help, the questions of an action, and its confirmation."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from aether_tui.actions import ACTIONS
from aether_tui.bindings import bindings_in
from aether_tui.intents import proof
from aether_tui.lines import Line, Picture, boxed, fit, length_of, shown, to_size, to_width, width_of, words
from aether_tui.listing import children
from aether_tui.places import places
from aether_tui.ui import Intent, Mode, Ui
from aether_tui.views.scene import Scene

_WIDTH: Final = 76
# Runs that a confirmation names.
_NAMED: Final = 5


def over(picture: Picture, scene: Scene) -> Picture:
    """The picture with the box that the mode asks for."""
    mode = scene.ui.mode
    if mode is Mode.HELP:
        return _laid(picture, _help(scene), scene)
    if mode is Mode.ASK:
        return _laid(picture, _question(scene), scene)
    if mode is Mode.GO:
        return _laid(picture, _places(scene), scene)
    if mode is Mode.CONFIRM:
        return _laid(picture, _confirmation(scene), scene)
    return picture


def _laid(picture: Picture, box: Picture, scene: Scene) -> Picture:
    """A box in the middle. What lies to its sides is dropped: half a line says nothing."""
    width = length_of(box[0]) if box else 0
    top = max((scene.height - len(box)) // 2, 0)
    left = max((scene.width - width) // 2, 0)
    padding = words(" " * left)
    laid = [to_width([*padding, *line], scene.width) for line in box]
    return to_size([*picture[:top], *laid, *picture[top + len(laid) :]], scene.width, scene.height)


def _box(title: str, lines: Sequence[Line], scene: Scene, style: str = "border") -> Picture:
    width = min(_WIDTH, scene.width)
    return boxed(title, lines, width, min(len(lines) + 2, scene.height), scene.theme, style=style)


def help_lines(ui: Ui) -> list[Line]:
    """Every key that does something in this view."""
    rows = bindings_in(ui)
    names = [
        " ".join(binding.keys) if len(binding.keys) < 4 else f"{binding.keys[0]}-{binding.keys[-1]}" for binding in rows
    ]
    widest = max(map(len, names))
    return [
        words((name.rjust(widest), "bad" if binding.changes else "key"), f"  {binding.says}")
        for name, binding in zip(names, rows, strict=True)
    ]


def _help(scene: Scene) -> Picture:
    lines = help_lines(scene.ui)
    room = max(scene.height - 2, 1)
    top = min(scene.ui.panel, max(len(lines) - room, 0))
    more = f" {top + 1}-{min(top + room, len(lines))} of {len(lines)}, down shows more" if len(lines) > room else ""
    return _box(f"keys here{more}", lines[top : top + room], scene)


def _places(scene: Scene) -> Picture:
    """Where one can go with what is typed."""
    rows = places(scene.ui, scene.known)
    widest = max((width_of(shown(place.text)) for place in rows), default=0)
    width = min(widest, _WIDTH // 2)
    lines = [words((fit(place.text, width), "key"), (f"  {place.says}", "dim")) for place in rows]
    return _box("go to", lines or [words(("enter opens the run of this workflow id", "dim"))], scene)


def _question(scene: Scene) -> Picture:
    intent = scene.ui.intent
    assert intent is not None
    action = ACTIONS[intent.kind]
    lines = [
        words(("queue " if intent.queue else "run ", "dim"), (_targets(intent), "head")),
        words(f"{action.questions[len(intent.answers)].asks}:"),
        words(("> ", "key"), scene.ui.typed, ("_", "selected")),
        words(("enter goes on, esc gives up", "dim")),
    ]
    return _box(action.name, lines, scene)


def _confirmation(scene: Scene) -> Picture:
    """Target and effect, before anything is done."""
    intent = scene.ui.intent
    assert intent is not None
    action = ACTIONS[intent.kind]
    room = max(min(_WIDTH, scene.width) - 4, 1)
    lines = [words(("server  ", "dim"), scene.known.target)]
    if intent.queue:
        lines = [words(("queue   ", "dim"), (intent.queue, "head")), *lines]
    elif len(intent.runs) > 1:
        lines += [words(("runs    ", "dim"), (f"{len(intent.runs)}", "head"))]
        lines += [words("        ", run[0]) for run in intent.runs[:_NAMED]]
        lines += [words(("        and more", "dim"))] if len(intent.runs) > _NAMED else []
    else:
        lines = [
            words(("run     ", "dim"), (intent.runs[0][0], "head")),
            words(("run id  ", "dim"), intent.runs[0][1]),
            *lines,
        ]
    lines += [words(line) for line in wrap(f"{action.name}: {action.effect}", room)]
    if (young := _open_children(intent, scene)) and intent.kind in {"cancel", "end"}:
        lines.append(words(("open children  ", "dim"), (str(young), "warn")))
    for question, answer in zip(action.questions, intent.answers, strict=False):
        lines.append(words((f"{question.asks}: ", "dim"), answer))
    wanted = proof(intent)
    if wanted:
        what = "how many there are" if len(intent.runs) > 1 else "the last characters of its id"
        lines.append(words(f"type {what}, ", (wanted, "key"), ", and enter; esc is No"))
        lines.append(words(("> ", "key"), scene.ui.typed, ("_", "selected")))
    else:
        lines.append(words(("y", "key"), " does it; every other key is No"))
    return _box(f"{action.name}?", lines, scene, "bad" if wanted else "warn")


def _open_children(intent: Intent, scene: Scene) -> int:
    """Of the run that is open on the screen, as far as it has told of them."""
    run = scene.known.run
    if run is None or run.key not in intent.runs:
        return 0
    return sum(state == "RUNNING" for _, state in children(run.events))


def _targets(intent: Intent) -> str:
    if intent.queue:
        return intent.queue
    first = intent.runs[0][0]
    return f"{first} and {len(intent.runs) - 1} more" if len(intent.runs) > 1 else first
