"""Timed runs: everybody in turn, round after round."""
import subprocess
import time

from . import proc
from .server import Problem, allowed_cpus

CONNECTIONS = 64
# Cold runs send each token once; so many are made for the first.
FIRST_TOKENS = 20000
LOGIN_SECONDS = 3
TOKENS_MAX = 1000000


class Row:
    """A line of a table: one kind of request at one server."""

    def __init__(self, server, kind, files=None):
        self.server = server
        self.kind = kind
        self.files = files
        self.rate = None
        self.runs = []

    def arguments(self, seconds):
        contestant = self.server.contestant
        if self.kind == "open":
            return ["get", contestant.open_path]
        if self.kind == "warm":
            return ["get", contestant.guarded_path, self.files["token"]]
        if self.kind == "cold":
            count = FIRST_TOKENS
            if self.rate is not None:
                count = int(self.rate * seconds * 1.4) + 5000
            return ["mint", contestant.guarded_path, self.files["token"],
                    self.files["key"], str(min(count, TOKENS_MAX))]
        if self.kind == "login":
            return ["post", "/login", self.files["logins"]]
        return ["refresh", "/refresh", self.files["refresh"]]

    def seconds(self, wanted):
        # Half a second would see a handful of logins, and mostly how it ends.
        return max(wanted, LOGIN_SECONDS) if self.kind == "login" else wanted

    def raw(self):
        contestant = self.server.contestant
        return {"key": contestant.key, "name": contestant.name,
                "kind": self.kind, "corgi": contestant.key == "corgi",
                "floor": contestant.floor, "runs": self.runs}


def begin(server, arguments, seconds, cpus, connections=CONNECTIONS):
    """Start the client."""
    command = [server.place.built("bench/drive"), str(server.port),
               str(connections), str(seconds), *arguments]
    if cpus:
        command = ["taskset", "-c", ",".join(map(str, cpus)), *command]
    return subprocess.Popen(command, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def end(running, server, arguments):
    """Wait for it; what it printed."""
    out, err = running.communicate(timeout=180)
    if running.returncode != 0:
        raise Problem(f"{server.contestant.name}: {' '.join(arguments[:2])}: "
                      f"{err}\n" + server.log())
    return {key: float(value) for key, _, value in
            (pair.partition("=") for pair in out.split())}


def client(server, arguments, seconds, cpus, connections=CONNECTIONS):
    """Run the client; what it printed, and the server's processor time."""
    before = proc.cpu(server.process.pid)
    values = end(begin(server, arguments, seconds, cpus, connections),
                 server, arguments)
    after = proc.cpu(server.process.pid)
    used, exact = proc.cpu_between(before, after)
    asked = values["requests"] + values["opening"]
    values["cpu_ms_per_1000"] = used / 1e3 / asked
    values["cpu_exact"] = exact
    values["pss"] = proc.memory(server.process.pid)
    return values


def place_client(servers):
    """The processor that no server has, if there is one."""
    used = {cpu for server in servers for cpu in server.cpus or ()}
    rest = [cpu for cpu in allowed_cpus() if cpu not in used]
    return rest[-1:]


def run_all(rows, rounds, seconds, begin_round, before=lambda row: None):
    """before() is called before each timed run of a row."""
    cpus = place_client([row.server for row in rows])
    for row in rows:
        # Not counted: what is compiled or filled at first is so afterwards.
        span = row.seconds(seconds)
        if row.kind == "warm":
            span = max(span, row.server.contestant.warm_up)
        values = client(row.server, row.arguments(span), span, cpus)
        row.rate = values["rate"]
    for number in range(rounds):
        begin_round(f"round {number + 1} of {rounds}")
        for row in rows if number % 2 == 0 else reversed(rows):
            span = row.seconds(seconds)
            before(row)
            values = client(row.server, row.arguments(span), span, cpus)
            values["round"] = number
            values["at"] = round(time.time(), 3)
            row.rate = max(row.rate, values["rate"])
            row.runs.append(values)
    for row in rows:
        if not row.server.alive():
            raise Problem(f"{row.server.contestant.name} has ended")
