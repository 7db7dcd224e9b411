r"""Text from outside, made safe to show.

A workflow's name may hold bytes that move a terminal's cursor, rename its window or fill the clipboard. Whatever a
terminal would obey becomes visible as `\x1b` and the like.
"""

import re

# C0 with tab and newline, DEL, C1, marks that turn the direction of text, separators, lone halves of characters.
HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)  # fmt: skip


def clean(text: str) -> str:
    """`text` with everything that a terminal would obey made visible, on one line."""
    return HOSTILE.sub(lambda match: _escaped(match[0]), text)


def clean_lines(text: str) -> str:
    """Like `clean`, but lines stay lines."""
    return "\n".join(clean(line.expandtabs(4)) for line in text.split("\n"))


def _escaped(character: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    code = ord(character)
    return named or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
