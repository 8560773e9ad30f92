"""Starts a contestant, says whether it answers, ends it."""
import http.client
import os
import signal
import socket
import subprocess
import time

PATIENCE = 20


class Problem(Exception):
    """A sentence for whoever runs the bench."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def allowed_cpus():
    return sorted(os.sched_getaffinity(0))


def environment(**settings):
    """Ours, without what would configure Corgi or a peer by chance."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("JWT_", "CORGI_"))} | settings


class Server:
    """One contestant, running."""

    def __init__(self, contestant, place, workers, cpus):
        self.contestant = contestant
        self.folder = os.path.join(place.folder,
                                   f"{contestant.key}-{workers}")
        os.makedirs(self.folder, mode=0o755)
        self.place = place
        self.workers = workers
        self.cpus = cpus
        self.process = None
        self.port = None

    def start(self):
        """On a port that was free: it may be taken a moment later."""
        for attempt in range(3):
            self.port = free_port()
            command, settings = self.contestant.command(self)
            settings = environment(
                PORT=str(self.port), WORKERS=str(self.workers),
                JWT_SECRET_KEY=self.place.key, **settings)
            if self.cpus:
                command = ["taskset", "-c", ",".join(map(str, self.cpus)),
                           *command]
            with open(self.path("log"), "ab") as log:
                self.process = subprocess.Popen(
                    command, env=settings, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, start_new_session=True)
            if self._answers():
                return
            self.stop()
            if attempt == 2:
                raise Problem(f"{self.contestant.name} does not start:\n"
                              + self.log())

    def path(self, name):
        return os.path.join(self.folder, name)

    def log(self):
        with open(self.path("log"), encoding="utf-8",
                  errors="replace") as file:
            return "".join(file.readlines()[-20:])

    def _answers(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.alive():
            try:
                if self.ask(self.contestant.open_path)[0] == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        return False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ask(self, path, token=None, body=None, connection=None):
        """Status and body of one request."""
        client = connection or self.connect()
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        client.request("GET" if body is None else "POST", path, body, headers)
        answer = client.getresponse()
        data = answer.read()
        if connection is None:
            client.close()
        return answer.status, data

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def stop(self):
        """Its whole session, which holds nothing else."""
        if self.process is None:
            return
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None
