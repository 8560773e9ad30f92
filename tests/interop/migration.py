#!/usr/bin/python3
"""docs/migration.md beside the real Flask-JWT-Extended: nothing that its users
may have used is passed over in silence.

    migration.py        from the top of the repository

Every option, every function it exports and every loader must be named in a
table, in the first cell of a row whose second cell says something.
"""

import re
import sys

import flask
import flask_jwt_extended

PAGE = "docs/migration.md"

# What the page need not name: the manager itself, and a decorator that is the
# subject of its first table.
KNOWN = {"JWTManager"}


def named():
    """The words in code quotes in the first cells of the page's tables."""
    words = set()
    with open(PAGE, encoding="utf-8") as page:
        for line in page:
            cells = [cell.strip() for cell in line.strip().split("|")]
            if line.startswith("| ") and len(cells) >= 4 and cells[2]:
                for code in re.findall(r"`([^`]+)`", cells[1]):
                    words.add(re.match(r"@?(\w*)", code).group(1))
    return words


def wanted():
    """Options without JWT_, functions, loaders."""
    app = flask.Flask(__name__)
    before = set(app.config)
    manager = flask_jwt_extended.JWTManager(app)
    options = {name[len("JWT_"):] for name in set(app.config) - before
               if name.startswith("JWT_")}
    loaders = {name for name in dir(manager)
               if name.endswith("_loader") and not name.startswith("_")}
    functions = {name for name, thing in vars(flask_jwt_extended).items()
                 if not name.startswith("_") and callable(thing)}
    functions.add("current_user")
    if len(options) < 40 or len(loaders) < 15 or len(functions) < 15:
        sys.exit("this is not the Flask-JWT-Extended that was expected")
    return options | loaders | functions - KNOWN


missing = sorted(wanted() - named())
if missing:
    sys.exit(f"{PAGE} has no row for: {', '.join(missing)}")
print("every option, function and loader has its row")
