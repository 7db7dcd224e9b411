"""A TOML file as a flat list of keys, each with its value and its line.

`tomllib` keeps no positions, so the line of a key is looked up in the text afterwards. That look-up knows the usual
ways to write a key; for an unusual one (an inline table, say) it answers with the nearest line it can name.
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from attrs import frozen

# A file of settings is a page or two; anything beyond this was named by mistake.
_SIZE_MAX = 1024 * 1024
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")
_POSITION = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$")


@frozen
class Leaf:
    key: str
    value: object
    line: int


def read_leaves(path: Path, sections: Collection[str]) -> list[Leaf]:
    """Keys of the file, dotted, in its order; ValueError says where and why it can not be read.

    Tables named in `sections` are entered, one level deep; any other table is a leaf itself.
    """
    text = _read(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        position = _POSITION.search(str(fault))
        line = (position and position[1]) or text.count("\n") + 1
        raise ValueError(f"{path}:{line}: {_POSITION.sub('', str(fault))}") from None
    return [Leaf(key, value, _line_of(text, key)) for key, value in _leaves(document, sections)]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_SIZE_MAX + 1)
    except OSError as fault:
        raise ValueError(f"{path}: can not be read: {fault.strerror}") from None
    if len(data) > _SIZE_MAX:
        raise ValueError(f"{path}: larger than {_SIZE_MAX} bytes, which no file of settings is")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text in UTF-8") from None


def _leaves(document: Mapping[str, object], sections: Collection[str]) -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        if name in sections and isinstance(value, dict):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _line_of(text: str, key: str) -> int:
    section, nearest = "", (0, 1)
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.match(line):
            section = name = _bare(match[1])
        elif match := _ASSIGNMENT.match(line):
            name = ".".join(filter(None, (section, _bare(match[1]))))
        else:
            continue
        if name == key:
            return number
        if key.startswith(name + ".") or name.startswith(key + "."):
            nearest = max(nearest, (len(name), number))
    return nearest[1]


def _bare(name: str) -> str:
    return re.sub(r"[\"'\s]", "", name)
