"""Bytes of keyboards and terminals -> keys. What is not known never becomes a letter: letters are commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_tui.actions import ACTIONS
from aether_tui.keys import Decoder, Mouse, Paste

SILENCE = None
ACTION_KEYS = {action.key for action in ACTIONS.values()}


def typed(*chunks):
    """The keys that come of the chunks; SILENCE is a moment in which nothing comes."""
    decoder = Decoder()
    keys = []
    for chunk in chunks:
        keys += decoder.settle() if chunk is SILENCE else decoder.feed(chunk)
    return keys


@pytest.mark.parametrize(
    ("chunks", "keys"),
    [
        ([b"aA1?/"], ["a", "A", "1", "?", "/"]),
        ([b"\r\n\t\x7f\x08 "], ["enter", "enter", "tab", "backspace", "backspace", "space"]),
        ([b"\x00\x0c\x15"], ["ctrl-space", "ctrl-l", "ctrl-u"]),
        ([b"\x1b[A\x1b[B\x1b[C\x1b[D"], ["up", "down", "right", "left"]),
        ([b"\x1bOA\x1bOP\x1b[H\x1b[F\x1b[Z"], ["up", "f1", "home", "end", "shift-tab"]),
        ([b"\x1b[5~\x1b[6~\x1b[3~\x1b[1~\x1b[4~"], ["pageup", "pagedown", "delete", "home", "end"]),
        ([b"\x1b[1;5C\x1b[1;2A\x1b[5;3~"], ["ctrl-right", "shift-up", "alt-pageup"]),
        # A mouse, as it is asked to tell: clicks and the wheel, and not letting go, other buttons or nonsense.
        ([b"\x1b[<0;10;5M\x1b[<0;10;5m"], [Mouse("click", 9, 4)]),
        ([b"\x1b[<64;1;1M\x1b[<65;300;200M"], [Mouse("wheel-up", 0, 0), Mouse("wheel-down", 299, 199)]),
        ([b"\x1b[<2;10;5M\x1b[<32;1;1M\x1b[<0;1M\x1b[<0;999999;1M\x1b[<0;1;1;1M"], []),
        # A sequence in pieces, however slowly they come.
        ([b"\x1b", b"[", b"A"], ["up"]),
        ([b"\x1b[1", SILENCE, b";5", SILENCE, b"C"], ["ctrl-right"]),
        # Esc by itself, and twice, and before a letter.
        ([b"\x1b", SILENCE], ["esc"]),
        ([b"\x1b\x1b", SILENCE], ["esc", "esc"]),
        ([b"\x1bx"], ["alt-x"]),
        ([b"\x1b\x1bx"], ["esc", "alt-x"]),
        # The rest of a sequence comes after Esc was taken for the key: still no letters.
        ([b"\x1b", SILENCE, b"[C"], ["esc", "right"]),
        ([b"\x1b", SILENCE, b"OQ"], ["esc", "f2"]),
        ([b"\x1b", SILENCE, b"C"], ["esc", "C"]),
        # Alt with an arrow, as rxvt says it.
        ([b"\x1b\x1b[A"], []),
        # UTF-8, whole and in pieces; what is none.
        (["é漢🎉".encode()], ["é", "漢", "🎉"]),
        (["é".encode()[:1], "é".encode()[1:]], ["é"]),
        (["🎉".encode()[:3], "🎉".encode()[3:]], ["🎉"]),
        ([b"\xff\xfea\xc3", b"b"], ["a", "b"]),
        (["\x9bC\u202e".encode()], ["C"]),
        # Answers of terminals: attributes, position, focus, colours, versions, modes.
        ([b"\x1b[?62;4c\x1b[24;80R\x1b[I\x1b[O\x1b[?2026;2$y\x1b[>1;95;0c"], []),
        ([b"\x1b]11;rgb:0000/0000/0000\x07\x1b]0;TITLE C\x1b\\\x1bP>|XTerm(390)C\x1b\\\x1b_GC\x1b\\\x1b^X\x1b\\"], []),
        # A string that never ends is given up by Esc, CAN, or the next sequence.
        ([b"\x1b]0;CXS", b"\x1b", SILENCE, b"q"], ["esc", "q"]),
        ([b"\x1b]0;CXS\x18q"], ["q"]),
        ([b"\x1b]0;CXS\x1b[A"], ["up"]),
        ([b"\x1bP1$rC\x1b", SILENCE, b"\\q"], ["esc", "alt-\\", "q"]),
        # The mouse, new and old; a Linux console's function keys.
        ([b"\x1b[<3;33;12M\x1b[<0;33;12m\x1b[MCXS\x1b[[C"], []),
        ([b"\x1b[M", b"C", b"XSq"], ["q"]),
        # Kitty's way: named keys; never letters; never the release of a key.
        ([b"\x1b[13u\x1b[27u\x1b[9;2u\x1b[47u"], ["enter", "esc", "shift-tab", "/"]),
        ([b"\x1b[67u\x1b[99;2u\x1b[67;2u\x1b[99;5u\x1b[121u"], []),
        ([b"\x1b[13;1:3u\x1b[1;1:3A\x1b[13;1:1u"], ["enter"]),
        # What the grammar does not allow.
        ([b"\x1b[1\rq"], ["enter", "q"]),
        ([b"\x1b[ 1C\x1b[1 C\x1b[999999999999C\x1b[1;9999C\x1b[;;;;C"], []),
        ([b"\x1bO5A\x1bO\x1b[B"], ["down"]),
        # Pasted text is one thing, whatever it holds.
        ([b"\x1b[200~CXq\x1b[A\r\x1b[201~j"], [Paste("CXq\x1b[A\r"), "j"]),
        ([b"\x1b[200~C", SILENCE, b"X\x1b[20", b"1~j"], [Paste("CX"), "j"]),
        ([b"\x1b[201~j"], ["j"]),
    ],
)
def test_bytes_become_keys(chunks, keys):
    assert typed(*chunks) == keys


@pytest.mark.parametrize("begin", [b"\x1b]0;", b"\x1b[200~", b"\x1b[1", b"\x1bP"])
def test_what_never_ends_takes_no_memory_and_gives_no_letters(begin):
    decoder = Decoder()
    keys = decoder.feed(begin)
    for _ in range(40):
        keys += decoder.feed(b"1" * 10_000)
        assert len(decoder._waiting) < 100_000
    keys += decoder.feed(b"1\x07" if begin == b"\x1b]0;" else b"1")
    assert not keys


@given(st.lists(st.binary(max_size=30) | st.none(), max_size=8))
def test_any_bytes_in_any_pieces_are_read_without_an_error(chunks):
    typed(*chunks)


FINALS = st.sampled_from([chr(code) for code in range(0x40, 0x7F) if chr(code) not in "[M"])
CSI = st.builds(
    lambda parameters, between, final: f"\x1b[{parameters}{between}{final}",
    st.text(st.sampled_from("0123456789:;<=>?"), max_size=8),
    st.text(st.sampled_from(" !\"#$%&'()*+,-./"), max_size=2),
    FINALS,
).filter(lambda sequence: not sequence.startswith(("\x1b[200~", "\x1b[201~")))
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
STRING = st.builds(
    lambda begin, text, end: begin + text + end,
    st.sampled_from(["\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX"]),
    PRINTABLE,
    st.sampled_from(["\x1b\\", "\x07"]),
)
MOUSE = st.builds(lambda text: "\x1b[M" + text, st.text(st.sampled_from("CXSFRPy !"), min_size=3, max_size=3))
PASTE = st.builds(lambda text: f"\x1b[200~{text}\x1b[201~", PRINTABLE)
SEQUENCES = st.lists(CSI | STRING | MOUSE | PASTE | st.builds("\x1bO{}".format, FINALS), max_size=8).map("".join)


def cut(text, places):
    data = text.encode()
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


# What keyboards and terminals send unasked.
UNASKED = st.lists(CSI | MOUSE | PASTE | st.builds("\x1bO{}".format, FINALS), max_size=8).map("".join)


def commands(keys):
    return [key for key in keys if isinstance(key, str) and (key in ACTION_KEYS or key == "y")]


@given(SEQUENCES, st.lists(st.integers(0, 200), max_size=6))
def test_no_sequence_is_an_action_or_a_yes_however_it_is_cut(text, places):
    assert not commands(typed(*cut(text, places)))


@given(UNASKED, st.lists(st.integers(0, 200), max_size=6))
def test_nor_over_a_link_that_pauses_at_each_cut(text, places):
    assert not commands(typed(*(each for chunk in cut(text, places) for each in (chunk, SILENCE))))


@given(SEQUENCES, st.integers(0, 200))
def test_an_unfinished_sequence_is_no_action(text, end):
    assert not commands(typed(text.encode()[:end], SILENCE))


@given(st.text(st.sampled_from("abCXS1?/ é漢"), max_size=20), st.lists(st.integers(0, 60), max_size=5))
def test_plain_typing_is_never_lost(text, places):
    assert typed(*cut(text, places)) == ["space" if each == " " else each for each in text]
