"""docs/top.md is the table of keys, in words."""

import os
import re

from aether_tui.bindings import BINDINGS
from aether_tui.export import render
from aether_tui.ui import View
from aether_tui.waterfall import _CELLS
from tests.processes import ROOT
from tests.unit.tui.world import scene

PAGE = (ROOT / "docs/top.md").read_text()


def told(binding):
    keys = " ".join(f"`{key}`" for key in binding.keys)
    where = ", ".join(view.value for view in View if view in binding.where) or "everywhere"
    return f"| {keys} | {binding.says} | {where} |"


def test_the_page_has_every_key_and_no_other():
    table = PAGE.partition("| keys | what they do | where |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert table == "\n".join(map(told, BINDINGS))


def test_the_picture_on_the_page_is_of_this_program():
    path, drawn = ROOT / "docs/top.svg", render(scene(width=112, height=30), "svg")
    if os.environ.get("AETHER_TEST_REDRAW"):
        path.write_text(drawn)
    assert path.read_text() == drawn


def test_the_page_explains_the_bars():
    shown = {(sign, plain) for sign, plain in re.findall(r"^\| `(.)` \| .* \| `(.)` \|$", PAGE, re.MULTILINE)}
    assert shown == {(sign, plain) for sign, plain, _ in _CELLS.values()}
