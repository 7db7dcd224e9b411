"""A filter of runs as SQL: which index to walk, and what to look at on the way. Pure but for the counting it asks for.

Theory of operation. Lists are by key, newest or oldest first, and every index ends in the key, so the runs of one value
are read from an index in the order that is wanted, and reading ends with the page. What remains is to choose the index:

- A term that few runs fulfil (counted in its index, up to `NARROW`) is looked up as a whole and sorted. More may be few
  when there is no other term: then the index alone says which runs make the page.
- Otherwise a term of one index is walked from that end; alternatives are walked side by side and merged.
- Otherwise all runs are walked.

The other terms are looked at in each run that is met. The index is named in the query, because a plan that depends on
statistics changes when nobody looks. The worst case is a list whose terms are all common and hardly ever meet: it reads
all runs of one of them, beside the server and not in its way.
"""
# ruff: noqa: S608 - only constants are put into SQL; values are bound

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Final, TypeAlias

from attrs import frozen

from aether.model.filters import ParentTerm, Pattern, RunFilter, StateTerm, TagTerm, Term, TextTerm, TimeTerm
from aether.store.format import prefix_end
from aether.store.sqlite_schema import RUN_COLUMNS

NARROW: Final = 2_000
"""A term that fewer runs than this fulfil is looked up and sorted: it takes a few milliseconds at most."""
NARROW_ALONE: Final = 50_000
"""The same for a term without others beside it: only the page itself is looked up."""
_BRANCHES_MAX: Final = 64
"""More alternatives than this are looked at in each run instead of being walked side by side."""

Values: TypeAlias = tuple[int | str | None, ...]
Query: TypeAlias = Callable[[str, Values], Sequence[Sequence[int]]]

_COLUMNS: Final = {"id": "workflow_id", "run": "run_id", "type": "type", "queue": "queue", "error": "error"}
_TIMES: Final = {"started": "created_at", "closed": "closed_at"}
_INDEXES: Final = {
    "workflow_id": "INDEXED BY runs_by_workflow",
    "type": "INDEXED BY runs_by_type",
    "state": "INDEXED BY runs_by_state",
    "parent_key": "INDEXED BY runs_by_parent",
    "created_at": "INDEXED BY runs_by_started",
    "closed_at": "INDEXED BY runs_by_closed",
    "error": "INDEXED BY runs_by_error",
}
_EVERYTHING: Final = "NOT INDEXED"


@frozen
class _Clause:
    """A condition and what is bound to it."""

    sql: str
    values: Values = ()


@frozen
class _Source:
    """Where keys of runs come from: a table by an index, its key, and the condition that the index answers."""

    table: str
    key: str
    clause: _Clause


_EVERY_RUN: Final = _Source(f"runs {_EVERYTHING}", "key", _Clause("true"))


@frozen
class Page:
    """`limit` runs: the newest first, below a key; or the oldest first, above one."""

    limit: int
    before_key: int | None = None
    after_key: int | None = None

    def beyond(self, key: str) -> _Clause:
        if self.after_key is not None:
            return _Clause(f"{key} > ?", (self.after_key,))
        return _Clause("true") if self.before_key is None else _Clause(f"{key} < ?", (self.before_key,))

    def ordered(self, key: str) -> str:
        return f"ORDER BY {key} {'DESC' if self.after_key is None else 'ASC'} LIMIT ?"


def plan_list(wanted: RunFilter, page: Page, query: Query) -> tuple[str, Values]:
    """The SELECT of a page and its values. `query` answers small counts."""
    terms = [_resolve(term, query) for term in wanted.terms]
    clauses = [_clause(term) for term in terms]
    walks = _walks(terms)
    # Where an index is walked, the page is there at once.
    is_alone = len(terms) == 1 and walks == [_EVERY_RUN]
    bound = NARROW_ALONE if is_alone else NARROW
    narrow = _narrowest([list(_lookups(term)) for term in terms if not term.excluded], bound, query)
    if narrow is not None:
        keys = " UNION ".join(f"SELECT {source.key} FROM {source.table} WHERE {source.clause.sql}" for source in narrow)
        values = tuple(value for source in narrow for value in source.clause.values)
        if is_alone:
            beyond = page.beyond(narrow[0].key)
            keys = f"SELECT {narrow[0].key} FROM ({keys}) WHERE {beyond.sql} {page.ordered('1')}"
            values = (*values, *beyond.values, page.limit)
        return _select(f"runs {_EVERYTHING}", [_Clause(f"key IN ({keys})", values), *clauses], page)
    if len(walks) == 1:
        return _select(walks[0].table, [walks[0].clause, *clauses], page)
    parts = [_select(walk.table, [walk.clause, *clauses], page) for walk in walks]
    union = " UNION ALL ".join(f"SELECT * FROM ({sql})" for sql, _ in parts)
    values = tuple(value for _, part in parts for value in part)
    return f"SELECT * FROM ({union}) {page.ordered('1')}", (*values, page.limit)


def _select(table: str, clauses: Sequence[_Clause], page: Page) -> tuple[str, Values]:
    key = "run_key" if table.startswith("tags") else "key"
    clauses = [*clauses, page.beyond(key)]
    where = " AND ".join(clause.sql for clause in clauses)
    values = tuple(value for clause in clauses for value in clause.values)
    return f"SELECT {RUN_COLUMNS} FROM {table} WHERE {where} {page.ordered(key)}", (*values, page.limit)


@frozen
class _ParentKeys:
    """A ParentTerm with the keys of the runs that it names."""

    keys: tuple[int, ...]
    or_none: bool
    excluded: bool


_Resolved = TextTerm | TagTerm | StateTerm | TimeTerm | _ParentKeys


def _resolve(term: Term, query: Query) -> _Resolved:
    if not isinstance(term, ParentTerm):
        return term
    names = tuple(name for name in term.workflow_ids if name is not None)
    found = query(
        f"SELECT key FROM runs INDEXED BY runs_by_workflow WHERE workflow_id IN ({_marks(len(names))})"
        " ORDER BY key DESC LIMIT ?",
        (*names, NARROW),
    )
    return _ParentKeys(tuple(row[0] for row in found), None in term.workflow_ids, term.excluded)


def _clause(term: _Resolved) -> _Clause:
    """The term as a condition on a run, true or false also where a column is NULL."""
    clause = _positive(term)
    return _Clause(f"({clause.sql}) IS NOT TRUE", clause.values) if term.excluded else clause


def _positive(term: _Resolved) -> _Clause:
    if isinstance(term, TextTerm):
        return _any(_match(_COLUMNS[term.field], pattern) for pattern in term.patterns)
    if isinstance(term, StateTerm):
        return _Clause(f"state IN ({_marks(len(term.states))})", tuple(int(state) for state in term.states))
    if isinstance(term, TagTerm):
        return _tagged(term)
    if isinstance(term, TimeTerm):
        return _between(_TIMES[term.field], term)
    orphans = " OR parent_key IS NULL" if term.or_none else ""
    return _Clause(f"(parent_key IN ({_marks(len(term.keys))}){orphans})", term.keys)


def _tagged(term: TagTerm) -> _Clause:
    """By the index for whole values. It would be read from end to end for others: these are looked for in the run."""
    if _are_exact(term.patterns):
        mine = f"tag.name = ? AND tag.value IN ({_marks(len(term.patterns))}) AND tag.run_key = runs.key"
        values = (term.name, *(pattern.text for pattern in term.patterns))
        return _Clause(f"EXISTS (SELECT 1 FROM tags AS tag WHERE {mine})", values)
    some = _any(_match("value ->> 1", pattern) for pattern in term.patterns)
    mine = f"EXISTS (SELECT 1 FROM json_each(runs.tags) WHERE value ->> 0 = ? AND {some.sql})"
    return _Clause(f"CASE WHEN json_valid(runs.tags) THEN {mine} END", (term.name, *some.values))


def _match(column: str, pattern: Pattern) -> _Clause:
    clause = _compare(column, pattern)
    # Of those that have one; and in the words by which their index is known.
    return _Clause(f"error <> '' AND {clause.sql}", clause.values) if column == "error" else clause


def _compare(column: str, pattern: Pattern) -> _Clause:
    if not pattern.is_prefix:
        return _Clause(f"{column} = ?", (pattern.text,))
    end = prefix_end(pattern.text)
    if end is None:
        return _Clause(f"{column} >= ?", (pattern.text,))
    return _Clause(f"{column} >= ? AND {column} < ?", (pattern.text, end))


def _between(column: str, term: TimeTerm) -> _Clause:
    bounds = [
        _Clause(f"{column} {sign} ?", (at,)) for sign, at in ((">=", term.first), ("<", term.end)) if at is not None
    ]
    return _Clause(" AND ".join(bound.sql for bound in bounds), tuple(bound.values[0] for bound in bounds))


def _any(clauses: Iterator[_Clause]) -> _Clause:
    every = list(clauses)
    sql = " OR ".join(f"({clause.sql})" for clause in every)
    return _Clause(f"({sql})", tuple(value for clause in every for value in clause.values))


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _lookups(term: _Resolved) -> Iterator[_Source]:
    """The index entries that hold every run of a term; none if it has no index."""
    if isinstance(term, TagTerm):
        for pattern in term.patterns:
            match = _match("value", pattern)
            yield _Source("tags", "run_key", _Clause(f"name = ? AND {match.sql}", (term.name, *match.values)))
        return
    column, clauses = _indexed(term)
    for clause in clauses:
        yield _Source(f"runs {_INDEXES[column]}", "key", clause)


def _indexed(term: _Resolved) -> tuple[str, list[_Clause]]:
    if isinstance(term, TextTerm) and _COLUMNS[term.field] in _INDEXES:
        column = _COLUMNS[term.field]
        return column, [_match(column, pattern) for pattern in term.patterns]
    if isinstance(term, StateTerm):
        return "state", [_Clause("state = ?", (int(state),)) for state in term.states]
    if isinstance(term, TimeTerm):
        return _TIMES[term.field], [_between(_TIMES[term.field], term)]
    if isinstance(term, _ParentKeys) and not term.or_none:
        return "parent_key", [_Clause("parent_key = ?", (key,)) for key in term.keys]
    return "", []


def _narrowest(terms: list[list[_Source]], bound: int, query: Query) -> list[_Source] | None:
    """The lookups of the term that the fewest runs fulfil, if those are fewer than `bound`."""
    best, fewest = None, bound
    for sources in terms:
        if not sources or len(sources) > _BRANCHES_MAX:
            continue
        count = 0
        for source in sources:
            count += query(
                f"SELECT count(*) FROM (SELECT 1 FROM {source.table} WHERE {source.clause.sql} LIMIT ?)",
                (*source.clause.values, fewest - count),
            )[0][0]
            if count >= fewest:
                break
        else:
            best, fewest = sources, count
    return best


def _walks(terms: Sequence[_Resolved]) -> list[_Source]:
    """The indexes to walk side by side: each has its runs in the order of the list."""
    there = [term for term in terms if not term.excluded]
    tags = [term for term in there if isinstance(term, TagTerm) and _are_exact(term.patterns)]
    if tags:
        table = "tags CROSS JOIN runs ON runs.key = tags.run_key"
        name = tags[0].name
        return [
            _Source(table, "run_key", _Clause("tags.name = ? AND tags.value = ?", (name, value)))
            for value in dict.fromkeys(pattern.text for pattern in tags[0].patterns)
        ]
    types = [
        term for term in there if isinstance(term, TextTerm) and term.field == "type" and _are_exact(term.patterns)
    ]
    states = [term for term in there if isinstance(term, StateTerm)]
    names = tuple(dict.fromkeys(pattern.text for pattern in types[0].patterns)) if types else ()
    numbers = tuple(int(state) for state in states[0].states) if states else ()
    both = [
        _Source("runs INDEXED BY runs_by_type_state", "key", _Clause("type = ? AND state = ?", (name, number)))
        for name, number in product(names, numbers)
    ]
    walks = (
        both
        or [_Source(f"runs {_INDEXES['type']}", "key", _Clause("type = ?", (name,))) for name in names]
        or [_Source(f"runs {_INDEXES['state']}", "key", _Clause("state = ?", (number,))) for number in numbers]
    )
    if 0 < len(walks) <= _BRANCHES_MAX:
        return walks
    return [_EVERY_RUN]


def _are_exact(patterns: Sequence[Pattern]) -> bool:
    return not any(pattern.is_prefix for pattern in patterns)
