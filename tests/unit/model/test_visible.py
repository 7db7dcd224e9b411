"""Text from outside, on a terminal."""

from aether.model.visible import clean, clean_lines


def test_what_a_terminal_would_obey_is_made_visible():
    hostile = "\x1b]52;c;aGk=\x07 \x9b31m \x7f\u202e\u2028 a\tb\r\n\ud800"
    assert clean(hostile) == "\\x1b]52;c;aGk=\\x07 \\x9b31m \\x7f\\u202e\\u2028 a\\tb\\r\\n\\ud800"
    assert clean_lines("a\tb\n\x1b[2J") == "a   b\n\\x1b[2J"
