"""PyJWT in a WSGI application, without a framework."""
import json
import os

import jwt

KEY = os.environ["JWT_SECRET_KEY"]
MESSAGE = {"message": "This is a protected route, and you are authenticated!"}
REQUIRED = {"require": ["exp"]}


def reply(start_response, status, value):
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"),
                            ("Content-Length", str(len(body)))])
    return [body]


def protected(environ, start_response):
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme != "Bearer":
        return reply(start_response, "401 Unauthorized",
                     {"msg": "Missing token"})
    try:
        jwt.decode(token, KEY, algorithms=["HS256"], options=REQUIRED)
    except jwt.InvalidTokenError as error:
        return reply(start_response, "401 Unauthorized", {"msg": str(error)})
    return reply(start_response, "200 OK", MESSAGE)


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/protected":
        return protected(environ, start_response)
    if path == "/health":
        return reply(start_response, "200 OK", {"status": "ok"})
    return reply(start_response, "404 Not Found", {"msg": "Not found"})
