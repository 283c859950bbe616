"""The report in a real browser: it draws, stays silent, and asks the network for nothing."""

import json
import os
import shutil
import subprocess
import time

import pytest
from test_analysis_made import race
from test_analysis_report import HOSTILE, analyse

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

# A machine without a browser still tests the rest; `.ci/run` installs one, so CI skips nothing.
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH to open the report")

_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--disable-dev-shm-usage", "--remote-debugging-pipe",
]  # fmt: skip


class Browser:
    """A Chromium driven over a pair of pipes: JSON messages that end with a zero byte."""

    def __init__(self, profile):
        mine_in, theirs_out = os.pipe()
        theirs_in, mine_out = os.pipe()
        command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader, self.writer = os.fdopen(mine_in, "rb"), os.fdopen(mine_out, "wb")
        self.number, self.session, self.events = 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Send a command and wait for its answer; events on the way are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def read(self):
        data = bytearray()
        while (byte := self.reader.read(1)) != b"\0":
            assert byte, "Chromium went away"
            data += byte
        message = json.loads(data)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, path, width=1280, scheme="light"):
        """Open a file and wait until it is loaded; return the events meanwhile."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 600)  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.events = []
        self.call("Page.navigate", url=f"file://{path}")
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            self.read()
        self.evaluate("new Promise(done => setTimeout(done, 300))")
        return list(self.events)

    def evaluate(self, expression):
        """The value of an expression in the page, promises awaited."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def close(self):
        self.session = None
        self.writer.write(json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        self.writer.flush()
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    output = tmp_path_factory.mktemp("report")
    ratios = {"torch": 1.0, HOSTILE: 1.1, "a group with a very long name indeed": 1.4}
    analyse(race(ratios, blocks=8, phases=True), output)
    return output / "report.html"


def complaints(events):
    """Console messages, exceptions and log entries that speak of an error or a warning."""
    found = []
    for event in events:
        method, params = event["method"], event["params"]
        if method == "Runtime.exceptionThrown":
            found.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            found.append(str(params["args"]))
        elif method == "Log.entryAdded":
            found.append(params["entry"]["text"])
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_without_a_complaint_and_without_a_request(browser, report, width, scheme):
    events = browser.open(report, width, scheme)
    assert complaints(events) == []
    urls = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert urls, "not even the page itself was asked for"
    assert [u for u in urls if not u.startswith((f"file://{report}", "data:"))] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_every_picture_is_drawn_and_nothing_spills_over(browser, report, width):
    browser.open(report, width)
    sizes = browser.evaluate(
        "[...document.querySelectorAll('.picture')].map(p => { const s = p.querySelector('svg');"
        " const b = s.getBBox(), r = s.getBoundingClientRect();"
        " return [b.width, b.height, r.width, r.height, s.querySelectorAll('path').length]; })"
    )
    assert len(sizes) == 12
    for drawn in sizes:
        assert min(drawn[:2]) > 50 and min(drawn[2:4]) > 100 and drawn[4] > 5, drawn
    assert browser.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_pictures_contrast_with_the_page(browser, report, scheme):
    browser.open(report, scheme=scheme)
    ratio = browser.evaluate(
        """(() => {
          const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
            .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
            return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
          const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          const under = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e)
            .backgroundColor; if (!/, 0\\)$|transparent/.test(c)) return light(c); } return 1; };
          const texts = [...document.querySelectorAll('main p, main td, main th button, svg text')];
          return Math.min(...texts.map(e => { const s = getComputedStyle(e);
            return ratio(light(e.closest('svg') ? s.fill : s.color), under(e)); }));
        })()"""
    )
    assert ratio >= 3.0


def test_tables_sort_by_keyboard_and_say_so(browser, report):
    browser.open(report)
    state = """(() => { const t = document.querySelector('#tables table.sortable');
      const column = [...t.tHead.rows[0].cells].findIndex(c => c.classList.contains('number'));
      return [t.tHead.rows[0].cells[column].getAttribute('aria-sort'),
        [...t.tBodies[0].rows].map(r => Number(r.cells[column].dataset.sort))]; })()"""
    press = """document.querySelector('#tables table.sortable th.number button').focus()"""
    browser.evaluate(press)
    seen = []
    for _ in range(2):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter",
                         windowsVirtualKeyCode=13, text="\r")  # fmt: skip
        seen.append(browser.evaluate(state))
    assert seen[0] == ["ascending", sorted(seen[0][1])]
    assert seen[1] == ["descending", sorted(seen[0][1], reverse=True)]


def test_a_hostile_name_is_text_on_the_page(browser, report):
    browser.open(report)
    assert browser.evaluate("document.scripts.length") == 1
    assert HOSTILE in browser.evaluate("document.querySelector('main').textContent")
