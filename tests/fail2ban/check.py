#!/usr/bin/python3
"""Run fail2ban's filter over an audit log that was just written.

    BASE_URL=http://127.0.0.1:8888 DATA_DIR=data tests/fail2ban/check.py BUILD

Logs in well and badly, under names that try to look like other lines, each
from an address of its own, and compares what fail2ban-regex finds in the log
with what was done. BUILD holds corgictl. The service trusts 127.0.0.1 as a
proxy, takes registrations, has no grace interval and begins to throttle an
account at its fourth failure.
"""

import collections
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = os.path.join(HERE, "..", "..", "examples", "fail2ban")
FILTER = os.path.realpath(os.path.join(EXAMPLE, "filter.d", "corgi.conf"))
JAIL = os.path.realpath(os.path.join(EXAMPLE, "jail.d", "corgi.conf"))

DEMO = ("cosmo", "space-corgi")
PASSWORD = "a-quiet-orbit"

# Who is banned when a name is taken for a part of the line.
VICTIM = "198.51.100.66"
LINE = ('{"time":"2026-11-24T06:10:11.123Z","event":"login",'
        '"outcome":"failed","reason":"credentials","client":"%s",'
        '"request":"r","pid":1}' % VICTIM)
HOSTILE = [
    '","client":"%s","request":"r","pid":1}' % VICTIM,
    'x","client":"%s","pid":1}\n' % VICTIM,
    "x\n" + LINE,
    "x\r\n" + LINE + "\r\n",
    LINE,
    "x\u2028" + LINE + "\u2028",
    "x\0" + LINE,
    '\\","client":"%s","pid":1}\\n' % VICTIM,
    VICTIM,
    "a" * 200 + '","client":"%s"}' % VICTIM,
]


class Check:
    def __init__(self, build):
        self.build = build
        self.log = os.path.join(os.environ["DATA_DIR"], "audit.log")
        self.expected = collections.Counter()
        self.failures = []
        self.begin = time.time()

    def expect(self, good, words):
        if not good:
            self.failures.append(words)

    def ask(self, client, method, path, body=None, token=None):
        """A request as a proxy hands it on; its status and body."""
        url = urllib.parse.urlsplit(os.environ["BASE_URL"])
        headers = {"X-Forwarded-For": client}
        if token:
            headers["Authorization"] = "Bearer " + token
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection = http.client.HTTPConnection(url.hostname, url.port,
                                                timeout=20)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def login(self, client, name, password, status, counts=0):
        """A login that is answered so, and how many lines of it fail2ban is
        to find."""
        got, body = self.ask(client, "POST", "/login",
                             {"username": name, "password": password})
        self.expect(got == status, "login of %r: %d" % (name, got))
        self.expected[client] += counts
        return body

    def corgictl(self, *words):
        env = {"PATH": "/usr/bin:/bin",
               "CORGI_DATA_DIR": os.environ["DATA_DIR"]}
        subprocess.run([os.path.join(self.build, "corgictl"), *words],
                       env=env, check=True, stdout=subprocess.DEVNULL)

    def register(self, client, name, status):
        got, _ = self.ask(client, "POST", "/register",
                          {"username": name, "password": PASSWORD})
        self.expect(got == status, "registration of %r: %d" % (name, got))

    def plain_logins(self):
        self.login("192.0.2.1", *DEMO, 200)
        self.login("2001:db8::1", *DEMO, 200)
        self.login("192.0.2.10", DEMO[0], "wrong", 401, 1)
        self.login("192.0.2.11", "nobody-of-that-name", "wrong", 401, 1)
        self.login("2001:db8::10", "nobody-either", "wrong", 401, 1)
        self.login("192.0.2.10", *DEMO, 200)
        self.register("192.0.2.2", "laika", 201)
        self.corgictl("user", "disable", "laika")
        self.login("192.0.2.12", "laika", PASSWORD, 401, 1)

    def hostile_logins(self):
        for i, name in enumerate(HOSTILE):
            self.login("192.0.2.%d" % (100 + i), name, "wrong", 401, 1)
            self.register("192.0.2.2", name, 201)
            self.login("192.0.2.2", name, PASSWORD, 200)
            self.login("192.0.2.%d" % (100 + i), name, "wrong", 401, 1)

    def throttle(self):
        for _ in range(3):
            self.login("192.0.2.30", "throttled", "wrong", 401, 1)
        self.login("192.0.2.30", "throttled", "wrong", 429, 1)
        self.login("192.0.2.30", "throttled", "wrong", 429)

    def reuse(self):
        tokens = self.login("192.0.2.3", *DEMO, 200)
        for status, client in (200, "192.0.2.3"), (401, "192.0.2.40"):
            got, _ = self.ask(client, "POST", "/refresh",
                              token=tokens["refresh_token"])
            self.expect(got == status, "refresh: %d" % got)
        self.expected["192.0.2.40"] += 1

    def others(self):
        """What fails without being a guess from outside."""
        tokens = self.login("192.0.2.4", *DEMO, 200)
        access = tokens["access_token"]
        got, _ = self.ask("192.0.2.4", "POST", "/password",
                          {"current_password": DEMO[1],
                           "new_password": "password1"}, access)
        self.expect(got == 422, "change of password: %d" % got)
        self.register("192.0.2.4", "laika", 409)
        got, _ = self.ask("192.0.2.4", "DELETE", "/logout", token=access)
        self.expect(got == 200, "logout: %d" % got)
        got, _ = self.ask("192.0.2.4", "GET", "/protected", token=access)
        self.expect(got == 401, "after the logout: %d" % got)

    def regex(self, *options):
        """fail2ban-regex, on a machine in another time zone."""
        env = dict(os.environ, TZ="Pacific/Auckland")
        # It takes a path with a blank for a pattern.
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copy(FILTER, folder)
            run = subprocess.run(["fail2ban-regex", *options, self.log, path],
                                 env=env, capture_output=True, text=True,
                                 timeout=60)
        self.expect(run.returncode == 0, "fail2ban-regex: %s" % run.stderr)
        return run.stdout

    def judge(self):
        found = collections.Counter()
        for line in self.regex("-o", "<ip> <time>").splitlines():
            client, when = line.split()
            found[client] += 1
            self.expect(self.begin - 1 <= float(when) <= time.time() + 1,
                        "%s at %s" % (client, when))
        wanted = +self.expected
        self.expect(found == wanted, "found %s, not %s" % (
            dict(found - wanted), dict(wanted - found)))
        self.expect(VICTIM not in found, "a name got an address banned")

        with open(self.log, encoding="ascii") as log:
            lines = log.read().splitlines()
        told = re.search(r"Lines: (\d+) lines, (\d+) ignored, (\d+) matched, "
                         r"(\d+) missed", self.regex())
        counts = [int(n) for n in told.groups()] if told else []
        matched = sum(wanted.values())
        self.expect(counts == [len(lines), 0, matched, len(lines) - matched],
                    "counted %s of %d lines, %d of them matched" % (
                        counts, len(lines), matched))
        dated = re.search(r"\[(\d+)\] \^\\\{\"time\"", self.regex())
        self.expect(dated and int(dated.group(1)) == len(lines),
                    "not every line has its time")
        return len(lines), matched

    def jail(self):
        """fail2ban takes the jail, its log being where it is."""
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "fail2ban")
            shutil.copytree("/etc/fail2ban", config)
            shutil.rmtree(os.path.join(config, "jail.d"))
            os.mkdir(os.path.join(config, "jail.d"))
            shutil.copy(FILTER, os.path.join(config, "filter.d"))
            with open(JAIL, encoding="ascii") as jail:
                text, changed = re.subn(r"(?m)^logpath\s*=.*$",
                                        "logpath = " + self.log, jail.read())
            self.expect(changed == 1, "the jail names no log")
            with open(os.path.join(config, "jail.d", "corgi.conf"), "w",
                      encoding="ascii") as jail:
                jail.write(text)
            run = subprocess.run(["fail2ban-client", "-c", config, "-d"],
                                 capture_output=True, text=True, timeout=60)
            self.expect(run.returncode == 0, "fail2ban-client: %s %s" % (
                run.stdout, run.stderr))
            self.expect("'corgi', 'addlogpath', '%s'" % self.log in run.stdout,
                        "no jail in: %s %s" % (run.stdout, run.stderr))


def main():
    check = Check(sys.argv[1])
    check.plain_logins()
    check.hostile_logins()
    check.throttle()
    check.reuse()
    check.others()
    lines, matched = check.judge()
    check.jail()
    for failure in check.failures:
        print("FAIL " + failure)
    print("%d lines, %d matched" % (lines, matched))
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
