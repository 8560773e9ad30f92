"""What Corgi's costs are by the size of things: one function a table."""
import os
import subprocess

from . import contestants, proc, rounds, tokens
from .server import Problem, Server, allowed_cpus

TOKEN_SIZES = (200, 400, 1000, 2000, 4000, 8000)
CONNECTIONS = (1, 100, 1000, 10000)
USERS = (1000, 100000, 1000000)


def corgi(place, workers, number):
    cpus = allowed_cpus()
    cpus = cpus[:workers] if len(cpus) > 1 else []
    contestant = contestants.Corgi(f"corgi{number}", "Corgi")
    server = Server(contestant, place, workers, cpus)
    server.start()
    return server


def files_of(place, name, token):
    return {"token": place.file(f"token-{name}", token + "\n"),
            "key": place.file("key", place.key + "\n")}


def token_sizes(place, settings):
    """200 B to 8 kB, known and new."""
    server = corgi(place, 1, "tokens")
    try:
        rows = {}
        for size in TOKEN_SIZES:
            token = tokens.of_size(place.key, size)
            status, body = server.ask("/protected", token)
            if status != 200:
                raise Problem(f"a token of {len(token)} B: {body!r}")
            files = files_of(place, size, token)
            rows[len(token)] = [rounds.Row(server, kind, files)
                                for kind in ("warm", "cold")]
        rounds.run_all([row for pair in rows.values() for row in pair],
                       settings["rounds"], settings["seconds"], _silent)
        return [{"size": size, **{row.kind: row.runs for row in pair}}
                for size, pair in rows.items()]
    finally:
        server.stop()


def worker_counts(place, settings):
    """1, 2, 4 and so on, up to the processors there are."""
    counts = [1]
    while counts[-1] * 2 <= max(2, len(allowed_cpus())):
        counts.append(counts[-1] * 2)
    servers = []
    try:
        rows = {}
        for count in counts:
            server = corgi(place, count, f"workers{count}")
            servers.append(server)
            token = server.contestant.login(server, "cosmo")["access_token"]
            files = files_of(place, f"w{count}", token)
            files["logins"], files["refresh"] = \
                server.contestant.prepare_load(server)
            rows[count] = [rounds.Row(server, kind, files) for kind in
                           ("open", "warm", "cold", "login", "refresh")]
        # Where the client runs differs: each count by itself.
        for count in counts:
            rounds.run_all(rows[count], settings["rounds"],
                           settings["seconds"], _silent)
        return [{"workers": count, **{row.kind: row.runs for row in some}}
                for count, some in rows.items()]
    finally:
        for server in servers:
            server.stop()


def connection_counts(place, settings):
    """Memory of idle connections, and what requests of others cost beside
    them. A service of its own each time, as memory once taken is kept."""
    levels = [{"connections": count, "idle": [], "busy": []}
              for count in CONNECTIONS]
    for number in range(settings["rounds"]):
        for level in levels:
            server = corgi(place, 2, f"c{level['connections']}-{number}")
            try:
                idle, busy = _hold(server, level["connections"], settings)
                level["idle"].append(idle)
                level["busy"].append(busy)
            finally:
                server.stop()
    return levels


def _hold(server, count, settings):
    """Memory with so many idle connections, beside that with none, and a run
    of the usual client. Each connection has had one answer, so that whatever
    a first request takes is there."""
    busy = (server, ["get", "/health"], settings["seconds"],
            rounds.place_client([server]))
    rounds.client(*busy)
    before = proc.memory(server.process.pid)
    command = [server.place.built("bench/drive"), str(server.port),
               str(count), "60", "hold", "/health"]
    with subprocess.Popen(command, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as holder:
        try:
            if holder.stdout.readline() != "held\n":
                raise Problem(f"{count} connections are not held:\n"
                              + server.log())
            held = proc.memory(server.process.pid)
            per_worker = [proc.descriptors(worker, "socket:") for worker in
                          proc.tree(server.process.pid)[1:]]
            beside = rounds.client(*busy)
        finally:
            holder.stdin.close()
            holder.wait()
    return {"before": before, "held": held, "sockets": per_worker}, beside


def users(place, settings):
    """bench/users, for some numbers of accounts."""
    levels = []
    for count in USERS:
        if settings["quick"] and count > 100000:
            continue
        folder = place.folder + f"/users-{count}"
        os.makedirs(folder)
        text = subprocess.run(
            [place.built("bench/users"), folder, str(count),
             str(settings["rounds"])],
            capture_output=True, text=True, check=True).stdout
        levels.append({"users": count, "text": text})
    return levels


def revocations(place, settings):
    """bench/revocation makes a table itself."""
    rounds_wanted = str(3 if settings["quick"] else 15)
    return subprocess.run(
        [place.built("bench/revocation"), "1000000", rounds_wanted],
        capture_output=True, text=True, check=True).stdout


def _silent(_words):
    pass
