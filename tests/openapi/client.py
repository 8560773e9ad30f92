"""Requests, one connection each; well-formed ones and others."""

import http.client
import json
import os
import select
import socket
import urllib.parse

LIMIT = 10  # seconds for one answer
STEP = 4096
MOST = 1 << 20  # how much to send before giving up on a refusal

NOT_JSON = object()


class Answer:
    def __init__(self, reply, body):
        self.status = reply.status
        self.headers = reply.headers
        self.body = body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = NOT_JSON


def address():
    url = urllib.parse.urlsplit(os.environ["BASE_URL"])
    return url.hostname, url.port or 80


def ask(method, path, headers=None, body=None):
    """A well-formed request."""
    connection = http.client.HTTPConnection(*address(), timeout=LIMIT)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return Answer(reply, reply.read())
    finally:
        connection.close()


def ask_raw(method, text):
    """Any bytes. They are sent piece by piece, and no more of them once an
    answer is there: a refusal must not be lost in a reset."""
    with socket.create_connection(address(), LIMIT) as sock:
        for start in range(0, len(text), STEP):
            sock.sendall(text[start:start + STEP])
            if select.select([sock], [], [], 0.05)[0]:
                break
        reply = http.client.HTTPResponse(sock, method=method)
        reply.begin()
        answer = Answer(reply, reply.read())
        if method == "HEAD" or answer.status < 200:
            answer.body = rest(sock)
        reply.close()
        return answer


def rest(sock):
    """What follows the head, when nothing should."""
    if select.select([sock], [], [], 0.05)[0]:
        return sock.recv(STEP)
    return b""
