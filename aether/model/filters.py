"""The one way to say which runs are meant: `state:failed type:order* tag.customer:c77 started:>1h -queue:slow order-1`.

Terms stand side by side and must all hold. Values with commas between them are alternatives, a leading `-` turns a
term round, and a word by itself is how a workflow id begins. Command line, dashboards and programs hand the text on as
it is; the server parses it once, and the store looks for what comes out.

    term     [-] field : value [, value]...          or   [-] word
    value    characters without spaces and commas, "in quotes" whatever they are; a * at the end means any end
    id run type queue tag.NAME                        as above; `tag.NAME:*` has that tag
    error    the class of the error of which it failed, that of a step's or an activity's own; `error:*` has failed
    state    pending running completed failed cancelled, open (the first two) or closed (the others)
    parent   the workflow id of who started it, or none
    started closed   [> >= < <=] and a time: 2026-11-20, 2026-11-20T10:30 (UTC unless it says otherwise), or 90m, which
             means that long ago; a later time is greater, so `started:>1h` is what has started within the last hour
    age      [> >= < <=] and how long ago it started: `age:>1h` is what has started earlier than that
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Final, Literal, Protocol

from aether.errors import InvalidArgument
from aether.model.frozen import frozen
from aether.model.runs import RunState

TEXT_MAX: Final = 2_000
TERMS_MAX: Final = 32
VALUES_MAX: Final = 32

TextField = Literal["id", "run", "type", "queue", "error"]
TimeField = Literal["started", "closed"]


class FilterableRun(Protocol):
    """What a filter looks at; the rows of stores are such."""

    @property
    def workflow_id(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def state(self) -> int: ...
    @property
    def parent_key(self) -> int | None: ...
    @property
    def created_at(self) -> int: ...
    @property
    def closed_at(self) -> int | None: ...
    @property
    def error(self) -> str: ...
    @property
    def tags(self) -> tuple[tuple[str, str], ...]: ...


@frozen
class Pattern:
    """A text, or how one begins."""

    text: str
    is_prefix: bool = False

    def matches(self, text: str) -> bool:
        return text.startswith(self.text) if self.is_prefix else text == self.text


@frozen
class TextTerm:
    """A name of the run matches one of the patterns."""

    field: TextField
    patterns: tuple[Pattern, ...]
    excluded: bool = False


@frozen
class TagTerm:
    """The run has that tag, and its value matches one of the patterns."""

    name: str
    patterns: tuple[Pattern, ...]
    excluded: bool = False


@frozen
class StateTerm:
    states: tuple[RunState, ...]
    excluded: bool = False


@frozen
class ParentTerm:
    """Started by a run of one of these workflow ids; None stands for by no run."""

    workflow_ids: tuple[str | None, ...]
    excluded: bool = False


@frozen
class TimeTerm:
    """It happened at `first` (microseconds since 1970) or later, and before `end`; None is no bound."""

    field: TimeField
    first: int | None
    end: int | None
    excluded: bool = False


Term = TextTerm | TagTerm | StateTerm | ParentTerm | TimeTerm


@frozen
class RunFilter:
    """All terms must hold; without any, every run is meant."""

    terms: tuple[Term, ...] = ()

    def matches(self, run: FilterableRun, find: Callable[[int], FilterableRun | None]) -> bool:
        """Whether the run is meant. `find` knows the run of a key, for `parent`."""
        return all(_holds(term, run, find) is not term.excluded for term in self.terms)


EVERY_RUN: Final = RunFilter()

_TEXT_FIELDS: Final[dict[str, TextField]] = {
    "id": "id",
    "run": "run",
    "type": "type",
    "queue": "queue",
    "error": "error",
}
_TIME_FIELDS: Final[dict[str, TimeField]] = {"started": "started", "closed": "closed"}
FIELDS: Final = ("id", "run", "type", "queue", "state", "error", "parent", "started", "closed", "age", "tag.NAME")
# What people ask for and no index answers: to look through all runs would take minutes.
_NOT_FOUND_BY: Final = {
    "step": "their steps are in their histories only; ask for state: or error:, or give runs a tag, ask for tag.NAME:",
    "worker": "who has them changes at any time; `aether status ID` tells it of one run, ask for queue: or state: here",
    "version": "runs do not know of which version their code is; give them a tag when they start and ask for tag.NAME:",
}
_STATES: Final[dict[str, tuple[RunState, ...]]] = {
    **{state.name.lower(): (state,) for state in RunState},
    "open": tuple(state for state in RunState if not state.is_closed),
    "closed": tuple(state for state in RunState if state.is_closed),
}
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?(?:ms|[smhdw]))+", re.ASCII)
_DURATION_PART: Final = re.compile(r"([\d.]+)(ms|[smhdw])")
_UNIT_US: Final = {
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
# Bounds stay within 64 bits.
_LONGEST_US: Final = 2.0**61
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


def parse_filter(text: str, now: int) -> RunFilter:
    """The filter that a text means at `now`. Raises InvalidArgument with the place and what would be right there."""
    if len(text) > TEXT_MAX:
        raise InvalidArgument(f"filter has {len(text)} characters; at most {TEXT_MAX}", field="filter")
    terms = tuple(_terms(_Scanner(text), now))
    if len(terms) > TERMS_MAX:
        raise InvalidArgument(f"filter has {len(terms)} terms; at most {TERMS_MAX}", field="filter")
    return RunFilter(terms)


def _holds(term: Term, run: FilterableRun, find: Callable[[int], FilterableRun | None]) -> bool:
    if isinstance(term, StateTerm):
        return run.state in term.states
    if isinstance(term, TextTerm):
        text = _text_of(run, term.field)
        if term.field == "error" and not text:
            return False
        return any(pattern.matches(text) for pattern in term.patterns)
    if isinstance(term, TagTerm):
        return any(
            name == term.name and pattern.matches(value) for name, value in run.tags for pattern in term.patterns
        )
    if isinstance(term, TimeTerm):
        at = run.created_at if term.field == "started" else run.closed_at
        if at is None:
            return False
        return (term.first is None or at >= term.first) and (term.end is None or at < term.end)
    if run.parent_key is None:
        return None in term.workflow_ids
    parent = find(run.parent_key)
    return parent is not None and parent.workflow_id in term.workflow_ids


def _text_of(run: FilterableRun, field: TextField) -> str:
    if field == "id":
        return run.workflow_id
    if field == "run":
        return run.run_id
    if field == "type":
        return run.type
    return run.queue if field == "queue" else run.error


@frozen
class _Word:
    """Characters as they are meant, where they begin (from 1), and whether a * of no quotes ends them."""

    text: str
    at: int
    is_prefix: bool
    is_quoted: bool


class _Scanner:
    """Reads words from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = 0

    @property
    def at(self) -> int:
        """Where the next character is, from 1, as people count."""
        return self._next + 1

    def skip_spaces(self) -> bool:
        """Go to the next term; False: there is none."""
        while self._next < len(self._text) and self._text[self._next].isspace():
            self._next += 1
        return self._next < len(self._text)

    def take(self, *marks: str) -> str:
        """The first of the marks that stands here, and step behind it; empty when none does."""
        for mark in marks:
            if self._text.startswith(mark, self._next):
                self._next += len(mark)
                return mark
        return ""

    def word(self, ends: str) -> _Word:
        """Characters up to a space or one of `ends`; those in quotes are taken as they are."""
        start, found = self.at, list[str]()
        star_at, is_quoted = 0, False
        while self._next < len(self._text):
            character = self._text[self._next]
            if character.isspace() or character in ends:
                break
            if star_at:
                raise _wrong(star_at, "a * may stand at the end of a value only; put the value in quotes")
            self._next += 1
            if character == '"':
                found.append(self._quoted())
                is_quoted = True
            elif character == "*":
                star_at = self._next
            else:
                found.append(character)
        return _Word("".join(found), start, bool(star_at), is_quoted)

    def _quoted(self) -> str:
        start, found = self._next, list[str]()
        while self._next < len(self._text):
            character = self._text[self._next]
            self._next += 1
            if character == '"':
                return "".join(found)
            if character == "\\" and self._text[self._next : self._next + 1] in {'"', "\\"}:
                character = self._text[self._next]
                self._next += 1
            found.append(character)
        raise _wrong(start, 'a " that is not closed')


def _terms(scanner: _Scanner, now: int) -> Iterator[Term]:
    while scanner.skip_spaces():
        excluded = bool(scanner.take("-"))
        word = scanner.word(":,")
        if not scanner.take(":"):
            if scanner.take(","):
                raise _wrong(scanner.at - 1, "a comma may stand between values of a field only; put the word in quotes")
            if not word.text:
                raise _wrong(word.at, "a word or field:value is expected")
            yield TextTerm("id", (Pattern(word.text, is_prefix=True),), excluded)
        else:
            yield _term(scanner, word, excluded, now)


def _term(scanner: _Scanner, name: _Word, excluded: bool, now: int) -> Term:
    field = name.text.lower()
    if field in _TIME_FIELDS or field == "age":
        return _time_term(scanner, field, excluded, now)
    if field in {"tag", "tag."}:
        raise _wrong(name.at, "a tag is named like this: tag.customer:c77")
    if field.startswith("tag."):
        return TagTerm(name.text[4:], tuple(_pattern(word) for word in _values(scanner)), excluded)
    if field in _TEXT_FIELDS:
        return TextTerm(_TEXT_FIELDS[field], tuple(_pattern(word) for word in _values(scanner)), excluded)
    if field == "state":
        states = [state for word in _values(scanner) for state in _states(word)]
        return StateTerm(tuple(dict.fromkeys(states)), excluded)
    if field == "parent":
        return ParentTerm(tuple(_parent(word) for word in _values(scanner)), excluded)
    if field in _NOT_FOUND_BY:
        raise _wrong(name.at, f"runs can not be found by {field}: {_NOT_FOUND_BY[field]}")
    near = get_close_matches(field, FIELDS, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(FIELDS)}"
    raise _wrong(name.at, f'{name.text!r} is no field, {hint} (an id with a : in it is put in quotes, "like:this")')


def _values(scanner: _Scanner) -> list[_Word]:
    words = [scanner.word(",")]
    while scanner.take(","):
        words.append(scanner.word(","))
    for word in words:
        if not word.text and not word.is_prefix and not word.is_quoted:
            raise _wrong(word.at, "a value is expected")
    if len(words) > VALUES_MAX:
        raise _wrong(words[VALUES_MAX].at, f"these are {len(words)} values; at most {VALUES_MAX}")
    return words


def _pattern(word: _Word) -> Pattern:
    return Pattern(word.text, word.is_prefix)


def _states(word: _Word) -> tuple[RunState, ...]:
    found = _STATES.get(word.text.lower())
    if found is None or word.is_prefix:
        raise _wrong(word.at, f"{word.text!r} is no state; expected {', '.join(_STATES)}")
    return found


def _parent(word: _Word) -> str | None:
    if word.is_prefix:
        raise _wrong(word.at, "the parent's whole workflow id is expected, or none")
    return None if word.text == "none" and not word.is_quoted else word.text


def _time_term(scanner: _Scanner, field: str, excluded: bool, now: int) -> TimeTerm:
    comparison = scanner.take(">=", "<=", ">", "<")
    word = scanner.word("")
    if field == "age":
        # The older, the earlier.
        turned = comparison.translate(str.maketrans("<>", "><"))
        start = end = now - _duration_us(word)
        if not comparison:
            raise _wrong(word.at, "one of > >= < <= and a time like 90m is expected")
        return _range("started", turned, start, end + 1, excluded)
    start, end = _moment(word, now)
    if not comparison and end - start == 1:
        raise _wrong(word.at, "one of > >= < <= is expected before a time; a day may stand alone")
    return _range(_TIME_FIELDS[field], comparison, start, end, excluded)


def _range(field: TimeField, comparison: str, start: int, end: int, excluded: bool) -> TimeTerm:
    """The times that compare so with what lies from `start` up to `end`."""
    if comparison == ">":
        return TimeTerm(field, end, None, excluded)
    if comparison == ">=":
        return TimeTerm(field, start, None, excluded)
    if comparison == "<":
        return TimeTerm(field, None, start, excluded)
    if comparison == "<=":
        return TimeTerm(field, None, end, excluded)
    return TimeTerm(field, start, end, excluded)


def _moment(word: _Word, now: int) -> tuple[int, int]:
    """Where it begins and ends: a day has a length, a time is one microsecond long."""
    if _DURATION.fullmatch(word.text):
        start = now - _duration_us(word)
        return start, start + 1
    try:
        day = date.fromisoformat(word.text)
    except ValueError:
        pass
    else:
        start = _micros(datetime(day.year, day.month, day.day, tzinfo=UTC))
        return start, start + _UNIT_US["d"]
    try:
        moment = datetime.fromisoformat(word.text)
    except ValueError:
        raise _wrong(
            word.at, f"{word.text!r} is no time; expected one like 2026-11-20, 2026-11-20T10:30 or 90m"
        ) from None
    start = _micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return start, start + 1


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _US


def _duration_us(word: _Word) -> int:
    if not _DURATION.fullmatch(word.text):
        raise _wrong(word.at, f"{word.text!r} is no length of time; expected one like 90s, 15m, 1h30m or 7d")
    length = sum(float(number) * _UNIT_US[unit] for number, unit in _DURATION_PART.findall(word.text))
    return int(min(length, _LONGEST_US))


def _wrong(at: int, what: str) -> InvalidArgument:
    return InvalidArgument(f"filter, character {at}: {what}", field="filter")
