"""Plain data as YAML: what people read, and what YAML takes for the same data."""

import json

import pytest

from aether.cli.yaml_text import yaml_text


def test_lists_and_objects_are_blocks():
    document = {
        "id": "order-1",
        "tags": {"team": "red", "a b": ""},
        "rows": [{"seq": 1, "of": []}, 2, [], ["x", ["z"]]],
    }
    assert yaml_text(document) == (
        'id: order-1\ntags:\n  team: red\n  a b: ""\nrows:\n  - seq: 1\n    of: []\n  - 2\n  - []\n  - - x\n    - - z\n'
    )
    assert (yaml_text({}), yaml_text([]), yaml_text(None)) == ("{}\n", "[]\n", "null\n")


@pytest.mark.parametrize(
    "text",
    ["", "yes", "No", "null", "1", "1e3", "a: b", "- x", "a ", " a", "#a", "a\nb", "é", "2026-11-25", "{", "~"],
)
def test_a_text_that_could_be_something_else_is_in_quotes(text):
    assert yaml_text(text) == json.dumps(text, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("text", ["order", "order-1", "a b.c/d", "_x"])
def test_a_word_is_itself(text):
    assert yaml_text([text]) == f"- {text}\n"
