"""The web page with somebody who is quick, and with values that a page easily spoils; no worker is needed."""

import json
import urllib.request

import pytest

from tests.browser.chromium import COMMAND, Chromium
from tests.processes import Server

pytestmark = pytest.mark.skipif(COMMAND is None, reason="there is no Chromium here; Debian has it as `chromium`")

# More than one answer of the log is read at ease.
RUNS = 210


def start(site, **fields):
    request = urllib.request.Request(f"{site}/api/v1/workflows", json.dumps(fields).encode())
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["run_id"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with Server(folder, "--http-port", "0", AETHER_WEB_ENABLED="true") as server:
        url = server.wait_for("web ").split()[1].rstrip("/")
        for number in range(RUNS):
            start(url, workflow_type="order", workflow_id=f"order-{number}")
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    running = Chromium(tmp_path_factory.mktemp("profile"))
    yield running
    running.close()


@pytest.fixture
def tab(browser, site):
    opened = browser.open(f"{site}/")
    yield opened
    faults = opened.faults()
    opened.close()
    assert not faults


def test_the_log_goes_on_after_another_question_was_asked_in_haste(tab, site):
    # What would be done in a second is done when we say so.
    tab.do(
        "(real => { window.due = []; window.setTimeout = (work, ms, ...more) =>"
        " ms === 1000 ? due.push(work) : real(work, ms, ...more); })(window.setTimeout)"
    )
    tab.click("Log")
    tab.wait("!!document.querySelector('.events a') && due.length === 1")
    tab.click("runs")
    tab.wait("location.search.includes('RunCreated') && due.length === 2")
    tab.do("due[0]() && 0")
    start(site, workflow_type="order", workflow_id="the-new-one")
    tab.wait("document.querySelector('.events').innerText.includes('the-new-one')")
