"""The line in which text is typed. Pure."""

from typing import Final

from attrs import evolve

from aether_tui.keys import Key, Mouse, Paste
from aether_tui.ui import Ui

_TYPED_MAX: Final = 2_000


def edited(ui: Ui, key: Key) -> Ui:
    if isinstance(key, Mouse):
        return ui
    if isinstance(key, Paste):
        typed = ui.typed + " ".join(key.text.split())
    elif key == "backspace":
        typed = ui.typed[:-1]
    elif key == "ctrl-u":
        typed = ""
    elif key == "ctrl-w":
        typed = ui.typed.rstrip().rpartition(" ")[0]
    elif key == "space":
        typed = ui.typed + " "
    else:
        typed = ui.typed + key if len(key) == 1 else ui.typed
    return evolve(ui, typed=typed[:_TYPED_MAX])
