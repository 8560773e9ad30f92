"""Where things are, and where results go."""
import os
import re
import secrets
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(BENCH, "RESULTS.md")


class Place:
    """Folders, and the key that all contestants share."""

    def __init__(self, build, folder):
        self.root = os.path.dirname(BENCH)
        self.build = os.path.abspath(build)
        self.folder = folder
        self.key = secrets.token_hex(32)

    def built(self, name):
        return os.path.join(self.build, name)

    @staticmethod
    def peer(name):
        return os.path.join(BENCH, "peers", name)

    def file(self, name, text):
        return save(os.path.join(self.folder, name), text)


def progress(words):
    print(words, file=sys.stderr, flush=True)


def save(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def replace_section(text, lines):
    """Put a section in the place of the one of its heading, or at the end."""
    new = "\n".join(lines).rstrip() + "\n"
    pattern = re.compile(rf"^{re.escape(lines[0])}$.*?(?=^## |\Z)",
                         re.MULTILINE | re.DOTALL)
    if pattern.search(text):
        return pattern.sub(lambda _: new + "\n", text).rstrip() + "\n"
    return text.rstrip() + "\n\n" + new


def publish(lines):
    with open(RESULTS, encoding="utf-8") as file:
        text = file.read()
    save(RESULTS, replace_section(text, lines))
