"""Runs many command lines in one process, each as if it were the only one.

[[word, …], …] is read, or null for the help of all that there are. {"answers": [[words, code, out, err], …],
"modules": […]} is written, with the packages that have been imported.
"""

import io
import json
import sys
import traceback

import typer

from aether.cli.main import app, main


def tree(command, path=()):
    """The words of each command and group."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from tree(each, (*path, name))


def run(words):
    sys.argv = ["aether", *words]
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        code = 99
    finally:
        found = [stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr)]
        sys.stdout, sys.stderr = kept
    return [words, code, *found]


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    if asked is None:
        asked = [[*command, "--help"] for command in tree(typer.main.get_command(app))]
    answers = [run(words) for words in asked]
    json.dump({"answers": answers, "modules": sorted({name.partition(".")[0] for name in sys.modules})}, sys.stdout)
