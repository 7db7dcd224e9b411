"""The web page in a real browser, against a real server with a real worker."""

import json
import urllib.request

import pytest

from tests.browser.chromium import COMMAND, Chromium
from tests.processes import Child, Server

pytestmark = pytest.mark.skipif(COMMAND is None, reason="there is no Chromium here; Debian has it as `chromium`")

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
APP = f"""
import aether, anyio
client = aether.Client()

@client.workflow("order")
async def order(ctx: aether.Context, number: int) -> str:
    await ctx.step("pack", lambda: {HOSTILE!r})
    if number == 13:
        raise ValueError({HOSTILE!r})
    if number == 7:
        return str(await ctx.wait_signal("go"))
    await ctx.step("send", lambda: "sent")
    return {HOSTILE!r}

@client.workflow("waiting")
async def waiting(ctx: aether.Context) -> str:
    return str(await ctx.wait_signal("go"))

async def main():
    async with client.serve(order, waiting):
        await waiting.options(workflow_id="waiting-1").start()
        for number in range(60):
            await order.options(workflow_id=f"order-{{number}}").start(number)
        print("started", flush=True)
        await anyio.sleep_forever()

anyio.run(main, backend="trio")
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with sixty runs, of which one waits and one has failed; where its page is."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "app.py").write_text(APP)
    with Server(folder, "--http-port", "0", AETHER_WEB_ENABLED="true") as server:
        url = server.wait_for("web ").split()[1].rstrip("/")
        with Child("app.py", cwd=folder, AETHER_SERVER=server.url) as worker:
            worker.wait_for("started")
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


def test_from_the_list_to_a_run_and_its_cancel(tab, site):
    tab.click("Workflows")
    tab.wait("document.querySelectorAll('tbody tr').length === 50")
    tab.click("Older →")
    tab.wait("document.querySelectorAll('tbody tr').length === 11")
    tab.type("#filter", "state:open type:order")
    tab.wait(
        "location.search === '?filter=state%3Aopen+type%3Aorder' && document.querySelectorAll('tbody tr').length === 1"
    )
    tab.click("order-7")
    tab.wait("document.body.innerText.includes(\"'order-7' waits for signal 'go' at \")")
    tab.wait("!!document.querySelector('.waterfall .piece')")
    tab.click("Cancel…")
    tab.wait("document.querySelector('dialog[open]')?.contains(document.activeElement)")
    assert tab.do("document.activeElement.innerText") == "No, go back"
    tab.press("Escape")
    tab.wait("!document.querySelector('dialog')")
    tab.click("Cancel…")
    tab.type("dialog[open] [name=reason]", "ordered twice")
    tab.click("Cancel it")
    tab.wait("document.querySelector('.state').innerText.includes('cancelled')")
    with urllib.request.urlopen(f"{site}/api/v1/workflows/order-7/history", timeout=20) as answer:
        events = json.load(answer)["events"]
    assert [event["reason"] for event in events if event["event"] == "CancelRequested"] == ["ordered twice"]


def test_a_run_is_paused_and_goes_on(tab, site):
    tab.go(f"{site}/workflows?filter=type:waiting")
    tab.click("waiting-1")
    tab.click("Pause…")
    tab.click("Pause it")
    tab.wait("document.querySelector('.bar').innerText.includes('paused')")
    tab.click("Resume…")
    tab.click("Resume it")
    tab.wait("!document.querySelector('.bar').innerText.includes('paused')")
    tab.click("Signal…")
    tab.type("dialog[open] [name=name]", "go")
    tab.click("Send")
    tab.wait("document.querySelector('.state').innerText.includes('completed')")


def test_a_run_that_failed_is_retried_and_the_new_one_is_shown(tab, site):
    tab.go(f"{site}/workflows/order-13")
    tab.click("Retry…")
    old = tab.wait("document.querySelector('dialog[open]') && document.querySelector('.facts code').innerText")
    tab.click("Retry it")
    tab.wait(f"![undefined, {old!r}].includes(document.querySelector('.facts code')?.innerText)")
    tab.wait("document.querySelector('.state').innerText.includes('failed')")


def test_text_of_users_stays_text(tab, site):
    for path, words in (
        ("/workflows/order-13?tab=errors", "ValueError"),
        ("/workflows/order-1?tab=history", "StepCompleted"),
        ("/workflows/order-1?tab=input+and+result", "Result"),
        ("/workflows?filter=%3Cimg%20src=x%20onerror=alert(1)%3E", "No run fits"),
        ("/", "What went wrong last"),
    ):
        tab.go(site + path)
        tab.wait(f"document.body.innerText.includes({words!r})")
        tab.wait("!document.querySelector('main img, main script') && document.title !== 'owned'")
    tab.wait("document.body.innerText.includes('<img src=x onerror=')")


def test_a_run_shows_its_history_its_timeline_and_what_failed(tab, site):
    tab.go(f"{site}/workflows/order-13")
    tab.wait("[...document.querySelectorAll('.waterfall .name')].some(e => e.innerText === 'pack')")
    tab.wait("!!document.querySelector('.waterfall .piece.failed')")
    tab.click("history")
    tab.wait("document.querySelectorAll('.events tbody tr').length >= 4")
    tab.type(".tools input", "failed")
    tab.wait("document.querySelectorAll('.events tbody tr').length === 1")
    tab.click("errors")
    tab.wait("document.querySelector('.failure pre').innerText.includes('raise ValueError')")


def test_a_filter_that_is_wrong_says_where(tab, site):
    tab.go(f"{site}/workflows?filter=state:odd")
    tab.wait("document.querySelector('[role=alert]')?.innerText.includes(\"'odd' is no state\")")
    assert all("400" in fault for fault in tab.faults())
    tab._browser.events.clear()  # the browser complains of the 400 that was meant


def test_all_of_it_is_reached_by_the_keyboard(tab):
    tab.wait("!!document.querySelector('.tiles')")
    tab.press("g")
    tab.press("w")
    tab.wait("location.pathname === '/workflows' && document.querySelectorAll('tbody tr').length === 50")
    tab.press("j")
    tab.press("j")
    marked = tab.wait("document.activeElement.dataset.row")
    tab.press("Enter")
    tab.wait(f"location.pathname + location.search === {marked!r}")
    for key, path in (("e", "/workers"), ("q", "/queues"), ("m", "/metrics-view"), ("o", "/")):
        tab.press("g")
        tab.press(key)
        tab.wait(f"location.pathname === {path!r} && !!document.querySelector('main table, main figure')")
    tab.press("?")
    tab.wait("!!document.querySelector('.keys')")
    tab.press("t")
    assert tab.wait("document.documentElement.dataset.theme") in {"light", "dark"}


def test_ten_tabs_have_one_stream_and_another_leads_when_the_leader_is_closed(browser, site):
    tabs = [browser.open(f"{site}/workers") for _ in range(10)]
    for tab in tabs:
        tab.wait("document.querySelector('.dot.good') && document.body.innerText.includes('order')")
    leaders = [tab for tab in tabs if tab.do("document.documentElement.dataset.leads === 'true'")]
    assert len(leaders) == 1
    leaders[0].close()
    rest = [tab for tab in tabs if tab is not leaders[0]]
    found = "document.documentElement.dataset.leads === 'true'"
    for _ in range(500):
        if any(tab.do(found) for tab in rest):
            break
    assert sum(bool(tab.do(found)) for tab in rest) == 1
    for tab in rest:
        tab.wait("!!document.querySelector('.dot.good')")
        tab.close()


def test_the_page_lives_through_a_restart_of_the_server(browser, tmp_path):
    with Server(tmp_path, "--http-port", "0", AETHER_WEB_ENABLED="true") as first:
        url = first.wait_for("web ").split()[1]
        tab = browser.open(f"{url}workflows")
        tab.wait("!!document.querySelector('.dot.good')")
    tab.wait("document.body.innerText.includes('No connection to the server')")
    port = url.strip("/").rpartition(":")[2]
    with Server(tmp_path, "--http-port", port, AETHER_WEB_ENABLED="true") as again:
        tab.wait("!!document.querySelector('.dot.good') && !document.querySelector('.banner')")
        # The token of the old server is not good any more; the page gets the new one by itself.
        status = tab.do(
            "import('/static/api.js').then(api => api.post('/workflows', {workflow_type: 'a', workflow_id: 'late'}))"
            ".then(answer => answer.workflow_id)"
        )
        assert status == "late"
        tab.wait("document.body.innerText.includes('late')")
        tab.close()
        assert again.process.poll() is None


def test_the_page_loads_nothing_from_elsewhere(tab, site):
    tab.wait("!!document.querySelector('.tiles')")
    loaded = tab.do("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert all(name.startswith(site) for name in loaded)
