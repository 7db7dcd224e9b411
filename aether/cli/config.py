"""`aether config show`: the settings that a server here would have, and where each of them comes from."""

import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from aether.cli.options import screen as stdout_screen
from aether.cli.options import show
from aether.cli.output import Column, Format, render_data, render_table
from aether.server.settings import OPTIONS, load_settings

_DEFAULT = "default"


def show_settings(output: Format, config: Path | None, *, with_origin: bool) -> None:
    settings = load_settings(environ=os.environ, config=config)
    rows = [
        (option.key, _text(getattr(settings, option.field)), settings.given.get(option.field, _DEFAULT))
        for option in OPTIONS
    ]
    if output.is_data:
        names = ("key", "value", "origin") if with_origin else ("key", "value")
        told = [dict(zip(names, row, strict=False)) for row in rows]
        show(render_data(output, told, (key for key, _, _ in rows)))
        return
    columns = (Column("SETTING"), Column("VALUE", can_shrink=True), Column("FROM"))
    width = 3 if with_origin else 2
    show(render_table(columns[:width], [row[:width] for row in rows], stdout_screen(output)))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, tuple) and isinstance(value, Iterable):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
