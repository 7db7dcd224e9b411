"""Writes aether/wire/generated from protos/: `tox -e protos`.

protoc roots its imports at the package `aether.v1`; the code lives in `aether.wire.generated.aether.v1`, so the
imports between generated modules are rewritten to that place.
"""

import re
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent
OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "aether" / "wire" / "generated"
PACKAGE = "aether.wire.generated"


def main() -> int:
    sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.proto"))
    OUT.mkdir(parents=True, exist_ok=True)
    well_known = str(files("grpc_tools") / "_proto")
    code: int = protoc.main(
        ["protoc", f"-I{ROOT}", f"-I{well_known}", f"--python_out={OUT}", f"--pyi_out={OUT}", *sources]
    )
    if code:
        return code
    for path in OUT.rglob("*_pb2.py*"):
        text = path.read_text()
        text = re.sub(r"^from (aether\.v1|grpc\.\S+) import", rf"from {PACKAGE}.\1 import", text, flags=re.MULTILINE)
        path.write_text(text)
    for folder in {path.parent for path in OUT.rglob("*_pb2.py")} | {OUT}:
        while folder != OUT.parent:
            (folder / "__init__.py").write_text('"""Generated from protos/ by protos/generate.py."""\n')
            folder = folder.parent
    return 0


if __name__ == "__main__":
    sys.exit(main())
