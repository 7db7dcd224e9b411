"""Bytes of a keyboard -> keys. No I/O, no clock.

Theory of operation. Input is framed by the grammar of ECMA-48 before anything is looked up, and a frame that is not
known is dropped whole: a terminal's answer to somebody's question must never become letters, because letters are
commands. A sequence that is not finished waits for its end, however slowly the link brings it. Only a lone Esc is
ambiguous: `settle`, called after a moment of silence, takes it for the key; should the rest of its sequence follow even
later, it is still read as one.
"""

import re
from typing import Final

from attrs import define, field, frozen

_ESC: Final = "\x1b"
_FRAME: Final = re.compile(
    "(?:"
    # A Linux console's F1..F5, and the mouse's reports of old: both go on behind what looks like their end.
    r"\x1b\x1b?\[\[[ -~]|\x1b\x1b?\[M.{3}"
    r"|(?P<csi>\x1b\x1b?\[(?![\[M])[ -?]*+[@-~])"
    r"|(?P<ss3>\x1b\x1b?O[0-9;]*+[@-~])"
    # Strings: OSC, DCS, APC, PM, SOS; ended by ST, by BEL, or given up by CAN, SUB and the next Esc.
    r"|\x1b[\]P_^X][^\x07\x18\x1a\x1b]*+(?:[\x07\x18\x1a]|\x1b\\|(?=\x1b[^\\]))"
    # What the grammar does not allow to go on like this.
    r"|\x1b\x1b?\[\[(?=[^ -~])|\x1b\x1b?\[(?![\[M])[ -?]*+(?=[^ -~])|\x1b\x1b?O[0-9;]*+(?=[^ -~])"
    r"|(?P<esc>\x1b(?=\x1b[^\[O]))"
    r"|(?P<alt>\x1b[^\x1b\[O\]P_^X])"
    r"|(?P<text>[^\x1b])"
    ")",
    re.DOTALL,
)
_STRINGS: Final = tuple(f"\x1b{each}" for each in "]P_^X")
_PASTE_BEGIN, _PASTE_END = "\x1b[200~", "\x1b[201~"
_CONTROLS: Final = {"\r": "enter", "\n": "enter", "\t": "tab", "\x7f": "backspace", "\x08": "backspace"}
_FINALS: Final = {
    "A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end", "Z": "shift-tab", "P": "f1", "Q": "f2",
    "R": "f3", "S": "f4", "M": "enter",
}  # fmt: skip
_TILDES: Final = {
    "1": "home", "2": "insert", "3": "delete", "4": "end", "5": "pageup", "6": "pagedown", "7": "home", "8": "end",
    "11": "f1", "12": "f2", "13": "f3", "14": "f4", "15": "f5", "17": "f6", "18": "f7", "19": "f8", "20": "f9",
    "21": "f10", "23": "f11", "24": "f12",
}  # fmt: skip
# The buttons that mean something, as SGR tells them.
_BUTTONS: Final = {"<0": "click", "<64": "wheel-up", "<65": "wheel-down"}
_UNICODES: Final = {9: "tab", 13: "enter", 27: "esc", 127: "backspace"}
_SHIFT, _ALT, _CTRL = 1, 2, 4
_RELEASE: Final = "3"
# An unfinished string or paste is not kept beyond this.
_PENDING_MAX: Final = 65_536


@frozen
class Paste:
    """Text that was pasted: never commands."""

    text: str


@frozen
class Mouse:
    """`what` is "click", "wheel-up" or "wheel-down"; the place is counted from 0."""

    what: str
    column: int
    line: int


Key = str | Paste | Mouse


@define
class Decoder:
    """Fed with bytes as they come; answers with keys: "a", "A", "enter", "up", "ctrl-l", "alt-x", "f1" and so on."""

    _waiting: str = ""
    _partial: bytes = b""
    # With what a sequence would go on whose Esc was taken for the key.
    _swallows: str = field(default="")

    @property
    def is_undecided(self) -> bool:
        """Esc was the last thing that came: call `settle` after a moment of silence."""
        return self._waiting.endswith(_ESC) and not self._waiting.startswith(_PASTE_BEGIN)

    def feed(self, data: bytes) -> list[Key]:
        text = self._text_of(data)
        if self._swallows and text:
            # Esc was told already; if its sequence goes on after all, it is a frame like any other.
            if text[0] in self._swallows:
                text = _ESC + text
            self._swallows = ""
        self._waiting += text
        keys: list[Key] = []
        while self._waiting:
            if self._waiting.startswith(_PASTE_BEGIN):
                if not self._take_paste(keys):
                    break
                continue
            match = _FRAME.match(self._waiting)
            if match is None:
                break
            self._waiting = self._waiting[match.end() :]
            key = _key_of(match)
            if key:
                keys.append(key)
        self._bound()
        return keys

    def settle(self) -> list[Key]:
        """Nothing has come for a moment: Esc is the key, also where it gives up a sequence."""
        if not self.is_undecided:
            return []
        self._swallows = "[O\\" if self._waiting.startswith(_STRINGS) else "[O"
        keys: list[Key] = ["esc", "esc"] if self._waiting == _ESC * 2 else ["esc"]
        self._waiting = ""
        return keys

    def _take_paste(self, keys: list[Key]) -> bool:
        end = self._waiting.find(_PASTE_END)
        if end < 0:
            return False
        keys.append(Paste(self._waiting[len(_PASTE_BEGIN) : end]))
        self._waiting = self._waiting[end + len(_PASTE_END) :]
        return True

    def _bound(self) -> None:
        if len(self._waiting) > _PENDING_MAX:
            # Keeps being inside of the sequence: its rest must not become keys.
            head = _PASTE_BEGIN if self._waiting.startswith(_PASTE_BEGIN) else self._waiting[:2]
            self._waiting = head + self._waiting[-len(_PASTE_END) :]

    def _text_of(self, data: bytes) -> str:
        data = self._partial + data
        self._partial = b""
        # At most the last three bytes can be a character that is not complete.
        for cut in range(1, min(4, len(data) + 1)):
            byte = data[-cut]
            if byte < 0x80:
                break
            if byte >= 0xC0:
                wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                if cut < wanted:
                    self._partial, data = data[-cut:], data[:-cut]
                break
        return data.decode("utf-8", "ignore")


def _key_of(match: re.Match[str]) -> Key:
    if text := match["text"]:
        return _typed(text)
    if match["esc"]:
        return "esc"
    if alt := match["alt"]:
        inner = _typed(alt[1])
        return f"alt-{inner}" if inner else ""
    if ss3 := match["ss3"]:
        return _FINALS.get(ss3[-1], "") if len(ss3) == 3 else ""
    if csi := match["csi"]:
        return _of_csi(csi[2:-1], csi[-1]) if csi[1] == "[" else ""
    return ""


def _typed(character: str) -> str:
    if character in _CONTROLS:
        return _CONTROLS[character]
    if character == "\x00":
        return "ctrl-space"
    if character < " ":
        return f"ctrl-{chr(ord(character) + 0x60)}"
    if character == " ":
        return "space"
    return character if character.isprintable() else ""


def _mouse(numbers: list[str]) -> Key:
    """What was pressed where; letting go, moving and other buttons are nothing."""
    what = _BUTTONS.get(numbers[0], "")
    if not what or len(numbers) != 3 or not all(each.isdecimal() and len(each) < 6 for each in numbers[1:]):
        return ""
    return Mouse(what, max(int(numbers[1]) - 1, 0), max(int(numbers[2]) - 1, 0))


def _of_csi(parameters: str, final: str) -> Key:
    """The key of a control sequence, or nothing."""
    numbers = parameters.split(";")
    if final == "M" and numbers[0].startswith("<"):
        return _mouse(numbers)
    modifier, _, kind = (numbers[1] if len(numbers) > 1 else "").partition(":")
    if kind == _RELEASE or not (modifier.isdecimal() or not modifier) or len(modifier) > 3:
        return ""
    held = max(int(modifier or "1") - 1, 0)
    first = numbers[0].partition(":")[0]
    if final == "u" and first.isdecimal() and len(first) < 8:
        return _of_unicode(int(first), held)
    if len(numbers) > 2:
        return ""
    if final == "~":
        return _held(_TILDES.get(first, ""), held)
    if first in {"", "1"} and final != "M":
        return _held(_FINALS.get(final, ""), held)
    return ""


def _of_unicode(number: int, held: int) -> str:
    """As terminals write keys that use kitty's way; only what can not be mistaken."""
    name = _UNICODES.get(number, "")
    if not name and 0x20 < number < 0x7F and held in {0, _SHIFT}:
        # Never a letter: nobody asked the terminal for this way of writing, and letters are commands.
        return "" if chr(number).isalpha() else chr(number)
    return _held(name, held)


def _held(name: str, held: int) -> str:
    if not name or held > _SHIFT | _ALT | _CTRL:
        return ""
    prefix = "".join(word for bit, word in ((_CTRL, "ctrl-"), (_ALT, "alt-"), (_SHIFT, "shift-")) if held & bit)
    return prefix + name
