#!/usr/bin/python3
"""The other side of tests/unit/test_token_interop.c: PyJWT, used in the way in
which Flask-JWT-Extended uses it.

    pyjwt.py issue FOLDER     write tokens for each ALG.key there to issued
    pyjwt.py accept FOLDER    verify the lines of tokens with the ALG.pub there
    pyjwt.py verdicts FOLDER  write crafted tokens and verdicts to verdicts

Lines are fields between tabs. Subjects are in hexadecimal.
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import sys
import time
import uuid

import jwt

ALGORITHMS = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
              "ES256", "ES384", "ES512")
KINDS = ("access", "refresh")
LIVES = {"access": 900, "refresh": 86400}
OWN_CLAIMS = ("fresh", "iat", "jti", "type", "sub", "nbf", "csrf", "exp")
SUBJECTS = ("cosmo", "", " ", 'a"b\\c\n\x01', "Körgi 🐕", "a\0b", "x" * 3000)


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def write_lines(folder, name, lines):
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        file.writelines("\t".join(line) + "\n" for line in lines)


def issue(folder):
    """Tokens with the claims that create_access_token() and
    create_refresh_token() put in."""
    lines = []
    for algorithm in ALGORITHMS:
        key = read(folder, algorithm + ".key")
        for kind, subject in itertools.product(KINDS, SUBJECTS):
            now = int(time.time())
            claims = {
                "fresh": False, "iat": now, "jti": str(uuid.uuid4()),
                "type": kind, "sub": subject, "nbf": now,
                "csrf": str(uuid.uuid4()), "exp": now + LIVES[kind],
            }
            token = jwt.encode(claims, key, algorithm, headers=None)
            lines.append((algorithm, kind, subject.encode().hex(), token))
    write_lines(folder, "issued", lines)


def accept(folder):
    """Verify tokens; each failure is a line on standard error."""
    failures = 0
    seen = set()
    for line in read(folder, "tokens").decode().splitlines():
        algorithm, kind, subject, session, token = line.split("\t")
        key = read(folder, algorithm + ".pub")
        try:
            claims = flask_decode(token, key, algorithm, kind)
            header = jwt.get_unverified_header(token)
            assert header == {"alg": algorithm, "typ": "JWT"}, header
            assert claims["sub"] == bytes.fromhex(subject).decode()
            assert claims["exp"] - claims["iat"] == LIVES[kind]
            assert claims["nbf"] == claims["iat"]
            assert claims["type"] == kind and claims["fresh"] is False
            assert str(uuid.UUID(claims["jti"], version=4)) == claims["jti"]
            assert str(uuid.UUID(claims["csrf"], version=4)) == claims["csrf"]
            assert further(claims) == expected(kind, session), claims
        except (AssertionError, KeyError, Refused, jwt.PyJWTError) as error:
            print(f"{algorithm}: {error!r}: {token}", file=sys.stderr)
            failures += 1
        seen.add(algorithm)
    if seen != set(ALGORITHMS):
        print("algorithms seen:", sorted(seen), file=sys.stderr)
        failures += 1
    return failures


def further(claims):
    """What is beside Flask-JWT-Extended's own claims."""
    return {name: value for name, value in claims.items()
            if name not in OWN_CLAIMS}


def expected(kind, session):
    if not session:
        return {}
    if kind == "refresh":
        return {"sid": session}
    return {"sid": session, "ver": 3, "roles": ["admin", "editor"]}


class Refused(Exception):
    """A refusal of Flask-JWT-Extended's own."""


def flask_decode(token, key, algorithm, kind):
    """What is asked of a token of a kind, in the order in which it is
    asked."""
    jwt.decode(token, algorithms=[algorithm],
               options={"verify_signature": False})
    jwt.get_unverified_header(token)
    options = {"verify_aud": False}
    expired = False
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm],
                            options=options)
    except jwt.ExpiredSignatureError:
        expired = True
        claims = jwt.decode(token, key, algorithms=[algorithm],
                            options={**options, "verify_exp": False})
    if "sub" not in claims:
        raise Refused("Missing claim: sub")
    if expired:
        raise Refused("Token has expired")
    is_refresh = claims.get("type") == "refresh"
    if kind == "refresh" and not is_refresh:
        raise Refused("Only refresh tokens are allowed")
    if kind == "access" and is_refresh:
        raise Refused("Only non-refresh tokens are allowed")
    return claims


def b64(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(key, header, payload):
    """header and payload are text (or bytes), valid or not."""
    text = b64(header) + "." + b64(payload)
    mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return text + "." + b64(mac)


def crafted(key):
    """Tokens about whose fate the specification and PyJWT agree."""
    now = int(time.time())
    good = {"sub": "cosmo", "jti": "j", "exp": now + 900, "iat": now - 10,
            "nbf": now - 10, "type": "access"}
    hs256 = '{"alg":"HS256","typ":"JWT"}'

    def claims(**changes):
        merged = {**good, **changes}
        kept = {k: v for k, v in merged.items() if v is not Ellipsis}
        return sign(key, hs256, json.dumps(kept))

    def raw(name, text):
        rest = {k: v for k, v in good.items() if k != name}
        return sign(key, hs256,
                    json.dumps(rest)[:-1] + f', "{name}": {text}}}')

    def header(text):
        return sign(key, text, json.dumps(good))

    whole = claims()
    head, body, mac = whole.split(".")
    yield whole
    # Segments and padding.
    yield from ("a", "a.b", ".", "..", "e30", "e30.e30")
    yield from (f"{head}.{body}", f"a.{body}.{mac}", f"{head}.a.{mac}",
                f"{head}.{body}.a", f"{head}.{body}.", f"{head}.{body}.AAAA",
                f"{head}.{body}.{mac[:40]}", f"{head}.{body}.{mac}AAAA",
                f"{head}..{mac}", f".{body}.{mac}")
    # Headers.
    for text in ("", "x", "{", "null", "[]", "7", '"HS256"',
                 '{"alg":"none"}', '{"alg":"None"}', '{"alg":"hs256"}',
                 '{"alg":"HS384"}', '{"alg":"RS256"}', '{"alg":""}',
                 '{"alg":null}', '{"alg":256}',
                 '{"alg":"HS256"}', '{"alg":"HS256","typ":"at+jwt"}',
                 '{"alg":"HS256","typ":7}', '{"alg":"HS256","x":"\\u0000"}',
                 '{"alg":"HS256","kid":"a"}', '{"alg":"HS256","kid":1}',
                 '{"alg":"HS256","kid":null}', '{"alg":"none","kid":[]}',
                 '{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}',
                 '{"alg":"HS256","jku":"http://127.0.0.1:1/"}'):
        yield header(text)
    yield header(b"\xff\xfe{")
    if hasattr(jwt.PyJWS, "_validate_crit"):
        for text in ("[]", "7", '"x"', "[7]", '["x"]', '["exp",7]'):
            yield header('{"alg":"HS256","crit":%s}' % text)
    # Payloads.
    for text in ("", "x", "{", "null", "[]", "7", '"cosmo"'):
        yield sign(key, hs256, text)
        yield sign(key, '{"alg":"none"}', text)
    yield sign(key, hs256, b'{"sub":"\xff"}')
    yield sign(b"another", hs256, json.dumps(good))
    yield sign(b"another", hs256, '{"exp":1}')
    yield sign(b"", hs256, json.dumps(good))
    # Claims.
    yield from (claims(iat=now + 100), claims(iat="x"), claims(iat=...),
                claims(iat=now + 100, nbf="x", exp="x"),
                claims(nbf=now + 100), claims(nbf="x"), claims(nbf=...),
                claims(nbf=now + 100, exp="x"), claims(exp="x"),
                claims(exp=now), claims(exp=now - 100), claims(exp=0),
                claims(exp=-1), claims(exp=now + 100.5),
                claims(exp=now - 100.5), claims(exp=2 ** 31),
                claims(exp=2 ** 32), claims(exp=2 ** 63), claims(exp=2 ** 64),
                claims(exp=2 ** 70), claims(exp=-2 ** 70),
                claims(iat=2 ** 63), claims(iat=-2 ** 70),
                claims(nbf=2 ** 64), claims(nbf=-2 ** 64),
                claims(sub=...), claims(sub=..., exp=1), claims(sub=""),
                claims(sub="a\0b"), claims(sub="Körgi"),
                claims(type="refresh"), claims(type="refresh", exp=1),
                claims(type="other"), claims(type=7), claims(type=...),
                claims(aud="x"), claims(aud=["x"]), claims(iss="x"),
                claims(x={"deep": [[[[]]]]}), claims(x="\0"))
    yield from (raw("exp", "1e30"), raw("exp", "-1e30"), raw("nbf", "1e30"),
                raw("iat", "1E30"), raw("x", "1e400"), raw("x", "1e-400"),
                raw("x", "-0"), raw("x", "123456789012345678901234567890"))


def verdicts(folder):
    key = read(folder, "HS256.key")
    lines = []
    for token, kind in itertools.product(crafted(key), KINDS):
        try:
            flask_decode(token, key, "HS256", kind)
            verdict = ""
        except (Refused, jwt.PyJWTError) as error:
            verdict = str(error)
        verdict = verdict.encode("ascii", "replace").decode()
        lines.append((verdict, kind, token))
    write_lines(folder, "verdicts", lines)


def main():
    actions = {"issue": issue, "accept": accept, "verdicts": verdicts}
    return 1 if actions[sys.argv[1]](sys.argv[2]) else 0


if __name__ == "__main__":
    sys.exit(main())
