"""The web page in a real browser, against a real server with a real worker."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.browser.chromium import COMMAND
from tests.browser.legibility import faint, nameless
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

@client.workflow("batch")
async def batch(ctx: aether.Context) -> str:
    return str(await ctx.wait_signal("go"))

@client.workflow("waiting")
async def waiting(ctx: aether.Context) -> str:
    return str(await ctx.wait_signal("go"))

async def main():
    async with client.serve(order, waiting, batch):
        for number in range(4):
            await batch.options(workflow_id=f"batch-{{number}}").start()
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


def test_from_the_list_to_a_run_and_its_cancel(tab, site):
    tab.click("Workflows")
    tab.wait("document.querySelectorAll('tbody tr').length === 50")
    tab.click("Older →")
    tab.wait("document.querySelectorAll('tbody tr').length === 15")
    tab.click("← Newer")
    tab.wait("document.querySelectorAll('tbody tr').length === 50")
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
    tab.wait("document.querySelectorAll('[data-event]').length >= 4")
    tab.type(".tools input", "failed")
    tab.wait("document.querySelectorAll('[data-event]').length === 1")
    tab.wait("location.search.includes('find=failed')")
    tab.do("document.querySelector('[data-event]').click()")
    tab.click("How the run was after this event")
    tab.wait("document.querySelector('.details').innerText.includes('the run was failed')")
    assert "completed\tstep pack" in tab.text()
    tab.click("RunFailed 1")
    tab.wait("document.querySelectorAll('[data-event]').length === 0")
    for side, words in (
        ("errors", "raise ValueError"),
        ("input and result", "13"),
        ("timers and signals", "has set no timer"),
        ("children", "has started no children"),
        ("metadata", "workflow id"),
    ):
        tab.click(side)
        tab.wait(f"document.querySelector('.side').innerText.includes({words!r})")


def test_the_log_tells_what_happens_while_one_looks(tab, site):
    tab.go(f"{site}/log?filter=type:late")
    tab.wait("document.body.innerText.includes('Nothing of that has happened lately.')")
    tab.do(
        "import('/static/api.js').then(api => api.post('/workflows', {workflow_type: 'late', workflow_id: 'late-1'}))"
        ".then(answer => answer.workflow_id)"
    )
    tab.wait("document.querySelector('.events').innerText.includes('RunCreated')")
    tab.click("failures")
    tab.wait("location.search.includes('kinds=') && document.body.innerText.includes('Nothing of that')")
    tab.go(f"{site}/log?kinds=RunFailed")
    tab.click("order-13")
    tab.wait("location.pathname === '/workflows/order-13'")


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
    tab.press("x")
    tab.wait("document.querySelector('.bulk').innerText.includes('1 marked')")
    tab.press("Escape")
    tab.wait("!document.querySelector('.bulk')")
    tab.do(f"[...document.querySelectorAll('[data-row]')].find(e => e.dataset.row === {marked!r}).focus()")
    tab.press("Enter")
    tab.wait(f"location.pathname + location.search === {marked!r}")
    tab.wait("!!document.querySelector('.tabs')")
    tab.press("]")
    tab.wait("location.search.includes('tab=history')")
    for key, path in (
        ("e", "/workers"),
        ("q", "/queues"),
        ("m", "/metrics-view"),
        ("l", "/log"),
        ("i", "/import"),
        ("a", "/about"),
        ("o", "/"),
    ):
        tab.press("g")
        tab.press(key)
        tab.wait(f"location.pathname === {path!r} && !!document.querySelector('main h1, main table, main figure')")
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
        # Whoever comes for the first time is told what to type.
        tab.wait("document.body.innerText.includes('No run has been started yet')")
        assert "aether init demo\ncd demo\naether worker workflows:client" in tab.text()
    tab.wait("document.body.innerText.includes('No connection to the server')")
    port = url.strip("/").rpartition(":")[2]
    with Server(tmp_path, "--http-port", port, AETHER_WEB_ENABLED="true") as again:
        again.wait_for("web ")
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


def test_a_page_that_asks_for_a_token_shows_all_to_who_has_it_and_only_looks_if_it_is_told_so(browser, tmp_path):
    (tmp_path / "token").write_text("correct-horse-battery\n")
    options = ("--http-port", "0", "--web-token-file", "token", "--web-read-only", "--web-allowed-hosts", "aether.test")
    with Server(tmp_path, *options, AETHER_WEB_ENABLED="true") as server:
        url = server.wait_for("web ").split()[1].replace("127.0.0.1", "aether.test")
        tab = browser.open(f"{url}about")
        tab.wait("document.activeElement.name === 'token'")
        tab.type("[name=token]", "wrong")
        tab.click("Go on")
        tab.wait("document.body.innerText.includes('That is not its token.')")
        tab.do("document.querySelector('[name=token]').value = ''")
        tab.type("[name=token]", "correct-horse-battery")
        tab.click("Go on")
        assert tab.do("window.isSecureContext") is False
        # The stream is let in too.
        tab.wait("!!document.querySelector('.dot.good') && document.body.innerText.includes('What runs here')")
        assert "read only" in tab.text()
        assert "correct-horse" not in tab.do("document.documentElement.innerHTML")
        assert str(tmp_path) not in tab.do("document.documentElement.innerHTML")
        tab.click("Workflows")
        tab.wait("document.body.innerText.includes('No run has been started yet')")
        tab.click("About")
        tab.click("Forget the token")
        tab.wait("!!document.querySelector('[name=token]') && !localStorage.getItem('aether-bearer')")
        tab.close()


def test_many_runs_are_marked_counted_and_cancelled_at_once(tab, site):
    tab.go(f"{site}/workflows?filter=type:batch*")
    tab.wait("document.querySelectorAll('tbody tr').length === 4")
    tab.wait("[...document.querySelectorAll('td.doing')].some(e => e.innerText.includes('waiting signal go'))")
    for name in ("batch-0", "batch-1"):
        tab.do(f"document.querySelector('[aria-label=\"Mark {name}\"]').click()")
    tab.wait("document.querySelector('.bulk').innerText.includes('2 marked')")
    tab.click("Pause…")
    tab.click("Pause 2 runs")  # not before their number is typed
    assert tab.do("!document.querySelector('[name=sure]').checkValidity()")
    tab.type("[name=sure]", "2")
    tab.click("Pause 2 runs")
    tab.wait("document.querySelector('dialog').innerText.includes('2 runs done.')")
    tab.click("Close")
    tab.do("document.querySelector('[aria-label=\"Mark batch-3\"]').click()")
    tab.click("mark all 4 that match the filter")
    tab.click("Cancel…")
    tab.type("[name=sure]", "4")
    tab.type("dialog [name=reason]", "enough")
    tab.click("Cancel 4 runs")
    tab.wait("document.querySelector('dialog').innerText.includes('4 runs done.')")
    tab.click("Close")
    tab.wait("document.querySelectorAll('.state.cancelled').length === 4")


def test_a_run_is_started_from_the_page_and_another_one_like_it(tab, site):
    tab.go(f"{site}/workflows?filter=type:started")
    tab.wait("document.body.innerText.includes('No run fits that filter')")
    tab.click("Start…")
    tab.type("dialog [name=type]", "started")
    tab.type("dialog [name=id]", "started-1")
    tab.do("document.querySelector('dialog [name=input]').value = '[{\"a\": 1}'")
    tab.click("Start it")
    tab.wait("document.querySelector('dialog [role=alert]').innerText.includes('not JSON')")
    tab.do("document.querySelector('dialog [name=input]').value = '[{\"a\": 1}]'")
    tab.click("Start it")
    tab.wait("location.pathname === '/workflows/started-1' && !!document.querySelector('.tabs')")
    tab.click("Start like this…")
    assert tab.wait("document.querySelector('dialog [name=input]')?.value") == '[\n  {\n    "a": 1\n  }\n]'
    tab.type("dialog [name=id]", "started-2")
    tab.click("Start it")
    tab.wait("location.pathname === '/workflows/started-2'")
    with urllib.request.urlopen(f"{site}/api/v1/workflows/started-2/history", timeout=20) as answer:
        assert json.load(answer)["events"][0]["input"] == [{"a": 1}]


def test_columns_order_and_size_are_in_the_address(tab, site):
    tab.go(f"{site}/workflows?filter=type:order&columns=workflow,run,took&sort=workflow&size=200")
    tab.wait("document.querySelectorAll('tbody tr').length === 61")
    heads = "[...document.querySelectorAll('thead th')].slice(1).map(e => e.innerText.trim())"
    assert tab.do(heads) == ["workflow ↑", "run", "took"]
    ids = tab.do("[...document.querySelectorAll('tbody td.id')].map(e => e.innerText)")
    assert ids == sorted(ids)
    tab.click("took")
    tab.wait("location.search.includes('sort=took')")
    tab.click("Columns", "summary")
    tab.do("[...document.querySelectorAll('.menu label')].find(e => e.innerText.trim() === 'queue').click()")
    tab.wait("location.search.includes('columns=workflow%2Crun%2Ctook%2Cqueue')")
    assert tab.do(heads) == ["workflow", "run", "took ↑", "queue"]
    tab.do("localStorage.removeItem('aether-columns')")


def test_all_runs_are_sorted_by_their_start_and_not_those_of_a_page(tab, site):
    ids = "[...document.querySelectorAll('tbody tr td.id')].map(e => e.innerText).join()"
    tab.go(f"{site}/workflows?filter=type:order")
    newest = tab.wait(f"{ids}.split(',').length === 50 && {ids}").split(",")
    tab.click("started")
    tab.click("started ↑")
    tab.wait(f"{ids}.startsWith('order-0,')")
    oldest = tab.do(ids).split(",")
    assert not set(oldest[:10]) & set(newest)
    tab.click("Newer →")
    rest = tab.wait(f"{ids}.split(',').length < 50 && {ids}").split(",")
    assert rest == newest[: len(rest)][::-1]
    tab.click("← Older")
    tab.wait(f"{ids} === '{','.join(oldest)}'")


def test_a_task_queue_is_paused_limited_and_resumed(tab, site):
    tab.go(f"{site}/queues")
    tab.click("Pause…")
    tab.type("dialog [name=reason]", "maintenance")
    tab.click("Pause it")
    tab.wait("document.querySelector('.queue').innerText.includes('paused: maintenance')")
    tab.click("Resume…")
    tab.click("Resume it")
    tab.wait("!document.querySelector('.queue').innerText.includes('paused')")
    tab.click("Limit…")
    tab.do("document.querySelector('[name=limit]').select()")
    tab.type("dialog [name=limit]", "7")
    tab.click("Set it")
    tab.wait("document.querySelector('.queue').innerText.includes('of 7')")


def long_history(count: int) -> list[dict[str, object]]:
    """The events of a run with so many steps, one of which took a day."""
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    events: list[dict[str, object]] = []

    def add(kind: str, **fact: object) -> None:
        events.append({"seq": len(events) + 1, "at": moment.isoformat().replace("+00:00", "Z"), "event": kind, **fact})

    add("RunCreated", workflow_id="from-a-file", run_id="r1", workflow_type="long", task_queue="default", input=[])
    add("RunStarted", worker_id="w", attempt=1)
    for number in range(1, count + 1):
        began = moment.isoformat().replace("+00:00", "Z")
        moment += timedelta(days=1) if number == 5 else timedelta(milliseconds=20)
        add("StepCompleted", path=str(number), name=f"step-{number}", result=HOSTILE, attempt=1, started_at=began)
    add("RunCompleted", result=HOSTILE)
    return events


def test_a_history_of_ten_thousand_events_is_seen_from_a_file_and_kept_nowhere(tab, site, tmp_path):
    (tmp_path / "long.json").write_text(json.dumps(long_history(9_997)))
    tab.go(f"{site}/import")
    tab.wait("!!document.querySelector('[type=file]')")
    tab.choose_file("[type=file]", tmp_path / "long.json")
    tab.wait("document.querySelectorAll('.lane').length > 10")
    assert "10 000 events" in tab.text()
    # What is not seen is not drawn.
    assert tab.do("document.querySelectorAll('.lane').length < 80")
    assert tab.do("document.querySelectorAll('.chart-lanes .piece').length < 80")
    assert tab.do("document.querySelectorAll('.chart-lanes .fold').length > 0")
    tab.do("document.querySelector('.lanes').scrollTop = 1e9")
    tab.wait("document.querySelector('.labels').innerText.includes('step-9997')")
    tab.do("document.querySelector('.lanes').scrollTop = 0; document.querySelector('.lanes').focus()")
    tab.press("+")
    tab.wait("location.search.includes('zoom=')")
    tab.press("0")
    tab.wait("!location.search.includes('zoom=')")
    tab.press("i")
    tab.wait("location.search.includes('fold=no')")
    tab.press("j")
    tab.wait("!!document.querySelector('.details') && location.search.includes('row=')")
    tab.click("history")
    tab.wait("document.querySelectorAll('[data-event]').length > 10")
    assert tab.do("document.querySelectorAll('[data-event]').length < 80")
    assert tab.do("!document.querySelector('main img, main script') && document.title !== 'owned'")
    with urllib.request.urlopen(f"{site}/api/v1/workflows?filter=type:long", timeout=20) as answer:
        assert json.load(answer)["workflows"] == []
    second = long_history(3)
    second[0]["workflow_id"] = "the-second"
    runs = [{"status": {}, "history": long_history(2)}, {"status": {}, "history": second}]
    (tmp_path / "export.json").write_text(json.dumps({"schema": "aether.export/v1", "runs": runs}))
    tab.choose_file("[type=file]", tmp_path / "export.json")
    tab.wait("document.querySelector('.why')?.innerText.includes('5 events')")
    tab.do(
        "(select => { select.value = '1'; select.dispatchEvent(new Event('change', {bubbles: true})) })"
        "(document.querySelector('[aria-label=\"Run of the file\"]'))"
    )
    tab.wait("document.querySelector('h1').innerText === 'the-second'")
    (tmp_path / "other.json").write_text("{}")
    tab.choose_file("[type=file]", tmp_path / "other.json")
    tab.wait("document.querySelector('[role=alert]').innerText.includes('holds no history')")


def test_a_moment_has_a_place_in_the_drawing_and_long_idle_stretches_are_folded(tab):
    made = tab.do(
        "import('/static/scale.js').then(({scale}) => { const row = {pieces: [{from: 0, to: 10}, {from: 20, to: 30},"
        " {from: 86400000, to: 86400010}]}; const [folded, plain] = [scale([row], 0, true), scale([row], 0, false)];"
        " return {folds: folded.folds.map(fold => fold.gap), can: folded.canFold, all: plain.folds.length,"
        " places: [0, 10, 30, 86400010].map(folded.place), back: [0, 10, 30, 86400010].map(t => Math.round(folded"
        ".moment(folded.place(t)))), true_: plain.place(30)} })"
    )
    assert (made["folds"], made["can"], made["all"]) == ([86_399_970], True, 0)
    assert made["places"][0] == 0
    assert made["places"][-1] == 1
    assert made["places"][1] > 0.05
    assert made["places"] == sorted(made["places"])
    assert made["back"] == [0, 10, 30, 86_400_010]
    assert made["true_"] < 0.001


def test_all_fits_a_narrow_screen_and_is_legible_in_light_and_dark_and_has_a_name(tab, site):
    tab.size(360)
    grounds = set()
    paths = (
        "/",
        "/about",
        "/workflows",
        "/workflows",
        "/workflows/order-13",
        "/workflows/order-13",
        "/queues",
        "/import",
    )
    for path in paths:
        tab.go(site + path)
        tab.wait("!!document.querySelector('main h1, main figure') && !!document.querySelector('.dot.good')")
        assert tab.do("document.documentElement.scrollWidth <= window.innerWidth"), path
        grounds.add(tab.do("getComputedStyle(document.body).backgroundColor"))
        assert (faint(tab), nameless(tab)) == ([], []), path
        tab.press("t")
    assert len(grounds) == 2
    tab.do("localStorage.removeItem('aether-theme')")


def test_the_page_loads_nothing_from_elsewhere(tab, site):
    tab.wait("!!document.querySelector('.tiles')")
    loaded = tab.do("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded
    assert all(name.startswith(site) for name in loaded)
