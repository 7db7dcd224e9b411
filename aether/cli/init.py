"""`aether init`: writes a project that runs as it stands."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import typer
from attrs import frozen

from aether.cli.options import say

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# Of every project, and of its template.
_COMMON = ("pyproject.toml", "README.md", "aether.toml", ".gitignore")
_OWN = ("workflows.py", "start.py", "test_workflows.py")


@frozen
class Kind:
    """A template. `about` begins a sentence; `argument` is what `start.py` has to be given."""

    about: str
    argument: str = ""


KINDS = {
    "basic": Kind("A workflow and an activity"),
    "saga": Kind("A workflow whose steps are undone when a later one fails, and an activity"),
    "agent": Kind("A model that uses tools, with each turn on disk, and a person who may have a say"),
    "http": Kind("A workflow that calls a service elsewhere, with patience", " URL"),
}


def write_project(name: str, output: Path | None, template: str, *, force: bool) -> None:
    """Writes the files of a new project; refuses a folder that has something in it, unless `force` is set."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"must begin with a letter and have only letters, digits, - and _ (at most 64), not {name!r}",
            param_hint="NAME",
        )
    if template not in KINDS:
        raise typer.BadParameter(f"must be one of {', '.join(KINDS)}, not {template!r}", param_hint="--template")
    folder = output or Path(name)
    kind = KINDS[template]
    # A file of a package does not begin with a dot.
    sources = {each: each.removeprefix(".") for each in _COMMON} | {each: f"{template}/{each}" for each in _OWN}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not force:
            where = "--output" if output else "NAME"
            raise typer.BadParameter(f"{folder} is not empty; --force writes to it all the same", param_hint=where)
        for to, source in sources.items():
            text = (files("aether.cli") / "project" / f"{source}.txt").read_text()
            filled = Template(text).substitute(name=name, about=kind.about, argument=kind.argument)
            (folder / to).write_text(filled)
    except OSError as error:
        say(f"aether: {error.filename or folder} can not be written: {error.strerror}")
        raise typer.Exit(1) from None
    commands = f"cd {folder}", f"python start.py{kind.argument}", "python -m pip install pytest", "python -m pytest"
    say("\n  ".join((f"wrote {folder}: {', '.join(sources)}; now:", *commands)))
