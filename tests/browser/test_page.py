"""What a person sees and does on the page at /, in a real browser."""

import json
import os
import re
import signal
import unittest
import urllib.parse

import webdriver
from webdriver import ENTER, SHIFT, SPACE, TAB, wait

BASE_URL = os.environ["BASE_URL"].rstrip("/")
USERNAME = os.environ.get("DEMO_USERNAME", "cosmo")
PASSWORD = os.environ.get("DEMO_PASSWORD", "space-corgi")
SCREENSHOTS = os.environ["SCREENSHOTS"]

SIGNED = "[data-path='%s'][data-with='token']"
UNSIGNED = "[data-path='%s']:not([data-with])"

# Chromium itself writes a console line for every 4xx that a script fetches.
EXPECTED_CONSOLE = re.compile(
    re.escape(BASE_URL) + "/(login|protected|secure-data|me|refresh) - Failed "
    "to load resource: the server responded with a status of (400|401|422) ")

# Stopped from outside, the browser is stopped as well (atexit).
signal.signal(signal.SIGTERM, signal.default_int_handler)


class Page(unittest.TestCase):
    """One browser for all tests; each starts with a fresh page."""

    @classmethod
    def setUpClass(cls):
        os.makedirs(SCREENSHOTS, exist_ok=True)
        cls.driver = webdriver.Driver()
        cls.addClassCleanup(cls.driver.close)

    def setUp(self):
        self.view(1280, 900)
        self.driver.log("browser")
        self.driver.log("performance")
        self.open()

    def tearDown(self):
        """Whatever a test did: no error, no violation, no foreign host."""
        lines = [line["message"] for line in self.driver.log("browser")
                 if not EXPECTED_CONSOLE.match(line["message"])]
        self.assertEqual(lines, [], "the console is not silent")
        foreign = [url for url in self.requested()
                   if urllib.parse.urlsplit(url).scheme != "data"
                   and not url.startswith(BASE_URL + "/")]
        self.assertEqual(foreign, [], "something came from elsewhere")

    def open(self):
        self.driver.go(BASE_URL + "/")
        wait(lambda: self.driver.script(
            "return document.readyState === 'complete';"), "the page")

    def view(self, width, height, **media):
        self.driver.devtools("Emulation.setDeviceMetricsOverride",
                             width=width, height=height, mobile=width < 600,
                             deviceScaleFactor=1)
        self.driver.devtools("Emulation.setEmulatedMedia", features=[
            {"name": name.replace("_", "-"), "value": value}
            for name, value in media.items()])

    def requested(self):
        urls = []
        for line in self.driver.log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls

    def shoot(self, name):
        self.driver.script("window.scrollTo(0, 0);"
                           "document.activeElement.blur();")
        self.driver.screenshot(os.path.join(SCREENSHOTS, name + ".png"))

    def log_in(self, username=USERNAME, password=PASSWORD):
        self.driver.type("#username", username)
        self.driver.type("#password", password)
        answer = self.answer_to(lambda: self.driver.click("#login-button"))
        wait(lambda: self.driver.text("#login-message")
             not in ("", "Asking…"), "the login's message")
        return answer

    def count(self):
        return self.driver.script(
            "return document.querySelectorAll('#answers > li').length;")

    def answer_to(self, act):
        """Do something that asks the service once; the log's new entry."""
        before = self.count()
        act()
        wait(lambda: self.count() > before, "an entry in the log")
        self.assertEqual(self.count(), before + 1)
        status, text = self.driver.script(
            "const li = document.querySelector('#answers > li');"
            "return [Number(li.dataset.status), li.textContent];")
        return status, text

    def call(self, selector):
        return self.answer_to(lambda: self.driver.click(selector))

    # Coming in.

    def test_page_is_guarded_by_a_strict_policy(self):
        policy = self.driver.script(
            "return fetch('/').then((r) =>"
            " r.headers.get('Content-Security-Policy'));")
        directives = dict(
            part.split(None, 1) for part in policy.lower().split("; "))
        self.assertEqual(directives["default-src"], "'none'")
        self.assertNotIn("unsafe", policy)
        # The browser enforces it: an inline script does not run.
        ran = self.driver.script(
            "const s = document.createElement('script');"
            "s.textContent = 'window.inlineRan = true';"
            "document.body.append(s); return window.inlineRan === true;")
        self.assertFalse(ran)
        complaints = [line["message"] for line in self.driver.log("browser")]
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn("Content Security Policy", complaints[0])

    def test_start_is_empty_and_has_no_token(self):
        self.assertEqual(self.driver.script(
            "return ['username', 'password', 'token'].map("
            "(id) => document.getElementById(id).value).join('');"), "")
        self.assertEqual(self.count(), 0)
        self.assertFalse(self.driver.script(
            "return document.getElementById('parts').checkVisibility();"))

    def test_login_shows_the_token_taken_apart(self):
        status, text = self.log_in()
        self.assertEqual(status, 200)
        self.assertIn("POST /login", text)
        token = self.driver.script(
            "return document.getElementById('token').value;")
        self.assertEqual(token.split("."), [
            self.driver.text("#%s-segment" % part)
            for part in ("header", "payload", "signature")])
        self.assertNotIn(token, text, "the log shows it cut down")
        claims = self.claims()
        self.assertEqual(claims["sub"], USERNAME)
        self.assertEqual(claims["type"], "access")
        self.assertEqual(claims["fresh"], "true")
        self.assertLessEqual({"iat", "exp", "jti", "sid"}, set(claims))
        self.assertNotIn("no claim this page has words for",
                         self.driver.text("#payload-body").lower())
        self.assertIn("32 bytes", self.driver.text("#signature-body"))
        self.assertEqual(self.driver.script(
            "return document.getElementById('password').value;"), "")

    def token(self):
        return self.driver.script(
            "return document.getElementById('token').value;")

    def claims(self):
        return self.driver.script(
            "return Object.fromEntries(Array.from(document.querySelectorAll("
            "'#payload-body .claim'), (row) =>"
            "[row.querySelector('dt').textContent,"
            " row.querySelector('dd code').textContent]));")

    def test_remaining_life_counts_down(self):
        self.log_in()
        first = self.driver.text("#life-text")
        value = self.bar()
        self.assertRegex(first, r"\d+ (s|min|h|d) left")
        self.assertGreater(value, 0)
        wait(lambda: self.driver.text("#life-text") != first, "a second less")
        self.assertLess(self.bar(), value)

    def bar(self):
        return self.driver.script(
            "return document.getElementById('life-bar').value;")

    def test_wrong_password_is_told(self):
        status, _ = self.log_in(password=PASSWORD + "x")
        self.assertEqual(status, 401)
        self.assertEqual(self.driver.text("#login-message"),
                         "Bad username or password")
        self.assertEqual(self.driver.script(
            "return document.getElementById('token').value;"), "")

    def test_missing_password_is_told_at_its_field(self):
        status, _ = self.log_in(password="")
        self.assertEqual(status, 400)
        self.assertEqual(self.driver.text("#password-fault"),
                         "Shorter than minimum length 1.")
        self.assertEqual(self.driver.text("#username-fault"), "")
        self.log_in()
        self.assertEqual(self.driver.text("#password-fault"), "")

    # The guarded routes.

    def test_guarded_routes_want_the_token(self):
        self.log_in()
        for path in ("/protected", "/secure-data"):
            with self.subTest(path):
                status, text = self.call(SIGNED % path)
                self.assertEqual(status, 200)
                self.assertIn("you are authenticated!", text)
                self.assertIn("GET " + path, text)
                self.assertRegex(text, r"[\d.]+ ms")
                status, text = self.call(UNSIGNED % path)
                self.assertEqual(status, 401)
                self.assertIn("Missing Authorization Header", text)
                self.assertIn("WWW-Authenticate: Bearer", text)

    def test_altered_tokens_are_refused(self):
        self.log_in()
        cases = (("#tamper-signature", "Signature verification failed"),
                 ("#tamper-payload", "Signature verification failed"),
                 ("#tamper-alg", "The specified alg value is not allowed"))
        for button, reason in cases:
            with self.subTest(button):
                self.driver.click(button)
                status, text = self.call(SIGNED % "/protected")
                self.assertEqual(status, 422)
                self.assertIn(reason, text)
                self.driver.click("#restore")
                status, _ = self.call(SIGNED % "/protected")
                self.assertEqual(status, 200)

    def test_pasted_text_is_shown_as_text(self):
        self.driver.type("#token", "<img src=x>.<b>no</b>.%%%")
        self.assertEqual(self.driver.text("#header-segment"), "<img src=x>")
        self.assertIn("not base64url", self.driver.text("#header-body"))
        # {"sub":"zoë🐕"}: the bytes are UTF-8, the page must say so.
        self.driver.type("#token", "e30.eyJzdWIiOiJ6b8Or8J-QlSJ9.AA")
        self.assertEqual(self.claims(), {"sub": "zoë🐕"})
        self.driver.type("#token", "not-a-token")
        status, text = self.call(SIGNED % "/protected")
        self.assertEqual(status, 422)
        self.assertIn("Not enough segments", text)

    def test_forgotten_token_is_nowhere(self):
        self.log_in()
        self.call(SIGNED % "/protected")
        signature = self.driver.text("#signature-segment")
        stored = "return localStorage.length + sessionStorage.length" \
                 " + document.cookie.length;"
        self.assertEqual(self.driver.script(stored), 0)
        self.driver.click("#forget")
        self.assertEqual(self.driver.script(
            "return document.getElementById('token').value;"), "")
        self.assertFalse(self.driver.script(
            "return document.getElementById('parts').checkVisibility();"))
        before = self.count()
        self.driver.click(SIGNED % "/protected")
        self.assertIn("no token yet", self.driver.text("#call-message"))
        self.assertEqual(self.count(), before)
        self.assertIn("$TOKEN", self.copied_curl())
        self.assertNotIn(signature, self.copied_curl())

    def test_call_can_be_copied_as_curl(self):
        self.log_in()
        self.assertNotIn(PASSWORD, self.copied_curl())
        self.call(SIGNED % "/protected")
        token = self.driver.script(
            "return document.getElementById('token').value;")
        self.assertEqual(
            self.copied_curl(),
            "curl -i -H 'Authorization: Bearer %s' '%s/protected'"
            % (token, BASE_URL))

    def copied_curl(self):
        """What the newest entry's button puts on the clipboard."""
        self.driver.script(
            "window.copied = null;"
            "navigator.clipboard.writeText = async (text) => {"
            " window.copied = text; };")
        self.driver.click("#answers > li button")
        return wait(lambda: self.driver.script("return window.copied;"),
                    "the copied text")

    # The session.

    def session_state(self):
        return self.driver.text("#session-state")

    def test_login_brings_a_refresh_token(self):
        self.assertIn("no refresh token yet", self.session_state())
        before = self.count()
        self.driver.click("#refresh")
        self.assertIn("no token yet", self.driver.text("#session-message"))
        self.assertEqual(self.count(), before)
        _, text = self.log_in()
        self.assertIn("refresh_token", text)
        self.assertRegex(self.session_state(),
                         r"eyJ\S{9}….{6} \(\d+ characters\)\. "
                         r"It is good until \w+")

    def test_refresh_brings_new_tokens(self):
        self.log_in()
        first, session, state = self.token(), self.claims()["sid"], \
            self.session_state()
        status, text = self.call("#refresh")
        self.assertEqual(status, 200)
        self.assertIn("POST /refresh", text)
        self.assertIn("with a refresh token", text)
        self.assertIn("Cache-Control: no-store", text)
        self.assertNotEqual(self.token(), first)
        self.assertNotEqual(self.session_state(), state)
        claims = self.claims()
        self.assertEqual(claims["fresh"], "false")
        self.assertEqual(claims["sid"], session)
        self.assertEqual(self.call(SIGNED % "/protected")[0], 200)
        self.assertEqual(self.call("#refresh")[0], 200)

    def test_used_refresh_token_ends_the_session_in_the_end(self):
        self.log_in()
        self.assertFalse(self.driver.script(
            "return document.getElementById('used').checkVisibility();"))
        self.call("#refresh")
        state = self.session_state()
        self.assertEqual(self.call("#used")[0], 200)
        self.assertEqual(self.session_state(), state, "the same successor")
        self.assertEqual(self.call(SIGNED % "/protected")[0], 200)
        wait(lambda: self.call("#used")[0] == 401, "the end of the grace")
        self.assertIn("Token has been revoked",
                      self.driver.text("#session-message"))
        self.assertEqual(self.call(SIGNED % "/protected")[0], 401)
        self.assertEqual(self.call("#refresh")[0], 401)

    def test_who_am_i_is_told(self):
        self.log_in()
        status, text = self.call("#me")
        self.assertEqual(status, 200)
        self.assertIn("GET /me", text)
        self.assertIn(self.claims()["sid"], text)
        self.assertEqual(self.driver.text("#session-message"),
                         "You are %s." % USERNAME)

    def test_logout_ends_both_tokens(self):
        self.log_in()
        self.assertEqual(self.call(SIGNED % "/protected")[0], 200)
        status, text = self.call("#logout")
        self.assertEqual(status, 200)
        self.assertIn("DELETE /logout", text)
        self.assertIn("Logged out", self.driver.text("#session-message"))
        for button in (SIGNED % "/protected", "#me", "#refresh"):
            with self.subTest(button):
                status, text = self.call(button)
                self.assertEqual(status, 401)
                self.assertIn("Token has been revoked", text)
        self.log_in()
        self.assertEqual(self.call(SIGNED % "/protected")[0], 200)

    def test_logout_everywhere_ends_other_sessions(self):
        self.log_in()
        other = self.token()
        self.log_in()
        self.driver.type("#token", other)
        self.assertEqual(self.call(SIGNED % "/protected")[0], 200)
        self.driver.click("#restore")
        status, text = self.call("#logout-all")
        self.assertEqual(status, 200)
        self.assertIn("DELETE /logout-all", text)
        for token in (self.token(), other):
            self.driver.type("#token", token)
            self.assertEqual(self.call(SIGNED % "/protected")[0], 401)

    def test_refresh_can_be_copied_as_curl_and_forgotten(self):
        self.log_in()
        self.call("#refresh")
        command = self.copied_curl()
        self.assertRegex(command, "^curl -i -X POST -H 'Authorization: Bearer "
                         "eyJ[^ ']+' '%s/refresh'$" % re.escape(BASE_URL))
        token = command.split("Bearer ")[1].split("'")[0]
        self.driver.click("#forget")
        self.assertIn("no refresh token yet", self.session_state())
        self.assertIn("Bearer $REFRESH_TOKEN", self.copied_curl())
        self.assertNotIn(token, self.driver.script(
            "return document.documentElement.outerHTML;"))
        before = self.count()
        self.driver.click("#refresh")
        self.assertIn("no token yet", self.driver.text("#session-message"))
        self.assertEqual(self.count(), before)

    # For everybody.

    def focus(self):
        return self.driver.script(
            "const e = document.activeElement;"
            "return e.id || e.dataset.path || e.className || e.tagName;")

    def tab_to(self, name, limit=30):
        for _ in range(limit):
            self.driver.press(TAB)
            if self.focus() == name:
                self.assert_focus_is_visible()
                return
        self.fail("the Tab key does not lead to " + name)

    def assert_focus_is_visible(self):
        style, width = self.driver.script(
            "const s = getComputedStyle(document.activeElement);"
            "return [s.outlineStyle, parseFloat(s.outlineWidth)];")
        self.assertNotEqual(style, "none")
        self.assertGreaterEqual(width, 2)

    def test_keyboard_alone_is_enough(self):
        self.driver.press(TAB)
        self.assertEqual(self.focus(), "skip")
        self.driver.press(ENTER)
        self.tab_to("username")
        self.driver.press(*USERNAME)
        self.tab_to("password")
        self.driver.press(*PASSWORD)
        status, _ = self.answer_to(lambda: self.driver.press(ENTER))
        self.assertEqual(status, 200)
        wait(lambda: self.driver.text("#login-message")
             not in ("", "Asking…"), "the login's message")
        self.tab_to("tamper-signature")
        self.tab_to("/protected")
        status, _ = self.answer_to(lambda: self.driver.press(ENTER))
        self.assertEqual(status, 200)
        self.driver.press(TAB)
        status, _ = self.answer_to(lambda: self.driver.press(SPACE))
        self.assertEqual(status, 401)
        self.driver.press_with(SHIFT, TAB)
        self.assertEqual(self.focus(), "/protected")
        self.tab_to("refresh")
        status, _ = self.answer_to(lambda: self.driver.press(SPACE))
        self.assertEqual(status, 200)
        self.tab_to("logout")
        status, _ = self.answer_to(lambda: self.driver.press(ENTER))
        self.assertEqual(status, 200)

    def test_every_field_and_button_has_a_name(self):
        nodes = self.driver.devtools("Accessibility.getFullAXTree")["nodes"]
        names = {}
        for node in nodes:
            role = node.get("role", {}).get("value")
            if role in ("button", "textbox", "progressbar", "log", "link"):
                names.setdefault(role, []).append(
                    node.get("name", {}).get("value", ""))
        self.assertGreaterEqual(len(names["button"]), 15)
        self.assertEqual(len(names["textbox"]), 3)
        self.assertEqual(names["log"], ["Answers"])
        for role, found in names.items():
            self.assertNotIn("", found, role)
            if role == "button":
                self.assertEqual(len(found), len(set(found)), found)

    def overflow(self):
        return self.driver.script(
            "const wide = document.documentElement.clientWidth;"
            "return Array.from(document.querySelectorAll('body *'))"
            ".filter((e) => !e.matches('.unseen, .unseen *, .skip')"
            " && e.getBoundingClientRect().right > wide + 0.5)"
            ".map((e) => e.tagName + '#' + e.id + '.' + e.className)"
            ".concat(document.documentElement.scrollWidth > wide"
            " ? ['the page itself'] : []);")

    def covered(self):
        """Headings, labels, fields and buttons that something else hides."""
        return self.driver.script(
            "return Array.from(document.querySelectorAll("
            "'h1, h2, h3, label, input, textarea, button'))"
            ".filter((e) => { e.scrollIntoView({block: 'center'});"
            " const r = e.getBoundingClientRect();"
            " const x = r.x + Math.min(r.width / 2, 40);"
            " return e.checkVisibility()"
            " && [r.top + 3, r.top + r.height / 2, r.bottom - 3].some("
            "(y) => !e.contains(document.elementFromPoint(x, y))); })"
            ".map((e) => e.textContent || e.id);")

    def a_full_page(self):
        self.log_in()
        self.call(UNSIGNED % "/protected")
        self.call(SIGNED % "/secure-data")
        self.call(SIGNED % "/protected")
        self.call("#refresh")

    def test_desktop_looks_right(self):
        self.a_full_page()
        self.assertEqual(self.overflow(), [])
        self.shoot("desktop")
        self.assertEqual(self.covered(), [])

    def test_phone_has_no_sideways_scroll(self):
        self.view(360, 740)
        self.open()
        self.a_full_page()
        self.assertEqual(self.overflow(), [])
        self.shoot("phone")
        self.assertEqual(self.covered(), [])

    def test_text_twice_as_large_has_no_sideways_scroll(self):
        for width in (360, 1280):
            with self.subTest(width=width):
                self.view(width, 740)
                self.open()
                self.driver.script(
                    "document.documentElement.style.fontSize = '200%';")
                self.a_full_page()
                self.assertEqual(self.overflow(), [])
                self.shoot("large-text-%d" % width)

    def test_both_schemes_have_contrast(self):
        for scheme in ("light", "dark"):
            with self.subTest(scheme):
                self.view(1280, 900, prefers_color_scheme=scheme)
                self.open()
                self.log_in(password="wrong")
                self.a_full_page()
                self.driver.click("#tamper-alg")
                self.call(SIGNED % "/protected")
                self.assertEqual(self.driver.script(CONTRAST), [])
                shade = self.driver.script(
                    "return getComputedStyle(document.body)"
                    ".backgroundColor.match(/\\d+/g).map(Number)"
                    ".reduce((a, b) => a + b);")
                self.assertEqual(shade < 150, scheme == "dark")
                self.shoot(scheme)

    def test_less_motion_is_respected(self):
        def transition():
            return self.driver.script(
                "return getComputedStyle(document.getElementById("
                "'login-button')).transitionDuration;")
        self.assertIn("0.12s", transition())
        self.view(1280, 900, prefers_reduced_motion="reduce")
        self.assertEqual(set(transition().split(", ")), {"0s"})


# Every visible text whose contrast with what is behind it is under 4.5
# (WCAG 2.2, 1.4.3); the page has no large text that would need less.
CONTRAST = r"""
const channel = (v) => {
	v /= 255;
	return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
};
const parse = (text) => text.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r)
    + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (e) => {
	for (; e; e = e.parentElement) {
		const c = parse(getComputedStyle(e).backgroundColor);
		if (c.length === 3 || c[3] === 1)
			return c;
	}
	return [255, 255, 255];
};
const faults = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
	const e = walker.currentNode.parentElement;
	if (walker.currentNode.data.trim() === "" || !e.checkVisibility()
	    || e.closest(".unseen, noscript"))
		continue;
	const pair = [luminance(parse(getComputedStyle(e).color)),
	    luminance(behind(e))].sort((a, b) => b - a);
	const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
	if (ratio < 4.5)
		faults.push(`${ratio.toFixed(2)} ${e.tagName}.${e.className}`);
}
return faults;
"""


if __name__ == "__main__":
    unittest.main()
