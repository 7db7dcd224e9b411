"""A headless Chromium, driven over the DevTools protocol through a pair of pipes: nothing but the standard library."""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

COMMAND = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_PATIENCE_S = 40
_LOOK_S = 0.05
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-component-update",
    # A name that is not of this machine as far as the browser knows: pages there are denied what only secure ones get.
    "--host-resolver-rules=MAP aether.test 127.0.0.1",
    "--remote-debugging-pipe",
)


class Chromium:
    """One browser, with as many tabs as are opened; tabs share what tabs of one profile share."""

    def __init__(self, profile: Path) -> None:
        assert COMMAND is not None
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def hand_over() -> None:
            # The protocol is on descriptors 3 and 4.
            high = [os.dup(theirs_in), os.dup(theirs_out)]
            for wanted, given in zip((3, 4), high, strict=True):
                os.dup2(given, wanted, inheritable=True)

        self.process = subprocess.Popen(
            [COMMAND, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=hand_over,  # noqa: PLW1509 - this process has no threads that hold a lock here
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._buffer = b""
        self._last_id = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """The answer to one command; events that come before it are kept."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            got = self._read()
            if got.get("id") != self._last_id:
                self.events.append(got)
                continue
            assert "error" not in got, f"{method}: {got['error']}"
            return dict(got["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], _PATIENCE_S)
            assert ready, "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser has ended"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def open(self, url: str) -> "Tab":
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        for domain in ("Page", "Runtime", "Log"):
            tab.call(f"{domain}.enable")
        tab.call("Page.bringToFront")  # a tab that nobody sees is slowed down
        tab.go(url)
        return tab

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_PATIENCE_S)
        os.close(self._in)
        os.close(self._out)


class Tab:
    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **params)

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def do(self, script: str) -> Any:
        """The value of an expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str, timeout_s: float = _PATIENCE_S) -> Any:
        """The first value of the expression that is true."""
        looks = int(timeout_s / _LOOK_S)
        last: object = None
        for _ in range(looks):
            try:
                last = self.do(condition)
            except AssertionError as error:
                last = error  # the page is on its way to another
            else:
                if last:
                    return last
            select.select([], [], [], _LOOK_S)
        raise AssertionError(f"{condition} did not become true, but is {last!r}; the page says:\n{self.text()}")

    def text(self) -> str:
        return str(self.do("document.body.innerText"))

    def click(self, words: str, selector: str = "a, button") -> None:
        """Click what says these words."""
        all_of_them = f"[...document.querySelectorAll({json.dumps(selector)})]"
        chosen = f"{all_of_them}.find(e => e.innerText.trim() === {json.dumps(words)})"
        self.wait(f"(element => !!element && (element.click(), true))({chosen})")

    def type(self, selector: str, text: str) -> None:
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.do(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a field for files this one."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        field = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=field, files=[str(path)])

    def size(self, width: int, height: int = 800) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def press(self, key: str) -> None:
        named = {"Enter": 13, "Escape": 27}
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        code = named.get(key, ord(key.upper()[0]))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def faults(self) -> list[str]:
        """What the page has complained of so far: errors of scripts and of its policy."""
        said = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                said.append(json.dumps(event["params"]["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                said.append(json.dumps(event["params"]["entry"]))
        return said

    def screenshot(self, path: Path, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        self.size(width, height)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)
