"""Every contestant is right before it is timed."""
import json

from . import tokens
from .server import Problem

MESSAGE = {"message": "This is a protected route, and you are authenticated!"}


def _expect(server, what, answer, statuses, value=None):
    status, body = answer
    name = server.contestant.name
    if status not in statuses:
        raise Problem(f"{name}: {what}: {status} instead of "
                      f"{' or '.join(map(str, statuses))}: {body[:200]!r}")
    if value is None:
        return
    if isinstance(value, bytes):
        right = body == value
    else:
        try:
            right = json.loads(body) == value
        except ValueError:
            right = False
    if not right:
        raise Problem(f"{name}: {what}: not the answer: {body[:200]!r}")


def open_route(server):
    contestant = server.contestant
    _expect(server, "the open route", server.ask(contestant.open_path),
            (200,), contestant.open_body)


def guarded_route(server, key, issued):
    """issued: the token that the timing uses, from Corgi's own login."""
    path = server.contestant.guarded_path
    for name, token in (("a token from outside", tokens.make(key)),
                        ("a token from Corgi", issued)):
        _expect(server, name, server.ask(path, token), (200,), MESSAGE)
    _expect(server, "no token", server.ask(path), (401,))
    for name, token in tokens.bad(key).items():
        _expect(server, name, server.ask(path, token), (401, 422))
    # The same connection serves another request, and a refusal did no harm.
    connection = server.connect()
    for token, statuses in ((issued, (200,)), ("garbage", (401, 422)),
                            (tokens.make(key), (200,))):
        _expect(server, "one of three on a connection",
                server.ask(path, token, connection=connection), statuses)
    connection.close()


def everything(server, key, issued):
    open_route(server)
    if server.contestant.guarded_path:
        guarded_route(server, key, issued)
