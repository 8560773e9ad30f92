#!/usr/bin/python3
"""Hold the service's answers against the description it serves.

    BASE_URL=http://127.0.0.1:8888 tests/openapi/check.py [--style rfc6750]

Fetches /openapi.json, provokes every status of every operation in it that can
be provoked from outside, and checks status, media type, headers, body and
example. An answer with an undocumented status, a documented status or example
that never came, and any other difference end it with status 1.

BASE_URL       the service, with the demo account
DEMO_USERNAME  default: cosmo
DEMO_PASSWORD  default: space-corgi; the account is throttled afterwards
SECRET_KEY     the service's HS256 key, to make an expired token with; without
               it that one answer is not asked for (and said so)
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import sys
import time

sys.dont_write_bytecode = True

import cases
import client
import schema

# What takes a broken or a busy service, TLS, or more patience than a test has.
OUT_OF_REACH = {"408", "421", "500", "503"}

# Examples of a service that has a public key alone: this one has a secret.
ELSEWHERE = {"verifyOnly"}

# Answers of one dialect.
DIALECT = {"TokenRefused": "flask", "HeadRefused": "flask",
           "CsrfRefused": "rfc6750"}

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS",
           "TRACE", "LINK")

# Headers that must not come where they are not documented.
TELLING = ("WWW-Authenticate", "Allow", "Retry-After")


class Check:
    def __init__(self, document, style):
        self.document = document
        self.style = style
        self.count = 0
        self.failures = []
        self.statuses = set()  # (path, method, status) that came
        self.examples = set()  # (id of a response, name) that came

    def fail(self, where, words):
        self.failures.append("%s: %s" % (where, words))

    def operation(self, path, method):
        """The operation that answers, for a method the path does not have
        the one that documents 405."""
        item = self.document["paths"][path]
        own = item.get(method.lower())
        return own or item.get("get") or item.get("post") or item["delete"]

    def judge(self, path, method, answer, where):
        """Whether an answer is as documented."""
        self.count += 1
        operation = self.operation(path, method)
        status = str(answer.status)
        known = method.lower() in self.document["paths"][path]
        if status not in operation["responses"] or (
                not known and status != "405"):
            self.fail(where, "undocumented status %s, body %r" % (
                status, answer.body[:120]))
            return
        self.statuses.add((path, method.lower() if known
                           else self.method_of(path, operation), status))
        response = schema.resolve(
            self.document, operation["responses"][status])
        self.judge_headers(response, answer, where)
        self.judge_body(response, method, answer, where)

    def method_of(self, path, operation):
        return next(m for m, o in self.document["paths"][path].items()
                    if o is operation)

    def judge_headers(self, response, answer, where):
        documented = response.get("headers", {})
        for name, header in documented.items():
            header = schema.resolve(self.document, header)
            value = answer.headers.get(name)
            if value is None:
                if header.get("required"):
                    self.fail(where, "no header " + name)
                continue
            if header["schema"].get("type") == "integer" and value.isdigit():
                value = int(value)
            for fault in schema.faults(
                    self.document, header["schema"], value, name):
                self.fail(where, fault)
        for name in TELLING:
            if name in answer.headers and name not in documented:
                self.fail(where, "undocumented header " + name)

    def judge_body(self, response, method, answer, where):
        content = response.get("content")
        if method == "HEAD" or content is None:
            if answer.body:
                self.fail(where, "a body where none is documented")
            return
        wanted = "application/json"
        if answer.status >= 400 and self.style == "rfc6750":
            wanted = "application/problem+json"
        media = answer.headers.get("Content-Type", "")
        if media != wanted or wanted not in content:
            self.fail(where, "media type %r, not %r" % (media, wanted))
            return
        if answer.json is client.NOT_JSON:
            self.fail(where, "the body is not JSON: %r" % answer.body[:120])
            return
        for fault in schema.faults(
                self.document, content[wanted]["schema"], answer.json):
            self.fail(where, fault)

    def judge_example(self, case, answer, where):
        """The answer is the example's, to the word. Examples stand beside
        the statuses of the Flask dialect; the other one has their words."""
        operation = self.operation(case.path, case.method)
        response = schema.resolve(
            self.document, operation["responses"].get(str(case.status), {}))
        examples = response.get("content", {}).get(
            "application/json", {}).get("examples", {})
        name = case.example
        if name not in examples:
            self.fail(where, "no example " + name)
            return
        self.examples.add((id(response), name))
        said, shown = answer.json, examples[name]["value"]
        if answer.status >= 400 and self.style == "rfc6750":
            shown = next(iter(shown.values()))
            said = said.get("errors" if isinstance(shown, dict) else "detail")
        elif isinstance(said, dict) and isinstance(said.get("error"), str):
            said = {"error": said["error"]}  # a detail may stand beside it
        if not schema.equal(said, shown):
            self.fail(where, "%s, the example %s says %s" % (
                schema.short(said), name, schema.short(shown)))

    def run(self, case):
        """Send one case and judge what comes."""
        where = "%s %s (%s)" % (case.method, case.path, case.name)
        try:
            answer = case.send()
        except (OSError, http.client.HTTPException) as error:
            self.fail(where, "no answer: %r" % error)
            return None
        status = case.status
        if self.style == "rfc6750":
            status = case.rfc_status or status
        self.judge(case.path, case.method, answer, where)
        if answer.status != status:
            self.fail(where, "%d instead of %d" % (answer.status, status))
        elif case.example and answer.json is not client.NOT_JSON:
            self.judge_example(case, answer, where)
        return answer

    # The description itself.

    def judge_examples_of_document(self):
        """Every example fits the schema beside it."""
        for where, media in walk(self.document, "#"):
            if not isinstance(media, dict) or "schema" not in media:
                continue
            for name, example in media.get("examples", {}).items():
                for fault in schema.faults(
                        self.document, media["schema"], example["value"]):
                    self.fail("%s, example %s" % (where, name), fault)

    def judge_login_example(self, answer):
        """The tokens shown are like those that are really issued."""
        where = "POST /login, the example tokens"
        response = self.operation("/login", "POST")["responses"]["200"]
        examples = response["content"]["application/json"]["examples"]
        for kind, token in examples["demo"]["value"].items():
            real, shown = parts_of(answer.json[kind]), parts_of(token)
            if real[0] != shown[0]:
                self.fail(where, "header %s, not %s" % (shown[0], real[0]))
            if set(real[1]) != set(shown[1]):
                self.fail(where, "claims %s, not %s" % (
                    sorted(shown[1]), sorted(real[1])))
            for claim in ("fresh", "type"):
                if real[1].get(claim) != shown[1].get(claim):
                    self.fail(where, "another " + claim)

    def judge_coverage(self, unasked, closed):
        """Nothing is documented that never came, but on closed operations."""
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                for status, response in operation["responses"].items():
                    if status in OUT_OF_REACH or (path, status) in closed:
                        continue
                    where = "%s %s" % (method.upper(), path)
                    if (path, method, status) not in self.statuses and not \
                            self.other_dialect(status, response):
                        self.fail(where, status + " never came")
                    response = schema.resolve(self.document, response)
                    media = response.get("content", {}).get(
                        "application/json", {})
                    for name in media.get("examples", {}):
                        if (id(response), name) not in self.examples \
                                and name not in unasked:
                            self.fail(where, "%s: the example %s never came"
                                      % (status, name))

    def other_dialect(self, status, response):
        """Whether this answer only comes in the other dialect."""
        name = response.get("$ref", "").rpartition("/")[2]
        return (self.style == "rfc6750" and status == "422") or \
            DIALECT.get(name, self.style) != self.style

    def sweep(self):
        """Any method with anything on any path: no undocumented answer."""
        variants = (
            ("nothing", {}, None),
            ("a bad token", {"Authorization": "Bearer a.b.c"}, None),
            ("a bad header", {"Authorization": "Bearer"}, None),
            ("another scheme", {"Authorization": "Basic Y29zbW86eA=="}, None),
            ("a text", {"Content-Type": "text/plain"}, b"hello"),
            ("bad JSON", {"Content-Type": "application/json"}, b"{\xff"),
            ("a list", {"Content-Type": "application/json"}, b"[1]"),
        )
        for path in self.document["paths"]:
            for method in METHODS:
                for name, headers, body in variants:
                    answer = client.ask(method, path, headers, body)
                    self.judge(path, method, answer, "%s %s with %s" % (
                        method, path, name))


def walk(node, where):
    yield where, node
    if isinstance(node, dict):
        pairs = node.items()
    elif isinstance(node, list):
        pairs = enumerate(node)
    else:
        return
    for key, child in pairs:
        yield from walk(child, "%s/%s" % (where, key))


def parts_of(token):
    """Header and payload of a token."""
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in token.split(".")[:2]]


def expired(token, secret):
    """The token again, but ended a minute ago."""
    header, payload = parts_of(token)
    now = int(time.time())
    payload.update(iat=now - 960, nbf=now - 960, exp=now - 60)
    text = b".".join(encode(json.dumps(part).encode())
                     for part in (header, payload))
    mac = hmac.new(secret.encode(), text, hashlib.sha256).digest()
    return (text + b"." + encode(mac)).decode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--style", choices=("flask", "rfc6750"),
                        default="flask", help="the service's JWT_ERROR_STYLE")
    style = parser.parse_args().style
    if not os.environ.get("BASE_URL"):
        parser.error("BASE_URL is not set")
    schema.prove()

    answer = client.ask("GET", "/openapi.json")
    if answer.status != 200 or not isinstance(answer.json, dict):
        sys.exit("GET /openapi.json: %d, %r" % (
            answer.status, answer.body[:120]))
    check = Check(answer.json, style)
    check.judge_examples_of_document()

    login = check.run(cases.demo_login())
    if login is None or login.status != 200:
        sys.exit("\n".join(check.failures))
    check.judge_login_example(login)
    # This case has no fixed answer, so its example counts as seen by now.
    response = check.operation("/login", "POST")["responses"]["200"]
    check.examples.add((id(response), "demo"))

    secret = os.environ.get("SECRET_KEY")
    old = expired(login.json["access_token"], secret) if secret else None
    unasked = ELSEWHERE | ({"expired"} if old is None else set())
    open_door = cases.registration_is_open()
    for case in cases.all_cases(check.document, old, open_door):
        check.run(case)
    check.sweep()
    # Registration is there or it is not; its own throttle takes hundreds.
    closed = {("/register", status) for status in (
        ("404", "429") if open_door else
        ("201", "400", "409", "415", "422", "429"))}
    check.judge_coverage(unasked, closed)
    if old is None:
        print("without SECRET_KEY no expired token was tried")
    if not open_door:
        print("without CORGI_REGISTRATION=yes nothing was registered")
    for failure in check.failures:
        print("FAIL", failure)
    print("%d answers checked, %d differences" % (
        check.count, len(check.failures)))
    sys.exit(1 if check.failures else 0)


if __name__ == "__main__":
    main()
