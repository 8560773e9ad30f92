"""A PostgreSQL server for a bench: with syncs, unlike that of the tests."""
import os
import shutil
import subprocess
import tempfile
import time

from . import proc
from .server import Problem


class PostgreSQL:
    """In a folder of its own, which its user has to reach."""

    def __init__(self, place):
        self.script = os.path.join(place.root, "scripts", "postgresql")
        self.folder = None
        self.options = None

    def start(self):
        self.folder = tempfile.mkdtemp(prefix="corgi-bench-pg-")
        done = subprocess.run([self.script, "start", self.folder],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem("no PostgreSQL server: " + done.stderr)
        self.options = done.stdout.strip().partition("?")[2]
        for setting in ("fsync", "full_page_writes"):
            self.ask(f"ALTER SYSTEM SET {setting} = on")
        self.ask("SELECT pg_reload_conf()")

    def stop(self):
        if self.folder is not None:
            subprocess.run([self.script, "stop", self.folder], check=False)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def url(self, database):
        return f"postgresql:///{database}?{self.options}"

    def ask(self, sql):
        """The rows, each a list of texts. It is not asked in a database that
        is measured."""
        done = subprocess.run(
            ["psql", "-XAtq", "-F", "\t", "-d", self.url("postgres"), "-c",
             sql], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"{sql}: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def make_database(self, name):
        self.ask(f"CREATE DATABASE {name}")
        return self.url(name)

    def pid(self):
        with open(os.path.join(self.folder, "data", "postmaster.pid"),
                  encoding="ascii") as file:
            return int(file.readline())

    def cpu(self):
        return proc.cpu(self.pid())

    def counts(self, database):
        """Transactions so far, and connections now."""
        row, = self.ask("SELECT xact_commit + xact_rollback, numbackends"
                        f" FROM pg_stat_database WHERE datname='{database}'")
        return int(row[0]), int(row[1])

    def idle_cost(self, database, seconds):
        """What those who use the database cost while nobody asks them."""
        before = self.counts(database)[0]
        # The process that answered ends.
        time.sleep(0.5)
        cpu = self.cpu()
        time.sleep(seconds - 0.5)
        used = proc.cpu_of_living(cpu, self.cpu())
        after, connections = self.counts(database)
        return {"connections": connections,
                "transactions": (after - before) / seconds,
                "cpu_ms": used / 1e6 / (seconds - 0.5)}
