"""The shape of the source: who may import whom, what only one file may call, and how long things may get."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "aether" / "wire" / "generated"

# A part of the package, and the parts of ours that it may import besides itself.
LAYERS = {
    "aether": {"errors", "model", "sdk", "version"},
    "version": set(),
    "errors": {"model"},  # for type checkers only; another test sees to that
    "model": {"errors"},
    "core": {"errors", "model"},
    "wire": {"errors", "model"},
    "store": {"errors", "model"},
    "server": {"errors", "model", "core", "wire", "store", "version"},
    "sdk": {"errors", "model", "wire", "version"},
    "cli": {"aether", "aether_tui", "errors", "model", "wire", "store", "server", "sdk", "version"},
    "testing": {"aether", "errors", "model", "core", "wire", "store", "server", "sdk", "version"},
    "aether_tui": {"aether", "errors", "model", "sdk"},
    "examples": {"aether", "testing"},
}
# Single files that may do more, each with its reason.
DOORS = {
    "aether/store/sqlite_migrate.py": {"wire"},  # what older formats did not keep in columns is in their events
    # A store is written against the interface of stores.
    "examples/custom_store/journal_file.py": {"store"},
    "examples/custom_store/journal_rows.py": {"store"},
    "examples/custom_store/journal_store.py": {"store"},
    "aether/cli/rehearsal.py": {"testing"},  # code is checked by the command as it is in users' tests
    "aether/sdk/embedded.py": {"server"},  # the one way for the SDK to bring its own server along
}
PURE = (
    "aether/model",
    "aether/core",
    "aether/wire",
    "aether/store/format.py",
    "aether/sdk/meanings.py",
    "aether/sdk/replay.py",
    "aether/sdk/waiters.py",
)
# Who may know an event loop, a socket, a thread or a database.
LIBRARIES = {
    "trio": ("aether/server", "aether/cli", "aether/testing", "aether/sdk/gate.py", "tui"),
    "anyio": ("aether/sdk", "aether/cli/worker.py", "aether/testing"),
    "asyncio": ("aether/sdk/gate.py",),
    "socket": ("aether/server", "aether/cli", "aether/sdk/dial.py", "aether/sdk/embedded.py", "aether/testing"),
    "ssl": ("aether/server", "aether/cli", "aether/sdk/dial.py", "aether/sdk/transport.py"),
    "threading": ("aether/server", "aether/sdk", "aether/testing", "aether/cli/leash.py", "aether/cli/reader.py"),
    "subprocess": ("aether/cli/dev.py",),
    "apsw": ("aether/store", "aether/cli/doctor.py"),
    "sqlite3": (),
    "typer": ("aether/cli",),
    "rich": ("aether/cli", "tui"),
}
# Clock and chance enter by these files alone; the rest is given times and numbers.
SEAMS = {
    "time": {"aether/server/clock.py", "aether/cli/clock.py", "aether/testing/clock.py"},
    "random": {"aether/testing/seeded.py"},
    "uuid.uuid1": set(),
    "uuid.uuid4": set(),
    "secrets": set(),
    "os.urandom": {"aether/server/entropy.py", "aether/sdk/entropy.py"},
    "datetime.datetime.now": set(),
    "datetime.datetime.utcnow": set(),
    "datetime.datetime.today": set(),
    "datetime.date.today": set(),
}
# Measuring how long something took changes nothing that is decided.
STOPWATCHES = {("aether/server/writer.py", "time.perf_counter"), ("aether/server/engine_loop.py", "time.perf_counter")}
MODULE_LINES, FUNCTION_LINES, EXAMPLE_LINES = 500, 70, 60
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")


def _sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if GENERATED not in path.parents and "__pycache__" not in path.parts]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _lies_in(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(place + "/") for place in places)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported, also inside functions."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)}:{node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"import_module", "importlib.import_module"}:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def _part_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "aether":
        return "aether" if parts[1] == "__init__" else parts[1]
    return "aether_tui" if parts[0] == "tui" else parts[0]


def _part_imported(name: str) -> str | None:
    parts = name.split(".")
    if parts[0] != "aether":
        return parts[0] if parts[0] in LAYERS else None
    is_part = len(parts) > 1 and ((ROOT / "aether" / parts[1]).is_dir() or (ROOT / f"aether/{parts[1]}.py").is_file())
    return parts[1] if is_part else "aether"


def test_imports_go_down_the_layers_only():
    wrong = []
    for path in _sources("aether", "tui", "examples"):
        part = _part_of(path)
        allowed = LAYERS[part] | {part} | DOORS.get(_name(path), set())
        for line, name in _imports(path):
            imported = _part_imported(name)
            if imported is not None and imported not in allowed:
                wrong.append(f"{_name(path)}:{line}: {part} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_errors_know_the_model_only_for_type_checkers():
    tree = _tree(ROOT / "aether/errors.py")
    at_run_time = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [ast.unparse(node) for node in at_run_time if "aether" in ast.unparse(node)]


def test_loops_sockets_threads_and_databases_are_known_only_where_they_belong():
    wrong = []
    for path in _sources("aether", "tui"):
        for line, name in _imports(path):
            places = LIBRARIES.get(name.partition(".")[0])
            if places is not None and not _lies_in(_name(path), places):
                wrong.append(f"{_name(path)}:{line}: imports {name}")
    assert not wrong, "\n".join(wrong)


def _aliases(path: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _mentions(path: Path) -> Iterator[tuple[int, str]]:
    """Every dotted name that is used, spelled out from where it was imported."""
    aliases = _aliases(path)
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Attribute | ast.Name):
            first, dot, rest = ast.unparse(node).partition(".")
            if first in aliases:
                yield node.lineno, aliases[first] + dot + rest


def test_clock_and_chance_enter_by_their_seams_only():
    wrong = set()
    for path in _sources("aether", "tui"):
        for line, name in _mentions(path):
            for banned, seams in SEAMS.items():
                is_banned = name.startswith(banned + ".") or (name == banned and "." in banned)
                if is_banned and _name(path) not in seams and (_name(path), name) not in STOPWATCHES:
                    wrong.add(f"{_name(path)}:{line}: {name}")
    assert not wrong, "\n".join(sorted(wrong))


def test_every_seam_exists():
    named = {seam for seams in SEAMS.values() for seam in seams} | set(DOORS)
    assert not [name for name in sorted(named) if not (ROOT / name).is_file()]


def test_modules_and_functions_stay_short():
    wrong = []
    for path in _sources("aether", "tui", "examples", "tests", "benchmarks", "protos"):
        count = len(path.read_text().splitlines())
        bound = EXAMPLE_LINES if _part_of(path) == "examples" else MODULE_LINES
        if count > bound:
            wrong.append(f"{_name(path)}: {count} lines, at most {bound}")
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    wrong.append(f"{_name(path)}:{node.lineno}: {node.name} has {length} lines")
    assert not wrong, "\n".join(wrong)


def test_every_module_says_its_duty():
    sources = _sources("aether", "tui", "examples", "benchmarks")
    assert not [_name(path) for path in sources if not ast.get_docstring(_tree(path))]


def test_modules_are_named_by_their_role():
    assert not [_name(path) for path in _sources("aether", "tui") if path.stem in EMPTY_NAMES]


def test_nothing_is_left_over():
    texts = _sources("aether", "tui", "examples", "tests", "benchmarks", "protos")
    for pattern in ("*.md", "docs/**/*.md", "*.toml", "tox.ini", "protos/**/*.proto", ".ci/*"):
        texts += sorted(ROOT.glob(pattern))
    wrong = []
    for path in texts:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if LEFTOVER.search(line):
                wrong.append(f"{_name(path)}:{number}: {line.strip()}")
    assert not wrong, "\n".join(wrong)


def _pure_modules() -> list[Path]:
    return [path for path in _sources("aether") if _lies_in(_name(path), PURE)]


def test_every_pure_module_that_does_something_has_a_test_file_of_its_own():
    missing = []
    for path in _pure_modules():
        does = any(isinstance(node, ast.FunctionDef | ast.Lambda) for node in ast.walk(_tree(path)))
        wanted = ROOT / "tests" / "unit" / _part_of(path) / f"test_{path.stem}.py"
        if does and not wanted.is_file():
            missing.append(_name(wanted))
    assert not missing, "\n".join(missing)


def test_pure_modules_are_synchronous_and_typed():
    wrong = [
        f"{_name(path)}:{node.lineno}: async"
        for path in _pure_modules()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]
    wrong += [f"{_name(path)}: Any" for path in _pure_modules() for _, name in _imports(path) if name == "typing.Any"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("code", "mentions"),
    [
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("from time import monotonic as m\nm()", "time.monotonic"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import datetime as d\nd.datetime.now()", "datetime.datetime.now"),
        ("import os\ndraw = os.urandom", "os.urandom"),
    ],
)
def test_a_banned_call_is_seen_however_it_was_imported(code, mentions, tmp_path):
    path = tmp_path / "code.py"
    path.write_text(code)
    assert mentions in {name for _, name in _mentions(path)}
