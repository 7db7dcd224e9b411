"""Claims about the filter grammar: what each text means, and what is said about one that means nothing."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether.errors import InvalidArgument
from aether.model import filters
from aether.model.filters import (
    EVERY_RUN,
    ParentTerm,
    Pattern,
    RunFilter,
    StateTerm,
    TagTerm,
    TextTerm,
    TimeTerm,
    parse_filter,
)
from aether.model.runs import RunState

HOUR = 3_600_000_000
DAY = 24 * HOUR
# 2026-11-20T00:00 in UTC.
THEN = 20_777 * DAY
NOW = THEN + 5 * DAY


@attrs.frozen
class Run:
    workflow_id: str = "order-1"
    run_id: str = "r-1"
    type: str = "order"
    queue: str = "default"
    state: int = 2
    parent_key: int | None = None
    created_at: int = THEN
    closed_at: int | None = None
    error: str = ""
    tags: tuple[tuple[str, str], ...] = (("customer", "c77"), ("team", "sales"))


def term(text):
    (found,) = parse_filter(text, NOW).terms
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order-1", TextTerm("id", (Pattern("order-1", is_prefix=True),))),
        ("-order-1", TextTerm("id", (Pattern("order-1", is_prefix=True),), excluded=True)),
        ('"a b:c"', TextTerm("id", (Pattern("a b:c", is_prefix=True),))),
        ("id:order-1", TextTerm("id", (Pattern("order-1"),))),
        ("run:r,s", TextTerm("run", (Pattern("r"), Pattern("s")))),
        ("TYPE:or*,bill", TextTerm("type", (Pattern("or", is_prefix=True), Pattern("bill")))),
        ('type:"or*"', TextTerm("type", (Pattern("or*"),))),
        ('type:"a \\"b\\" \\\\ \\c"*', TextTerm("type", (Pattern('a "b" \\ \\c', is_prefix=True),))),
        ('type:""', TextTerm("type", (Pattern(""),))),
        ("type:*", TextTerm("type", (Pattern("", is_prefix=True),))),
        ("id:order:1", TextTerm("id", (Pattern("order:1"),))),
        ("-queue:gpu", TextTerm("queue", (Pattern("gpu"),), excluded=True)),
        ("tag.customer:c77", TagTerm("customer", (Pattern("c77"),))),
        ("tag.Customer:*", TagTerm("Customer", (Pattern("", is_prefix=True),))),
        ('tag."due date":x', TagTerm("due date", (Pattern("x"),))),
        ("state:failed", StateTerm((RunState.FAILED,))),
        ("state:Failed,running,failed", StateTerm((RunState.FAILED, RunState.RUNNING))),
        ("state:open", StateTerm((RunState.PENDING, RunState.RUNNING))),
        ("-state:closed", StateTerm((RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED), excluded=True)),
        ("parent:none", ParentTerm((None,))),
        ('parent:a,"none"', ParentTerm(("a", "none"))),
        ("started:2026-11-20", TimeTerm("started", THEN, THEN + DAY)),
        ("started:>2026-11-20", TimeTerm("started", THEN + DAY, None)),
        ("started:>=2026-11-20", TimeTerm("started", THEN, None)),
        ("started:<2026-11-20", TimeTerm("started", None, THEN)),
        ("started:<=2026-11-20", TimeTerm("started", None, THEN + DAY)),
        ("closed:>2026-11-20T01:00", TimeTerm("closed", THEN + HOUR + 1, None)),
        ("closed:<=2026-11-20T03:00+02:00", TimeTerm("closed", None, THEN + HOUR + 1)),
        ("started:>1h", TimeTerm("started", NOW - HOUR + 1, None)),
        ("started:<=1d12h", TimeTerm("started", None, NOW - 36 * HOUR + 1)),
        ("age:>1.5h", TimeTerm("started", None, NOW - 3 * HOUR // 2)),
        ("age:>=1h", TimeTerm("started", None, NOW - HOUR + 1)),
        ("age:<250ms", TimeTerm("started", NOW - 250_000 + 1, None)),
        ("-age:<=1w", TimeTerm("started", NOW - 7 * DAY, None, excluded=True)),
    ],
)
def test_a_term_means(text, expected):
    assert term(text) == expected


def test_terms_stand_side_by_side_and_all_must_hold():
    found = parse_filter("  state:failed   type:order -tag.a:b x ", NOW)
    assert len(found.terms) == 4
    assert parse_filter("", NOW) == parse_filter(" \t ", NOW) == EVERY_RUN


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("stat:failed", 1, "'stat' is no field, did you mean state?"),
        ("x order:1", 3, "'order' is no field, there are id, run, type"),
        (
            "state:faild",
            7,
            "'faild' is no state; expected pending, running, completed, failed, cancelled, open, closed",
        ),
        ("state:failed,", 14, "a value is expected"),
        ("state:f*", 7, "is no state"),
        ("type: order", 6, "a value is expected"),
        ("type:,", 6, "a value is expected"),
        ("type:a*b", 7, "a * may stand at the end"),
        ('type:"abc', 6, 'a " that is not closed'),
        ('type:"abc\\"', 6, 'a " that is not closed'),
        ("tag:x", 1, "a tag is named like this: tag.customer:c77"),
        ("tag.:x", 1, "a tag is named like this"),
        ("a,b", 2, "a comma may stand between values of a field only"),
        ("- x", 2, "a word or field:value is expected"),
        ("parent:a*", 8, "the parent's whole workflow id is expected"),
        ("started:yesterday", 9, "'yesterday' is no time; expected one like 2026-11-20, 2026-11-20T10:30 or 90m"),
        ("started:2026-11-20T10:30", 9, "one of > >= < <= is expected"),
        ("started:1h", 9, "one of > >= < <= is expected"),
        ("age:1h", 5, "one of > >= < <= and a time like 90m is expected"),
        ("age:>2026-11-20", 6, "is no length of time; expected one like 90s"),
        ("a " + "type:" + ",".join("v" * 33), 72, "these are 33 values; at most 32"),
    ],
)
def test_a_fault_names_its_place_and_what_is_right(text, at, said):
    with pytest.raises(InvalidArgument) as caught:
        parse_filter(text, NOW)
    assert str(caught.value).startswith(f"filter, character {at}: ")
    assert said in str(caught.value)
    assert caught.value.field == "filter"


def test_a_filter_is_bounded():
    with pytest.raises(InvalidArgument, match="filter has 2001 characters; at most 2000"):
        parse_filter("x" * 2001, NOW)
    with pytest.raises(InvalidArgument, match="filter has 33 terms; at most 32"):
        parse_filter("x " * 33, NOW)
    bound = term("started:<999999999w").end
    assert bound is not None
    assert -(2**63) < bound < 0


@pytest.mark.parametrize(
    ("text", "is_meant"),
    [
        ("", True),
        ("order", True),
        ("rder", False),
        ("id:order-1", True),
        ("id:order", False),
        ("id:order*", True),
        ("-id:order*", False),
        ("run:r-1", True),
        ("type:bill,order", True),
        ("type:bill", False),
        ("queue:default", True),
        ("queue:gpu", False),
        ("state:running", True),
        ("state:open -state:pending", True),
        ("state:closed", False),
        ("tag.customer:c77", True),
        ("tag.customer:c7*", True),
        ("tag.customer:c7", False),
        ("tag.team:c77", False),
        ("-tag.city:*", True),
        ("tag.customer:c77 tag.team:sales", True),
        ("parent:none", True),
        ("parent:order-0", False),
        ("started:2026-11-20", True),
        ("started:>2026-11-20", False),
        ("started:<2026-11-20", False),
        ("closed:>1w", False),
        ("-closed:>1w", True),
        ("state:running type:bill", False),
    ],
)
def test_a_run_is_meant_or_not(text, is_meant):
    assert parse_filter(text, NOW).matches(Run(), lambda key: None) is is_meant


def test_a_child_is_found_by_the_id_of_its_parent():
    parents = {7: Run(workflow_id="order-0")}
    child = Run(parent_key=7)
    assert parse_filter("parent:x,order-0", NOW).matches(child, parents.get)
    assert not parse_filter("parent:none", NOW).matches(child, parents.get)
    assert not parse_filter("parent:order-0", NOW).matches(Run(parent_key=8), parents.get)


def test_a_closed_run_is_found_by_when_it_closed():
    run = Run(closed_at=THEN + HOUR)
    assert parse_filter("closed:2026-11-20", NOW).matches(run, lambda key: None)
    assert not parse_filter("closed:<2026-11-20", NOW).matches(run, lambda key: None)


def test_a_failed_run_is_found_by_its_error_and_others_by_having_none():
    def means(text, error):
        return parse_filter(text, NOW).matches(Run(error=error), lambda key: None)

    assert means("error:CardDeclined,Timeout", "Timeout")
    assert means("error:Card*", "CardDeclined")
    assert not means("error:Card", "CardDeclined")
    assert means("error:*", "Timeout")
    assert not means("error:*", "")
    assert means("-error:*", "")
    assert means("-error:Timeout", "")


@pytest.mark.parametrize("field", ["step", "worker", "version"])
def test_what_no_index_answers_is_refused_with_what_to_do(field):
    with pytest.raises(InvalidArgument, match=rf"character 3: runs can not be found by {field}: .* ask for") as caught:
        parse_filter(f"a {field}:x", NOW)
    assert caught.value.field == "filter"


@given(st.text('abcs:,*"\\-<> t.age1hnone', max_size=30) | st.text(max_size=30))
def test_any_text_is_a_filter_or_a_fault_that_names_a_place_in_it(text):
    try:
        found = parse_filter(text, NOW)
    except InvalidArgument as fault:
        at = int(str(fault).removeprefix("filter, character ").partition(":")[0])
        assert 1 <= at <= len(text) + 1
    else:
        assert isinstance(found, RunFilter)
        assert isinstance(found.matches(Run(), lambda key: None), bool)


@given(st.text(min_size=1).filter(lambda text: "\\" not in text), st.booleans())
def test_whatever_is_in_quotes_is_meant_as_it_is(value, is_prefix):
    quoted = '"' + value.replace('"', '\\"') + '"' + "*" * is_prefix
    assert term(f"type:{quoted}") == TextTerm("type", (Pattern(value, is_prefix),))


def test_the_fields_of_the_grammar_are_those_of_its_description():
    described = filters.__doc__ or ""
    assert not [name for name in filters.FIELDS if name not in described]
