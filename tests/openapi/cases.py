"""What to ask, and which documented answer it must get."""

import json
import os

import client

JSON = {"Content-Type": "application/json"}
GUARDED = ("/protected", "/secure-data")


class Case:
    """A request, its status in both dialects and the example it equals."""

    def __init__(self, name, method, path, status, *, headers=None, body=None,
                 example=None, rfc_status=None, raw=None):
        self.name = name
        self.method = method
        self.path = path
        self.status = status
        self.rfc_status = rfc_status
        self.example = example if method not in ("HEAD", "OPTIONS") else None
        self.headers = headers or {}
        self.body = body
        self.raw = raw

    def send(self):
        if self.raw is not None:
            return client.ask_raw(self.method, self.raw)
        return client.ask(self.method, self.path, self.headers, self.body)


def credentials():
    return {"username": os.environ.get("DEMO_USERNAME", "cosmo"),
            "password": os.environ.get("DEMO_PASSWORD", "space-corgi")}


def login(name, status, body, example=None, media="application/json"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"Content-Type": media} if media else {}
    return Case(name, "POST", "/login", status, headers=headers, body=body,
                example=example)


def demo_login():
    return login("the demo account", 200, credentials())


def login_cases():
    good = credentials()
    yield login("another JSON type", 200, good,
                media="Application/vnd.api+json; charset=utf-8")
    yield login("half a document", 400, b'{"username":', "malformed")
    yield login("a list", 400, [], "notAnObject")
    yield login("no member", 400, {}, "missing")
    yield login("null", 400, dict(good, password=None), "null")
    yield login("a number", 400, dict(good, username=1), "notAString")
    yield login("an empty string", 400, dict(good, password=""), "empty")
    yield login("one member more", 400, dict(good, remember=True), "unknown")
    yield login("a wrong password", 401,
                dict(good, password=good["password"] + "x"), "wrong")
    yield login("an unknown user", 401,
                dict(good, username=good["username"] + "x"), "wrong")
    yield login("a form", 415, b"username=cosmo", "mediaType",
                "application/x-www-form-urlencoded")
    yield login("no media type", 415, good, "mediaType", None)
    yield Case("a wrong method", "GET", "/login", 405, example="method")


def guard_cases(path, token, old):
    """The same for GET and HEAD."""
    for method in ("GET", "HEAD"):
        def ask(name, status, value, example, rfc_status=None,
                method=method):
            headers = {} if value is None else {"Authorization": value}
            return Case(name, method, path, status, headers=headers,
                        example=example, rfc_status=rfc_status)

        head, payload, mac = token.split(".")
        other = ("B" if mac[0] == "A" else "A") + mac[1:]
        none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
        yield ask("a good token", 200, "Bearer " + token, "good")
        yield ask("no header", 401, None, "noHeader")
        yield ask("another scheme", 401, "Basic Y29zbW86eA==", "otherScheme")
        yield ask("a third word", 422, "Bearer %s x" % token, "header", 400)
        yield ask("no dots", 422, "Bearer nodots", "segments", 401)
        yield ask("a cut signature", 422,
                  "Bearer %s.%s.%s" % (head, payload, "AAAAA"), "padding", 401)
        yield ask("alg none", 422, "Bearer %s.%s." % (none, payload),
                  "algorithm", 401)
        yield ask("another signature", 422,
                  "Bearer %s.%s.%s" % (head, payload, other), "signature", 401)
        if old is not None:
            yield ask("an expired token", 401, "Bearer " + old, "expired")
    yield Case("a bad token", "OPTIONS", path, 200,
               headers={"Authorization": "Bearer a.b.c"})


def service_cases(document):
    names = {"/health": "alive", "/ready": "ready", "/openapi.json": None}
    for path, example in names.items():
        yield Case("as it is", "GET", path, 200, example=example)
        yield Case("as it is", "HEAD", path, 200)
    for path, item in document["paths"].items():
        yield Case("as it is", "OPTIONS", path, 200)
        if "get" in item:
            yield Case("a wrong method", "POST", path, 405, headers=JSON,
                       body=b"{}", example="method")


def front_cases(document):
    """What is refused before any route is looked for, on every operation."""
    host = "%s:%d" % client.address()
    for path, item in document["paths"].items():
        for method in (name.upper() for name in item):
            def raw(name, status, example, *lines, target=path,
                    version="1.1", method=method, path=path):
                text = "\r\n".join((
                    "%s %s HTTP/%s" % (method, target, version),
                    "Host: " + host, *lines, "", ""))
                return Case(name, method, path, status, example=example,
                            raw=text.encode())

            yield raw("a blank before the colon", 400,
                      None if path == "/login" else "malformed", "X : y")
            yield raw("a body too long", 413, "tooLarge",
                      "Content-Type: application/json",
                      "Content-Length: %d" % (1 << 30))
            yield raw("a target too long", 414, "tooLong",
                      target=path + "?" + "a" * client.MOST)
            yield raw("an expectation", 417, "expectation",
                      "Content-Length: 0", "Expect: 200-ok")
            yield raw("headers too long", 431, "tooLarge",
                      "X-Long: " + "a" * client.MOST)
            yield raw("an unknown coding", 501, "coding",
                      "Transfer-Encoding: gzip, chunked")
            yield raw("another version", 505, "version", version="2.0")


def all_cases(document, token, old):
    yield from login_cases()
    for path in GUARDED:
        yield from guard_cases(path, token, old)
    yield from service_cases(document)
    yield from front_cases(document)
