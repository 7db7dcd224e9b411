"""The documentation is true: its code runs and is typed, its commands exist, its tables are those of the code."""

import inspect
import re
import shlex
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from aether import errors
from aether.cli.exit_codes import MEANINGS
from aether.core.explain import ReasonKind
from aether.model.filters import FIELDS as TERMS
from aether.server import metric_names
from aether.server.openmetrics import Family
from aether.server.settings import OPTIONS, Settings
from aether.store.sqlite_schema import FORMAT
from tests.processes import ROOT, Child, aether, environment

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
TABLE_ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)


def blocks(page, *kinds):
    return [content for kind, content in BLOCK.findall(page.read_text()) if kind in kinds]


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def rows(page):
    return [[cell.strip() for cell in row.split(" | ")] for row in TABLE_ROW.findall(page.read_text())]


WITH_CODE = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_the_code_of_a_page_is_a_program_that_runs(page, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("\n".join(blocks(page, "python")))
    with Child(program.name, cwd=tmp_path) as running:
        code, said = running.finish()
    assert code == 0, said


def test_the_code_of_all_pages_is_typed(tmp_path):
    programs = []
    for page in WITH_CODE:
        programs.append(tmp_path / f"{page.stem.replace('-', '_').lower()}.py")
        programs[-1].write_text("\n\n".join(blocks(page, "python")))
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path), *programs],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if "No module named mypy" in checked.stderr:
        pytest.skip("mypy is not among the dependencies of this environment")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_file_leads_somewhere(page):
    gone = [
        link
        for link in LINK.findall(page.read_text())
        if "://" not in link and not (page.parent / link).resolve().exists()
    ]
    assert not gone


@cache
def help_of(*command):
    shown = aether(*command, "--help")
    assert shown.returncode == 0, f"no such command: {command}"
    return shown.stdout


GROUPS = {"workflow", "config", "db", "queue", "worker"}
COMMANDS = sorted(
    {
        line.removeprefix("$ ")
        for page in PAGES
        for block in blocks(page, "console", "sh")
        for line in block.splitlines()
        if line.startswith(("$ aether ", "aether "))
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_is_shown_exists_with_its_options(line):
    words = line.split()[1:]
    options = [word for word in words if re.match("--?[a-z-]+$", word)]  # -type:order is a term of a filter
    if words[0].startswith("-"):
        assert words[0] in help_of()
        return
    shown = help_of(*words[: 2 if words[0] in GROUPS else 1])
    assert all(re.search(rf"(?<![\w-]){option}(?![\w-])", shown) for option in options)


def test_a_shell_hands_on_the_filters_of_commands_as_they_are_shown():
    """Unquoted, `started:>1h` writes to a file called 1h."""
    examples = [
        line.partition("Example: ")[2].strip()
        for path in (ROOT / "aether/cli").glob("*.py")
        for line in path.read_text().splitlines()
        if "Example: aether " in line
    ]
    assert examples
    for line in (*COMMANDS, *examples):
        words = list(shlex.shlex(line, posix=True, punctuation_chars="<>"))
        assert not [word for word, after in pairwise(words) if word.endswith(":") and set(after) <= set("<>")], line


def test_the_exit_codes_are_those_of_the_code():
    documented = [row for row in rows(ROOT / "docs/command-line.md") if row[0].isdecimal()]
    assert documented == [[str(int(code)), meaning] for code, meaning in MEANINGS.items()]


def test_the_settings_are_those_of_the_code():
    documented = [row[:4] for row in rows(ROOT / "docs/configuration.md") if row[0].startswith("`")]
    defaults = Settings()
    assert documented == [
        [f"`{option.key}`", f"`{option.flag}`", f"`{option.variable}`", f"`{getattr(defaults, option.field)}`"]
        for option in OPTIONS
    ]


def test_every_setting_is_an_option_of_serve():
    shown = help_of("serve")
    assert not [option.flag for option in OPTIONS if f"{option.flag} " not in shown]


def test_every_error_that_users_may_meet_is_explained():
    text = (ROOT / "docs/errors.md").read_text()
    public = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert not [name for name in public if name not in text]


def test_the_tables_of_commands_are_complete():
    commands = set(re.findall(r"^  ([a-z]+)  ", help_of().partition("Commands:")[2], re.MULTILINE))
    commands = (commands - GROUPS) | {"workflow list", "config show", "db check", "db backup", "db migrate"}
    commands |= {"queue list", "queue pause", "queue resume", "queue limit", "worker list", "workflow count"}
    for page in (ROOT / "README.md", ROOT / "docs/command-line.md"):
        shown = {re.sub(r"( [A-Z:]+)+$", "", row[0].strip("`").removeprefix("aether ")) for row in rows(page)}
        assert commands <= shown, page


def test_the_first_two_commands_of_the_readme_are_what_continuous_integration_runs():
    job, tests = blocks(ROOT / "README.md", "sh")
    assert "examples/main_job.py" in job
    assert "tox" in tests
    assert Path(ROOT / ".ci/run").read_text().count("$(block ") == 2


def test_every_event_of_the_servers_log_is_explained():
    text = (ROOT / "docs/monitoring.md").read_text()
    sources = "".join(file.read_text() for file in (ROOT / "aether/server").rglob("*.py"))
    logged = set(re.findall(r'log\.(?:info|warning|error)\(\s*"(\w+)"', sources))
    assert "serving" in logged
    assert not [event for event in sorted(logged) if f"`{event}`" not in text]


def test_every_kind_of_reason_is_told():
    for page in ("docs/the-past.md", "protos/aether/v1/admin.proto"):
        text = (ROOT / page).read_text().replace('"', "`")
        assert not [kind for kind in ReasonKind if f"`{kind}`" not in text], page


def test_every_term_of_a_filter_is_told():
    page, shown = (ROOT / "docs/finding-runs.md").read_text(), help_of("workflow", "list")
    assert not [term for term in TERMS if f"{term}:" not in page.replace("tag.customer", "tag.NAME")]
    assert not [
        term for term in TERMS if not re.search(rf"(?<![\w.]){re.escape(term)}(?![\w.])", shown.partition("Terms")[2])
    ]


def test_the_format_of_databases_is_this_one():
    assert f"this program reads formats up to {FORMAT};" in (ROOT / "docs/durability.md").read_text()


def test_every_metric_is_documented_as_it_is():
    wanted = []
    for family in vars(metric_names).values():
        if isinstance(family, Family):
            name = family.full_name + ("_total" if family.kind == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in family.labels)
            wanted.append([f"`{name}`", family.kind, family.unit, labels, family.about])
    documented = [row for row in rows(ROOT / "docs/monitoring.md") if len(row) == 5 and row[0].startswith("`")]
    assert documented == wanted
