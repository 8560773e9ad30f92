"""One node and two, on SQLite and on PostgreSQL: what is measured."""
import subprocess
import time

from . import contestants, proc, rounds
from .postgresql import PostgreSQL
from .server import Problem, Server

KINDS = ("warm", "login", "refresh")
WORKERS = 2

# Logins that wait for a hash say nothing more.
LOGIN_CONNECTIONS = 16

# Beside the logouts whose delay is measured, at each node: clients that log
# in as fast as they are answered, guarded ones, and their pace.
LOAD = ("2", "4", "100")


class Setup:
    """Nodes that share a store, and the load they are put under."""

    def __init__(self, key, name, place, database, url=None):
        self.key = key
        self.name = name
        self.place = place
        self.database = database
        # The load logs in more often than an account may have sessions.
        self.settings = {"CORGI_SESSIONS_PER_USER": "0"}
        if url:
            self.settings["CORGI_DATABASE"] = url
        self.nodes = []
        self.files = []
        self.runs = {kind: [] for kind in KINDS}
        self.delays = []

    def start(self, count):
        data = None
        for number in range(count):
            contestant = contestants.Corgi(
                f"{self.key}-{number}", self.name, self.settings, data=data)
            node = Server(contestant, self.place, WORKERS, [])
            node.start()
            if "CORGI_DATABASE" not in self.settings:
                data = node.path("data")
            self.nodes.append(node)

    def prepare(self):
        for node in self.nodes:
            token = node.contestant.login(node, "cosmo")["access_token"]
            bodies, refresh = node.contestant.prepare_load(node)
            self.files.append({
                "token": self.place.file(
                    f"token-{node.contestant.key}", token + "\n"),
                "value": token, "logins": bodies, "refresh": refresh})

    def stop(self):
        for node in self.nodes:
            node.stop()

    def cpu(self):
        """Of the nodes and of the database server, if there is one."""
        found = [proc.cpu(node.process.pid) for node in self.nodes]
        return found + ([self.database.cpu()] if self.settings else [])

    def run(self, kind, seconds):
        """All nodes at once; the connections are the same in number."""
        seconds = max(seconds, 1) if kind == "login" else seconds
        connections = (LOGIN_CONNECTIONS if kind == "login" else
                       rounds.CONNECTIONS) // len(self.nodes)
        before = self.cpu()
        running = []
        for node, files in zip(self.nodes, self.files):
            arguments = rounds.Row(node, kind, files).arguments(seconds)
            running.append((rounds.begin(node, arguments, seconds, [],
                                         connections), node, arguments))
        values = [rounds.end(*one) for one in running]
        used = sum(proc.cpu_between(*pair)[0]
                   for pair in zip(before, self.cpu()))
        return {"rate": sum(one["rate"] for one in values),
                "p99": max(one["p99"] for one in values),
                "cpu_ms_per_1000": used / 1e3 / sum(
                    one["requests"] + one["opening"] for one in values)}

    def measure_delays(self, seconds):
        """Logouts on the first node: milliseconds until the second refuses,
        and what was asked of the nodes meanwhile."""
        load = [subprocess.Popen(
            [self.place.built("bench/load"), str(node.port), files["value"],
             str(seconds + 1), *LOAD], stdout=subprocess.DEVNULL)
            for node, files in zip(self.nodes, self.files)]
        time.sleep(0.5)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.delays.append(self._delay(len(self.delays)))
        finally:
            for one in load:
                one.wait()

    def _delay(self, number):
        first, second = self.nodes
        names = first.contestant.names()
        token = first.contestant.login(
            first, names[number % len(names)])["access_token"]
        client = second.connect()
        if second.ask("/protected", token, connection=client)[0] != 200:
            raise Problem("a token of one node is refused on the other")
        leaving = first.connect()
        leaving.request("DELETE", "/logout",
                        headers={"Authorization": f"Bearer {token}"})
        answer = leaving.getresponse()
        answer.read()
        answered = time.monotonic()
        leaving.close()
        if answer.status != 200:
            raise Problem(f"a logout: {answer.status}")
        while second.ask("/protected", token, connection=client)[0] != 401:
            if time.monotonic() - answered > 10:
                raise Problem("a logout on one node is not known on another")
        client.close()
        return 1000 * (time.monotonic() - answered)


def all_setups(place, database):
    url = [database.make_database(name) for name in ("one", "two")]
    return [
        (Setup("sqlite", "SQLite, one node", place, database), 1),
        (Setup("sqlite2", "SQLite, two services on one data folder", place,
               database), 2),
        (Setup("pg", "PostgreSQL, one node", place, database, url[0]), 1),
        (Setup("pg2", "PostgreSQL, two nodes", place, database, url[1]), 2),
    ]


def idle(setup, database, settings):
    """The server without and with a node, which serves nobody."""
    alone = database.idle_cost("one", settings["idle_seconds"])
    setup.start(1)
    time.sleep(2)
    node = setup.nodes[0].process.pid
    cpu = proc.cpu(node)
    with_node = database.idle_cost("one", settings["idle_seconds"])
    used = proc.cpu_of_living(cpu, proc.cpu(node))
    return {"alone": alone, "with_node": with_node,
            "node_cpu_ms": used / 1e6 / settings["idle_seconds"]}


def measure(place, settings, progress):
    database = PostgreSQL(place)
    setups = []
    try:
        database.start()
        setups = all_setups(place, database)
        progress("an idle node")
        cost = idle(setups[2][0], database, settings)
        progress("starting the others")
        for setup, count in setups:
            if not setup.nodes:
                setup.start(count)
            setup.prepare()
        _run_rounds([setup for setup, _ in setups], settings, progress)
        return {"idle": cost, "setups": [
            {"name": setup.name, "nodes": count, "runs": setup.runs,
             "delays": setup.delays} for setup, count in setups]}
    finally:
        for setup, _ in setups:
            setup.stop()
        database.stop()


def _run_rounds(setups, settings, progress):
    progress("warming up")
    for setup in setups:
        for kind in KINDS:
            setup.run(kind, min(0.5, settings["seconds"]))
    for number in range(settings["rounds"]):
        progress(f"round {number + 1} of {settings['rounds']}")
        for setup in setups if number % 2 == 0 else reversed(setups):
            for kind in KINDS:
                setup.runs[kind].append(setup.run(kind, settings["seconds"]))
            if len(setup.nodes) == 2:
                setup.measure_delays(settings["delay_seconds"])

