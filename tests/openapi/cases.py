"""What to ask, and which documented answer it must get."""

import http.cookies
import json
import os
import secrets

import client

JSON = {"Content-Type": "application/json"}
GUARDED = ("/protected", "/secure-data")

# Paths whose 400 is about the body before all.
OWN_400 = ("/login", "/password", "/register")


class Case:
    """A request, its status in both dialects and the example it equals."""

    def __init__(self, name, method, path, status, *, headers=None, body=None,
                 example=None, rfc_status=None, raw=None):
        self.name = name
        self.method = method
        self.target = path
        self.path = path.partition("?")[0]
        self.status = status
        self.rfc_status = rfc_status
        self.example = example if method not in ("HEAD", "OPTIONS") else None
        self.headers = headers or {}
        self.body = body
        self.raw = raw

    def send(self):
        if self.raw is not None:
            return client.ask_raw(self.method, self.raw)
        return client.ask(self.method, self.target, self.headers, self.body)


def credentials():
    return {"username": os.environ.get("DEMO_USERNAME", "cosmo"),
            "password": os.environ.get("DEMO_PASSWORD", "space-corgi")}


def login(name, status, body, example=None, media="application/json",
          path="/login"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"Content-Type": media} if media else {}
    return Case(name, "POST", path, status, headers=headers, body=body,
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


class Session:
    """A login of its own."""

    def __init__(self):
        answer = client.ask("POST", "/login", JSON,
                            json.dumps(credentials()).encode())
        self.access = answer.json["access_token"]
        self.refresh = answer.json["refresh_token"]


class CookieSession:
    """The same in cookies."""

    def __init__(self):
        answer = client.ask("POST", "/login?cookies=1", JSON,
                            json.dumps(credentials()).encode())
        jar = http.cookies.SimpleCookie()
        for line in answer.headers.get_all("Set-Cookie"):
            jar.load(line)
        self.values = {name: morsel.value for name, morsel in jar.items()}

    def headers(self, kind, csrf=True):
        headers = {"Cookie": "%s_token_cookie=%s" % (
            kind, self.values[kind + "_token_cookie"])}
        if csrf:
            headers["X-CSRF-TOKEN"] = self.values["csrf_%s_token" % kind]
        return headers


def bearer(token):
    return {"Authorization": "Bearer " + token}


def ended():
    """A session that has been given back."""
    session = Session()
    client.ask("DELETE", "/logout", bearer(session.access))
    return session


def holder_cases(method, path, session, other, body=None):
    """What every route says that takes tokens in several places. other: a
    token of the wrong kind."""
    headers = JSON if body else {}

    def ask(name, status, more, example=None, rfc_status=None):
        return Case(name, method, path, status, headers={**headers, **more},
                    body=body, example=example, rfc_status=rfc_status)

    kind = "refresh" if path == "/refresh" else "access"
    yield Case("no token", method, path, 401, example="noToken")
    yield ask("a revoked token", 401, bearer(getattr(ended(), kind)),
              "revoked")
    yield ask("no dots", 422, bearer("nodots"),
              None if path == "/password" else "segments", 401)
    if other is not None:
        yield ask("the other kind", 422, bearer(other), "kind", 401)
    if method in ("POST", "DELETE"):
        yield ask("a cookie alone", 401, session.headers(kind, csrf=False),
                  "csrf", 403)


def session_cases():
    def ask(name, method, path, token, example=None):
        return Case(name, method, path, 200, headers=bearer(token),
                    example=example)

    session, cookies = Session(), CookieSession()
    yield login("a login with cookies", 200, credentials(), "cookies",
                path="/login?cookies=1")
    yield ask("in the header", "POST", "/refresh", session.refresh)
    yield Case("in the body", "POST", "/refresh", 200, headers=JSON,
               body=json.dumps({"refresh_token": session.refresh}).encode())
    yield from holder_cases("POST", "/refresh", cookies, session.access)
    yield Case("in a cookie", "POST", "/refresh", 200,
               headers=cookies.headers("refresh"), example="cookies")
    for method in ("GET", "HEAD"):
        yield ask("in the header", method, "/me", session.access)
        yield from holder_cases(method, "/me", cookies, session.refresh)
    yield from holder_cases("DELETE", "/logout", cookies, None)
    yield from holder_cases("DELETE", "/logout-all", cookies, session.refresh)
    yield Case("in a cookie", "DELETE", "/logout", 200,
               headers=cookies.headers("access"), example="good")
    yield ask("in the header", "DELETE", "/logout", session.refresh, "good")
    yield ask("in the header", "DELETE", "/logout-all", Session().access,
              "good")


def change(name, status, token, body, example=None, rfc_status=None):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Case(name, "POST", "/password", status,
                headers={**JSON, **bearer(token)}, body=body, example=example,
                rfc_status=rfc_status)


def password_cases():
    old = credentials()["password"]
    new = "a quiet orbit " + secrets.token_hex(4)
    session, cookies = Session(), CookieSession()
    token = session.access
    body = json.dumps({"current_password": old, "new_password": new}).encode()

    yield from holder_cases(
        "POST", "/password", cookies, session.refresh, body)
    stale = client.ask("POST", "/refresh", bearer(session.refresh))
    yield change("a token that is not fresh", 401, stale.json["access_token"],
                 body, "stale")
    yield change("half a document", 400, token, b"{", "malformed")
    yield change("no new password", 400, token, {"current_password": old},
                 "missing")
    yield change("no current password", 403, token, {"new_password": new},
                 "current")
    yield change("a wrong one", 403, token,
                 {"current_password": new, "new_password": new}, "current")
    yield change("a common new one", 422, token,
                 {"current_password": old, "new_password": "password1"},
                 "common")
    yield change("a short new one", 422, token,
                 {"current_password": old, "new_password": "orbit"}, "short")
    yield Case("a text", "POST", "/password", 415, headers={
        "Content-Type": "text/plain", **bearer(token)}, body=b"x",
               example="mediaType")
    yield Case("with a cookie", "POST", "/password", 200, headers={
        **JSON, **cookies.headers("access")}, body=body, example="cookies")
    # And back, with a token of its own.
    answer = client.ask("POST", "/login", JSON, json.dumps(
        {**credentials(), "password": new}).encode())
    yield change("back", 200, answer.json["access_token"],
                 {"current_password": new, "new_password": old})


def registration_is_open():
    return client.ask("POST", "/register", JSON, b"{}").status != 404


def register_cases(open_door):
    name = "laika-" + secrets.token_hex(4)
    good = {"username": name, "password": "a quiet orbit"}

    def ask(words, status, body, example, media="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return Case(words, "POST", "/register", status,
                    headers={"Content-Type": media}, body=body,
                    example=example)

    if not open_door:
        yield ask("where there is none", 404, good, "off")
        return
    yield ask("half a document", 400, b"{", "malformed")
    yield ask("no member", 400, {}, "missing")
    yield ask("a long name", 400, dict(good, username="n" * 256), "long")
    yield ask("a text", 415, b"x", "mediaType", "text/plain")
    yield ask("a common password", 422, dict(good, password="password1"),
              "common")
    yield ask("the name as password", 422, dict(good, password=name),
              "username")
    yield ask("a new name", 201, good, "good")
    yield ask("the same again", 409, good, "taken")


def throttle_cases():
    """The last ones of the account: it is throttled from then on."""
    token = Session().access
    wrong = {"current_password": "x", "new_password": "a quiet orbit"}
    for _ in range(100):
        answer = client.ask("POST", "/password", {**JSON, **bearer(token)},
                            json.dumps(wrong).encode())
        if answer.status == 429:
            break
    yield change("too many failures", 429, token, wrong, "throttled")
    yield login("too many failures", 429, credentials(), "throttled")


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
        yield ask("a revoked token", 401, "Bearer " + ended().access,
                  "revoked")
    yield Case("a bad token", "OPTIONS", path, 200,
               headers={"Authorization": "Bearer a.b.c"})


def service_cases(document):
    names = {"/health": "alive", "/ready": "ready", "/openapi.json": None}
    for path, example in names.items():
        yield Case("as it is", "GET", path, 200, example=example)
        yield Case("as it is", "HEAD", path, 200)
    for path, item in document["paths"].items():
        yield Case("as it is", "OPTIONS", path, 200)
        yield Case("a wrong method", "PUT", path, 405, headers=JSON,
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
                      None if path in OWN_400 else "malformed", "X : y")
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


def all_cases(document, old, open_door):
    yield from login_cases()
    yield from session_cases()
    yield from password_cases()
    yield from register_cases(open_door)
    token = Session().access
    for path in GUARDED:
        yield from guard_cases(path, token, old)
    yield from service_cases(document)
    yield from front_cases(document)
    yield from throttle_cases()
