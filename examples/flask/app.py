"""A small application on Flask-JWT-Extended, as it may run before a move.

It has users of its own (Werkzeug hashes), issues tokens and guards two
routes. With CORGI_URL set it asks Corgi whether a token has been taken back.
"""

import os
import urllib.request

from flask import Flask, jsonify, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt,
    get_jwt_identity,
    jwt_required,
)
from werkzeug.security import check_password_hash, generate_password_hash

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["JWT_SECRET_KEY"]
jwt = JWTManager(app)

USERS = {"ada": generate_password_hash("engine-of-1843", "pbkdf2:sha256:1000")}


@app.post("/login")
def login():
    body = request.get_json()
    known = USERS.get(body.get("username", ""))
    if known is None or not check_password_hash(known, body["password"]):
        return jsonify(error="Bad username or password"), 401
    return jsonify(access_token=create_access_token(body["username"]))


@app.get("/orders")
@jwt_required()
def orders():
    return jsonify(owner=get_jwt_identity(), roles=get_jwt().get("roles", []))


if os.environ.get("CORGI_URL"):

    # Straight there: no proxy of the environment sees the tokens.
    corgi = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @jwt.token_in_blocklist_loader
    def revoked(_header, _payload):
        """Corgi's GET /me answers 200 to a token that it has not taken back.

        Everything else counts as taken back, also that Corgi does not answer,
        and also a refresh token: those are for Corgi's POST /refresh alone.
        """
        ask = urllib.request.Request(os.environ["CORGI_URL"] + "/me")
        ask.add_header("Authorization", request.headers["Authorization"])
        try:
            corgi.open(ask, timeout=2).close()
        except OSError:
            return True
        return False


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
