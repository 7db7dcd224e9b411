"""The files of the page fit together: there is no build that would tell."""

import re
from importlib.resources import files

from aether.wire.logged import KIND_NUMBERS

PAGE = files("aether.server.http").joinpath("page")
MODULES = {file.name: file.read_text() for file in PAGE.iterdir() if file.name.endswith(".js")}
OWN = {name: text for name, text in MODULES.items() if name != "preact-htm.js"}
_IMPORT = re.compile(r'import \{([^}]*)\} from "\./([\w-]+\.js)"')


def test_what_a_module_takes_from_another_is_there_and_used():
    for name, text in OWN.items():
        for taken, source in _IMPORT.findall(text):
            exported = set(re.findall(r"export (?:async )?(?:const|function|class) (\w+)", MODULES[source]))
            exported |= set(re.findall(r" as (\w+)", MODULES[source])) if source not in OWN else set()
            for each in filter(None, (word.strip() for word in taken.split(","))):
                assert each in exported, f"{name} takes {each} from {source}"
                assert len(re.findall(rf"\b{each}\b", text)) > 1, f"{name} does not use {each}"


def test_the_page_asks_for_all_its_modules_at_once():
    index = PAGE.joinpath("index.html").read_text()
    assert set(re.findall(r'href="/static/([\w-]+\.js)"', index)) == MODULES.keys() - {"app.js"}


def test_nothing_of_the_page_makes_markup_of_text():
    for name, text in OWN.items():
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|dangerouslySet|\beval\b|new Function", text
        )
        assert not found, name
        assert not re.findall(r"https?://(?!…)", text), name


def test_kinds_of_events_that_the_log_asks_for_are_there():
    kinds = re.findall(r'\["[a-z]+", "((?:[A-Z]\w+,?)+)"\]', OWN["log.js"])
    assert len(kinds) == 3
    assert {kind for each in kinds for kind in each.split(",")} <= KIND_NUMBERS.keys()
