"""One client, two services: what a token of either is worth at the other.

    client.py CORGI_URL FLASK_URL

Every line says what was asked and what came; the first surprise ends it.
"""

import json
import sys
import urllib.error
import urllib.request

CORGI, FLASK = sys.argv[1:]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ADA = {"username": "ada", "password": "engine-of-1843"}


def ask(method, url, token=None, body=None):
    """Send a request; return its status and its JSON."""
    data = None if body is None else json.dumps(body).encode()
    req = urllib.request.Request(url, data=data, method=method)
    if data is not None:
        req.add_header("Content-Type", "application/json")
    if token is not None:
        req.add_header("Authorization", "Bearer " + token)
    try:
        with DIRECT.open(req, timeout=10) as answer:
            return answer.status, read(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, read(error)


def read(answer):
    """The JSON of an answer; its text where it has none."""
    text = answer.read().decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def expect(what, wanted, got):
    """Print one step and stop when it is not as it should be."""
    status, body = got
    print(f"{'ok' if status == wanted else 'NOT OK':7}{status} {what}",
          flush=True)
    if status != wanted:
        sys.exit(f"wanted {wanted}, got {status}: {body}")
    return body


old = expect("log in at Flask", 200, ask("POST", FLASK + "/login", body=ADA))
old = old["access_token"]
new = expect("log in at Corgi", 200, ask("POST", CORGI + "/login", body=ADA))
for whose, token in (("Flask's", old), ("Corgi's", new["access_token"])):
    body = expect(f"{whose} token at Flask", 200,
                  ask("GET", FLASK + "/orders", token))
    if body.get("owner") != "ada":
        sys.exit(f"this is not Ada's: {body}")
    expect(f"{whose} token at Corgi", 200,
           ask("GET", CORGI + "/protected", token))
    expect(f"{whose} token, cut, at Corgi", 422,
           ask("GET", CORGI + "/protected", token[:-2]))
    expect(f"{whose} token, cut, at Flask", 422,
           ask("GET", FLASK + "/orders", token[:-2]))

pair = expect("renew at Corgi", 200,
              ask("POST", CORGI + "/refresh", new["refresh_token"]))
expect("the renewed token at Flask", 200,
       ask("GET", FLASK + "/orders", pair["access_token"]))
expect("a refresh token at Flask", 422,
       ask("GET", FLASK + "/orders", pair["refresh_token"]))

expect("log out at Corgi", 200,
       ask("DELETE", CORGI + "/logout", pair["access_token"]))
for name, token in (("renewed", pair["access_token"]),
                    ("first", new["access_token"])):
    expect(f"the {name} token at Corgi", 401,
           ask("GET", CORGI + "/protected", token))
    expect(f"the {name} token at Flask, which asks Corgi", 401,
           ask("GET", FLASK + "/orders", token))
expect("Flask's token at Flask: another session", 200,
       ask("GET", FLASK + "/orders", old))
expect("log out at Corgi with Flask's token", 200,
       ask("DELETE", CORGI + "/logout", old))
expect("Flask's token at Corgi", 401,
       ask("GET", CORGI + "/protected", old))
expect("Flask's token at Flask, which asks Corgi", 401,
       ask("GET", FLASK + "/orders", old))
