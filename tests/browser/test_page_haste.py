"""The web page with somebody who is quick, and with values that a page easily spoils; no worker is needed."""

import json
import urllib.request

import pytest

from tests.browser.chromium import COMMAND
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


def test_numbers_of_a_run_stay_as_they_were_written(tab, site):
    def first(workflow_id):
        with urllib.request.urlopen(f"{site}/api/v1/workflows/{workflow_id}/history", timeout=20) as answer:
            return answer.read().decode()

    numbers = '[9007199254740993,1.0,{"a":12345678901234567890}]'
    start(site, workflow_type="count", workflow_id="count-1", input=json.loads(numbers))
    assert f'"input":{numbers}' in first("count-1")
    tab.go(f"{site}/workflows/count-1?tab=input+and+result")
    tab.wait("document.querySelector('.json')?.innerText.includes('12345678901234567890')")
    tab.click("Start like this…")
    tab.type("dialog [name=id]", "count-2")
    tab.click("Start it")
    tab.wait("location.pathname === '/workflows/count-2' && !!document.querySelector('.tabs')")
    assert f'"input":{numbers}' in first("count-2")
    tab.click("Signal…")
    tab.type("dialog [name=name]", "go")
    tab.do("document.querySelector('dialog [name=value]').value = '9007199254740993'")
    tab.click("Send")
    tab.wait("!document.querySelector('dialog')")
    assert '"value":9007199254740993' in first("count-2")
    saved = tab.do(
        "import('/static/api.js').then(async api => JSON.stringify(await api.wholeHistory('count-2',"
        " (await api.get('/workflows/count-2')).info.run_id)))"
    )
    assert f'"input":{numbers}' in saved


def test_a_blank_after_a_term_of_a_filter_stays_while_it_is_asked_for(tab, site):
    tab.go(f"{site}/workflows")
    tab.type("#filter", "type:order ")
    tab.wait("location.search === '?filter=type%3Aorder'")
    tab.wait("document.querySelectorAll('tbody tr').length === 50")
    tab.type("#filter", "id:order-7")
    tab.wait("location.search === '?filter=type%3Aorder+id%3Aorder-7'")


def test_an_address_that_is_half_written_is_a_workflow_that_is_not_there(tab, site):
    tab.go(f"{site}/workflows/100%")
    tab.wait("document.body.innerText.includes('100%')")
    tab._browser.events.clear()  # the browser complains of the 404 that was meant
