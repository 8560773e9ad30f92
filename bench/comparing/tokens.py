"""Tokens (HS256) as a stranger would make them, good and bad."""
import base64
import hashlib
import hmac
import json
import time
import uuid


def _text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make(key, header=None, digest=hashlib.sha256, **changes):
    """A token like one of Corgi's, with some claims changed (None: without
    it)."""
    now = int(time.time())
    claims = {"fresh": False, "iat": now, "jti": str(uuid.uuid4()),
              "type": "access", "sub": "cosmo", "nbf": now,
              "csrf": str(uuid.uuid4()), "exp": now + 86400}
    claims.update(changes)
    claims = {name: value for name, value in claims.items()
              if value is not None}
    head = {"alg": "HS256", "typ": "JWT"}
    head.update(header or {})
    signed = ".".join(_text(json.dumps(part, separators=(",", ":")).encode())
                      for part in (head, claims))
    mac = hmac.new(key.encode(), signed.encode(), digest).digest()
    return signed + "." + _text(mac)


def of_size(key, size):
    """A token of nearly so many bytes, 200 at least."""
    few = {"fresh": None, "nbf": None, "csrf": None, "iat": None}
    bare = make(key, **few)
    if size <= len(bare) + 20:
        return bare
    # Base64 makes four characters of three bytes.
    filling = (size - len(bare)) * 3 // 4 - len(',"filling":""')
    return make(key, filling="x" * filling, **few)


def bad(key):
    """Tokens that every guard must refuse, by what is wrong with them."""
    past = int(time.time()) - 1000
    good = make(key)
    body, _, mac = good.rpartition(".")
    flipped = ("A" if mac[0] != "A" else "B") + mac[1:]
    head, _, _ = make(key, {"alg": "none"}).partition(".")
    return {
        "garbage": "garbage",
        "three words": "not.a.token",
        "another key": make("k" + key[1:] if key[0] != "k" else "l" + key[1:]),
        "a bit of the signature": body + "." + flipped,
        "no signature": body + ".",
        "alg none": head + "." + body.partition(".")[2] + ".",
        "HS512 with the same key": make(key, {"alg": "HS512"}, hashlib.sha512),
        "expired": make(key, iat=past, nbf=past, exp=past + 60),
    }
