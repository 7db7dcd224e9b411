"""`aether init`: writes a project that runs as it stands."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import typer

from aether.cli.options import say

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FILES = ("pyproject.toml", "README.md", "aether.toml", "workflows.py", "start.py")


def write_project(name: str, output: Path | None) -> None:
    """Writes the files of a new project; refuses a folder that has something in it."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"must begin with a letter and have only letters, digits, - and _ (at most 64), not {name!r}",
            param_hint="NAME",
        )
    folder = output or Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise typer.BadParameter(f"{folder} is not empty", param_hint="--output" if output else "NAME")
        for each in _FILES:
            template = (files("aether.cli") / "project" / f"{each}.txt").read_text()
            (folder / each).write_text(Template(template).substitute(name=name))
    except OSError as error:
        say(f"aether: {error.filename or folder} can not be written: {error.strerror}")
        raise typer.Exit(1) from None
    say(f"wrote {folder}: {', '.join(_FILES)}\nwhat to do with it: {folder / 'README.md'}")
