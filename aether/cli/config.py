"""`aether config show`: the settings that a server here would have, and where each of them comes from."""

import os
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from aether.cli.exit_codes import NameNotFound
from aether.cli.options import show_fields, show_rows
from aether.cli.output import Column, Format, Row
from aether.server.settings import OPTIONS, config_path, load_settings

_DEFAULT = "default"


def show_settings(output: Format, config: Path | None, *, with_origin: bool) -> None:
    settings = load_settings(environ=os.environ, config=config)
    rows = [
        (option.key, _text(getattr(settings, option.field)), settings.given.get(option.field, _DEFAULT))
        for option in OPTIONS
    ]
    columns = (Column("SETTING"), Column("VALUE", can_shrink=True), Column("FROM"))
    names = ("key", "value", "origin")
    width = 3 if with_origin else 2
    told = (Row(row[:width], dict(zip(names[:width], row, strict=False)), row[0]) for row in rows)
    show_rows(output, "setting", columns[:width], told)


def check_settings(output: Format, config: Path | None) -> None:
    """Raises SettingsError, which names all that is wrong."""
    settings = load_settings(environ=os.environ, config=config)
    place = config_path(config, os.environ)
    given = len(settings.given)
    fields = [("file", str(place or "none")), ("settings", f"{given} given, all right")]
    show_fields(output, "config", fields, {"file": place and str(place), "given": given}, [str(place or "")])


def show_path(output: Format, config: Path | None) -> None:
    """The file of settings that a server here would read."""
    place = config_path(config, os.environ)
    if place is None:
        raise NameNotFound("no file of settings is read here: there is no aether.toml, and AETHER_CONFIG names none")
    whole = str(place.absolute())
    show_fields(output, "config", [("file", whole)], {"file": whole}, [whole])


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, tuple) and isinstance(value, Iterable):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
