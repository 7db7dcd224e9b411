"""Plain data as YAML, as far as people want it: blocks for lists and objects, JSON's scalars for all else. Pure.

JSON's strings are strings in YAML too, whatever is in them; only words that nobody can take for something else go
without quotes.
"""

import json
import re
from collections.abc import Iterator

_WORD = re.compile(r"[A-Za-z_][\w./ -]*(?<! )\Z", re.ASCII)
# What YAML of some age takes for something else than a text.
_NOT_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def yaml_text(document: object) -> str:
    """The document, ending in a newline."""
    return "".join(f"{line}\n" for line in _lines(document))


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _under(f"{_scalar(str(key))}:", each)
    elif isinstance(value, list | tuple) and value:
        for each in value:
            first, *more = _lines(each)
            yield f"- {first}"
            yield from (f"  {line}" for line in more)
    else:
        yield _scalar(value)


def _under(head: str, value: object) -> Iterator[str]:
    if isinstance(value, dict | list | tuple) and value:
        yield head
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: object) -> str:
    if isinstance(value, str) and _WORD.match(value) and value.lower() not in _NOT_WORDS:
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
