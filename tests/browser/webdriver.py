"""A small WebDriver client: starts chromedriver and speaks its JSON protocol
(W3C WebDriver) with nothing but the standard library."""

import atexit
import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB, ENTER, SPACE, SHIFT = "\ue004", "\ue007", " ", "\ue008"

START_LIMIT = 20
REQUEST_LIMIT = 30
WAIT_LIMIT = 10


class WebDriverError(Exception):
    """chromedriver refused a command."""


class Driver:
    """One chromedriver process with one browser in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="corgi-browser-")
        self.process = None
        self.session = None
        self.connection = None
        self.closed = False
        atexit.register(self.close)
        self._start()
        self._open()

    def _start(self):
        """Start chromedriver on a port of its own choice, learnt from its
        log: no port can be taken by somebody else in between."""
        self.log_path = os.path.join(self.folder, "chromedriver.log")
        program = os.environ.get("CHROMEDRIVER") or "chromedriver"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "--port=0"], stdout=log, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
                env=dict(os.environ, HOME=self.folder, TMPDIR=self.folder))
        port = wait(self._announced_port, "chromedriver's port", START_LIMIT)
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=REQUEST_LIMIT)

    def _announced_port(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            text = log.read()
        if self.process.poll() is not None:
            raise WebDriverError("chromedriver ended: " + text)
        _, found, rest = text.partition("started successfully on port ")
        digits = rest.split("\n")[0].strip(". ")
        return int(digits) if found and "\n" in rest else None

    def _open(self):
        chromium = os.environ.get("CHROMIUM") or "chromium"
        options = {"args": chromium_flags(self.folder)}
        path = shutil.which(chromium)
        if path is None:
            raise WebDriverError("no program " + chromium)
        options["binary"] = path
        answer = self._request("POST", "/session", {"capabilities": {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }}})
        self.session = "/session/" + answer["sessionId"]
        self.command("POST", "/timeouts",
                     {"script": 10000, "pageLoad": 15000, "implicit": 0})

    def _request(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        self.connection.request(method, path, data,
                                {"Content-Type": "application/json"})
        reply = self.connection.getresponse()
        value = json.loads(reply.read())["value"]
        if reply.status != 200:
            raise WebDriverError("%s %s: %s" % (method, path,
                                                value.get("message")))
        return value

    def command(self, method, path, body=None):
        return self._request(method, self.session + path,
                             {} if body is None and method == "POST" else body)

    def close(self):
        """End the browser, chromedriver and whatever they started."""
        if self.closed:
            return
        self.closed = True
        try:
            if self.session is not None:
                self.command("DELETE", "")
        except (OSError, http.client.HTTPException, WebDriverError):
            pass  # what is left is ended below, by its process group
        if self.process is not None:
            end_group(self.process)
        if self.connection is not None:
            self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What the tests say.

    def go(self, url):
        self.command("POST", "/url", {"url": url})

    def script(self, text, *args):
        return self.command("POST", "/execute/sync",
                            {"script": text, "args": list(args)})

    def devtools(self, name, **params):
        return self.command("POST", "/goog/cdp/execute",
                            {"cmd": name, "params": params})

    def log(self, kind):
        return self.command("POST", "/se/log", {"type": kind})

    def element(self, selector):
        return self.command("POST", "/element", {
            "using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.command("POST", "/element/%s/click" % self.element(selector))

    def type(self, selector, text):
        """Replace what a field holds, as a person would."""
        where = "/element/%s" % self.element(selector)
        self.command("POST", where + "/clear")
        self.command("POST", where + "/value", {"text": text})

    def text(self, selector):
        return self.script("return document.querySelector(arguments[0])"
                           ".textContent.trim();", selector)

    def press(self, *keys):
        """Press keys one after the other, wherever the focus is."""
        actions = []
        for key in keys:
            actions += [{"type": "keyDown", "value": key},
                        {"type": "keyUp", "value": key}]
        self._keys(actions)

    def press_with(self, held, key):
        self._keys([{"type": "keyDown", "value": held},
                    {"type": "keyDown", "value": key},
                    {"type": "keyUp", "value": key},
                    {"type": "keyUp", "value": held}])

    def _keys(self, actions):
        self.command("POST", "/actions", {"actions": [
            {"type": "key", "id": "keyboard", "actions": actions}]})

    def screenshot(self, path):
        """The whole page, as tall as it is."""
        size = self.devtools("Page.getLayoutMetrics")["cssContentSize"]
        picture = self.devtools(
            "Page.captureScreenshot", captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": size["width"],
                  "height": size["height"], "scale": 1})
        with open(path, "wb") as out:
            out.write(base64.b64decode(picture["data"]))


def chromium_flags(folder):
    flags = ["--headless=new", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--disable-extensions",
             "--disable-dev-shm-usage", "--no-proxy-server",
             "--disable-features=Translate,OptimizationHints",
             "--password-store=basic", "--lang=en-GB",
             "--window-size=1280,900",
             "--user-data-dir=" + os.path.join(folder, "profile")]
    # Chromium's own sandbox cannot be set up by root.
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    return flags


def end_group(process):
    """SIGTERM, then SIGKILL, to a process and its children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            pass
    process.wait(5)


def wait(condition, what, limit=WAIT_LIMIT):
    """Call condition until it gives something true, and return that."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %d s in vain for %s" % (limit, what))
        time.sleep(0.05)
