"""The dashboard and the alerts ask for metrics that exist, by labels that they have."""

import json
import re
from pathlib import Path

import pytest

from aether.server import metric_names
from aether.server.openmetrics import Family

FOLDER = Path(__file__).parents[2] / "examples" / "monitoring"
NAME = re.compile(r"\b(?:aether|process)_[a-z_]+\b")
LABELS = re.compile(r"(?:by \(([^)]*)\))|(?:\b([a-z_]+)=~?\")|(?:\{\{ ?\$labels\.(\w+))")
# What Prometheus adds, and what a histogram has beside its labels.
OWN = {"instance", "job", "le"}


def known():
    names, labels = set(), set(OWN)
    for family in vars(metric_names).values():
        if isinstance(family, Family):
            suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.kind, ("",))
            names |= {family.full_name + suffix for suffix in suffixes}
            labels |= set(family.labels)
    return names, labels


def expressions():
    dashboard = json.loads((FOLDER / "grafana.json").read_text())
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    yield from re.findall(r"expr: (.*(?:\n {10}.*)*)", (FOLDER / "alerts.yml").read_text())


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_asks_for_what_there_is(expression):
    names, labels = known()
    asked = set(NAME.findall(expression))
    assert asked <= names
    assert asked or expression.startswith("up{")
    for by, one, said in LABELS.findall(expression):
        assert {*re.findall(r"\w+", by), one, said} - {""} <= labels


def test_panels_do_not_lie_on_each_other():
    taken: set[tuple[int, int]] = set()
    for panel in json.loads((FOLDER / "grafana.json").read_text())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
