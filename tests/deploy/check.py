#!/usr/bin/python3
"""Check the examples in deploy/: by the validators that are there for their
formats, against each other, and against what they run.

    tests/deploy/check.py BUILD

BUILD holds corgictl and the module, of the prod flavour in prod/. Whatever is
said to be good is said beside a broken copy that has to be refused.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

import confined
import manifest

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
DEPLOY = os.path.join(ROOT, "deploy")
CONFINED = os.path.join(ROOT, "tests", "deploy", "confined.py")
KEY = "a key of the examples' tests, long enough"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# What SQLite does as root alone, which this service is not.
FOR_ROOT = {"fchown"}

# What `systemd-analyze security` may find at most, in tenths.
EXPOSURE = 15


def read(name):
    with open(os.path.join(ROOT, name)) as file:
        return file.read()


def replaced(text, old, new):
    """A copy with something else in it; what is replaced has to be there."""
    if old not in text:
        sys.exit(f"there is no {old!r} to be broken")
    return text.replace(old, new)


def run(*words, env=None, cwd=None):
    """Status and what a program says."""
    done = subprocess.run(words, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=60)
    return done.returncode, done.stdout.strip()


def seconds(text):
    return int(re.fullmatch(r"(\d+)s?", str(text)).group(1))


class Check:
    def __init__(self, build):
        self.build = os.path.realpath(build)
        self.count = 0
        self.failures = []
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        self.secrets = self.path("secrets")
        self.make_secrets()
        self.compose = yaml.safe_load(read("deploy/compose.yaml"))
        self.pods = list(yaml.safe_load_all(read("deploy/kubernetes.yaml")))
        self.unit = read("deploy/corgi.service")
        self.nginx = read("deploy/nginx.conf")

    def make_secrets(self):
        """For their owner alone, and never made anew."""
        before = None
        for _ in range(2):
            status, said = run(os.path.join(DEPLOY, "make-secrets"),
                               self.secrets)
            self.expect(status == 0, f"make-secrets: {said}")
            self.expect(os.stat(self.secrets).st_mode & 0o777 == 0o700,
                        "others get at the secrets")
            made = {name: read(os.path.join(self.secrets, name))
                    for name in os.listdir(self.secrets)}
            self.expect(before in (None, made), "a secret was made anew")
            before = made
        os.chmod(self.secrets, 0o755)

    def expect(self, good, words):
        self.count += 1
        if not good:
            self.failures.append(words)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def kind(self, name):
        return next(pod for pod in self.pods if pod["kind"] == name)

    # The validators.

    def validate(self, name, judge, text, broken):
        """judge(text) says what is wrong, or nothing."""
        fault = judge(text)
        self.expect(not fault, f"{name}: {fault}")
        for old, new in broken:
            self.expect(judge(replaced(text, old, new)),
                        f"{name}: {new!r} is not refused")

    def compose_fault(self, text):
        path = self.write("compose.yaml", text)
        status, said = run("docker-compose", "-f", path, "config", "-q")
        return said or (status and "refused")

    def kubernetes_fault(self, text):
        try:
            return manifest.manifest_faults(yaml.safe_load_all(text))
        except yaml.YAMLError as error:
            return [str(error)]

    def unit_fault(self, text):
        path = self.write("corgi.service", text)
        status, said = run("systemd-analyze", "verify", "--man=no", path)
        if said or status:
            return said or "refused"
        status, said = run("systemd-analyze", "--no-pager", "security",
                           "--offline=true", f"--threshold={EXPOSURE}", path)
        return status and said

    def nginx_fault(self, text):
        text = text.replace("/run/secrets", self.secrets)
        text = text.replace("/var/log/nginx", self.folder)
        self.write("site.conf", text)
        self.write("nginx.conf", "error_log stderr; pid nginx.pid; events { }"
                   " http { include site.conf; }")
        status, said = run("nginx", "-t", "-q", "-p", self.folder,
                           "-e", "stderr", "-c", "nginx.conf",
                           env={"PATH": PATH})
        return status and said

    def validators(self):
        self.validate("compose.yaml", self.compose_fault,
                      read("deploy/compose.yaml"),
                      [("read_only:", "readonly:"),
                       ("retries: 3", "retries: often"),
                       ("service_healthy", "service_health"),
                       ("172.28.80.0/24}", "172.28.80.0/99}")])
        self.validate("kubernetes.yaml", self.kubernetes_fault,
                      read("deploy/kubernetes.yaml"),
                      [("runAsNonRoot:", "runAsNonroot:"),
                       ("replicas: 2", "replicas: two"),
                       ("  selector:\n    match", "  select:\n    match"),
                       ("apiVersion: policy/v1", "apiVersion: policy/v9"),
                       ('CORGI_THREADS: "2"', "CORGI_THREADS: 2")])
        self.validate("corgi.service", self.unit_fault, self.unit,
                      [("ProtectSystem=", "ProtectSytem="),
                       ("ExecStart=/usr/bin/kore", "ExecStart=/nowhere/kore"),
                       ("SystemCallFilter=@", "#"),
                       ("CapabilityBoundingSet=\n", "")])
        self.validate("nginx.conf", self.nginx_fault, self.nginx,
                      [("keepalive_timeout 30s;", "keepalive_timeot 30s;"),
                       ("zone=login burst", "zone=logins burst"),
                       ("http://corgi;\n    }\n}", "http://corgi;\n    }")])

    # What the files say, beside the image and each other.

    def image(self):
        image = read("Dockerfile")
        user = int(re.search(r"--uid (\d+)", image).group(1))
        port = int(re.search(r"EXPOSE (\d+)", image).group(1))
        spec = self.kind("Deployment")["spec"]["template"]["spec"]
        context = spec["securityContext"]
        container = spec["containers"][0]
        mounts = {m["mountPath"] for m in container["volumeMounts"]}
        for name in ("runAsUser", "runAsGroup", "fsGroup"):
            self.expect(context[name] == user, f"{name} is not {user}")
        self.expect(container["ports"][0]["containerPort"] == port,
                    f"the container's port is not {port}")
        self.expect({"/data", "/tmp"} <= mounts, "a volume is missing")
        servers = re.findall(r"server ([0-9.]+):(\d+)", self.nginx)
        nodes = [self.compose["services"][name]
                 for name in ("corgi1", "corgi2")]
        self.expect(servers == [(self.address(node), str(port))
                                for node in nodes],
                    "nginx.conf and compose.yaml name other nodes")
        for node in nodes:
            self.expect(node["environment"]["CORGI_TRUSTED_PROXIES"] ==
                        self.address(self.compose["services"]["nginx"]),
                        "nginx is not the trusted proxy")
            self.expect(node["volumes"][0].endswith(":/data"), "no volume")
        self.expect(re.search(r"listen (\d+) ssl", self.nginx).group(1) ==
                    self.compose["services"]["nginx"]["ports"][0].split(":")[1],
                    "nginx listens elsewhere")
        self.probes(container)

    @staticmethod
    def address(service):
        return service["networks"]["front"]["ipv4_address"]

    def probes(self, container):
        routes = read("conf/routes.conf")
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[name]["httpGet"]["path"]
            self.expect(re.search(rf"\troute\t\t{path}\t", routes),
                        f"{name}: no route {path}")
        self.expect(container["readinessProbe"]["httpGet"]["path"] == "/ready",
                    "readiness is not /ready")
        self.expect(container["livenessProbe"]["httpGet"]["path"] == "/health",
                    "liveness would depend on the database")

    def times(self):
        """Whoever stops the service waits longer than it takes."""
        for name in ("corgi1", "corgi2"):
            node = self.compose["services"][name]
            self.expect(seconds(node["stop_grace_period"]) > seconds(
                node["environment"]["CORGI_SHUTDOWN_SECONDS"]), name)
        spec = self.kind("Deployment")["spec"]["template"]["spec"]
        sleep = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        self.expect(spec["terminationGracePeriodSeconds"] > seconds(sleep[1]) +
                    seconds(self.kind("ConfigMap")["data"]
                            ["CORGI_SHUTDOWN_SECONDS"]), "kubernetes.yaml")
        stop = re.search(r"TimeoutStopSec=(\d+)", self.unit).group(1)
        own = re.search(r"CORGI_SHUTDOWN_SECONDS=(\d+)", self.unit).group(1)
        self.expect(int(stop) > int(own), "corgi.service")

        idle = int(re.search(r"http_keepalive_time\s+(\d+)",
                             read("conf/limits.conf")).group(1))
        grace = int(re.search(r"`CORGI_REFRESH_GRACE` \| (\d+) ",
                              read("README.md")).group(1))
        silence = int(re.search(r"`CORGI_DATABASE_SILENCE` \| (\d+) ",
                                read("README.md")).group(1))
        probe = spec["containers"][0]["readinessProbe"]
        self.expect((probe["failureThreshold"] - 1) * probe["periodSeconds"] >
                    silence, "a restart of the database takes nodes out")
        rows = [("keepalive_timeout", idle),
                ("proxy_next_upstream_timeout", grace)]
        for name, limit in rows:
            value = re.search(rf" {name} (\d+)s;", self.nginx).group(1)
            self.expect(int(value) < limit, f"nginx.conf: {name}")

    # The settings, by the program itself.

    def environments(self):
        """Name and environment of each example, secrets where we have them."""
        node = self.compose["services"]["corgi1"]
        names = set(node["secrets"])
        for key, value in node["environment"].items():
            if key.endswith("_FILE"):
                self.expect(os.path.dirname(value) == "/run/secrets" and
                            os.path.basename(value) in names,
                            f"compose.yaml: {key} names no secret")
        for name, service in self.compose["services"].items():
            self.expect(set(service["secrets"]) <= set(self.compose["secrets"]),
                        f"compose.yaml: {name} has a secret that is not there")
        for name, secret in self.compose["secrets"].items():
            self.expect(secret["file"] == f"secrets/{name}" and
                        os.path.exists(os.path.join(self.secrets, name)),
                        f"compose.yaml: {name} is not made by make-secrets")
        yield "compose.yaml", self.mounted(node["environment"], "/run/secrets")
        values = self.kind("ConfigMap")["data"]
        mount = "/run/secrets/corgi"
        for key, value in values.items():
            if key.endswith("_FILE"):
                self.expect(os.path.dirname(value) == mount and
                            os.path.basename(value) in
                            self.kind("Secret")["stringData"],
                            f"kubernetes.yaml: {key} names no secret")
        yield "kubernetes.yaml", self.mounted(values, mount)
        lines = re.findall(r"^#?Environment=(\w+)=(.*)$", self.unit, re.M)
        credentials = re.findall(r"^#?LoadCredential=(\w+):", self.unit, re.M)
        for key, value in lines:
            if key.endswith("_FILE"):
                self.expect(value[:3] == "%d/" and value[3:] in credentials,
                            f"corgi.service: {key} names no credential")
        yield "corgi.service", self.mounted(dict(lines), "%d")

    def mounted(self, values, mount):
        env = {key: value.replace(mount, self.secrets)
               for key, value in values.items()}
        env["CORGI_DATA_DIR"] = self.path("data")
        env["PATH"] = PATH
        return env

    def settings(self):
        program = os.path.join(self.build, "corgictl")
        for name, env in self.environments():
            status, said = run(program, "config", env=env)
            self.expect(status == 0, f"{name}: {said}")
            status, said = run(program, "config",
                               env={**env, "CORGI_TRUSTED_PROXY": "::1"})
            self.expect(status != 0, f"{name}: an unknown name is taken")

    def modes(self):
        """Secrets as they are mounted can be read by the image's user."""
        if os.getuid() != 0:
            print("  left out: who may read secrets (needs root)")
            return
        program = shutil.copy(os.path.join(self.build, "corgictl"),
                              self.path("corgictl"))
        rows = [("compose", 0, 0o444, True), ("Kubernetes", 10001, 0o440, True),
                ("root's alone", 0, 0o400, False),
                ("another group's", 0, 0o440, False)]
        for name, group, mode, good in rows:
            path = self.write("key", KEY, mode)
            os.chown(path, 0, group)
            status, said = run(
                "setpriv", "--reuid=10001", "--regid=10001", "--clear-groups",
                program, "config", env={
                    "PATH": PATH, "JWT_SECRET_KEY_FILE": path,
                    "CORGI_DATA_DIR": self.path("data")})
            self.expect((status == 0) == good, f"{name}: {said}")

    # The service itself.

    @contextlib.contextmanager
    def service(self, flavour, env, *before, user=0):
        """Kore with the module of that flavour, in a folder of its own."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = tempfile.mkdtemp(dir=self.folder)
        conf = replaced(read("kore.conf"), "0.0.0.0 8888", f"127.0.0.1 {port}")
        with open(os.path.join(folder, "kore.conf"), "w") as file:
            file.write(conf)
        shutil.copytree(os.path.join(ROOT, "conf"),
                        os.path.join(folder, "conf"))
        shutil.copy(os.path.join(self.build, flavour, "corgi", "corgi.so"),
                    folder)
        if user:
            os.chown(folder, user, user)
        with open(os.path.join(folder, "log"), "w+") as log:
            process = subprocess.Popen(
                [*before, "kore", "-fnr", "-c", "kore.conf"], cwd=folder,
                env={"PATH": PATH,
                     "CORGI_DATA_DIR": os.path.join(folder, "data"), **env},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield process, port, log
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    self.failures.append("the service does not end")

    def answers(self, process, port):
        """Whether a login comes to be answered."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/login",
            b'{"username": "cosmo", "password": "space-corgi"}',
            {"Content-Type": "application/json"})
        end = time.monotonic() + 15
        while process.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status == 200
            except OSError:
                time.sleep(0.1)
        return False

    def volume(self):
        """Kubernetes' volume may be written by its group; Corgi's own folder
        within it is nobody else's. (In the volume itself it would warn.)"""
        if os.getuid() != 0:
            return
        volume = self.path("volume")
        os.mkdir(volume)
        os.chown(volume, 0, 10001)
        os.chmod(volume, 0o2777)
        key = self.write("volume.key", KEY, 0o440)
        os.chown(key, 0, 10001)
        for folder, warned in ((volume + "/corgi", False), (volume, True)):
            env = {"JWT_SECRET_KEY_FILE": key, "CORGI_DATA_DIR": folder}
            with self.service("", env, "setpriv", "--reuid=10001",
                              "--regid=10001", "--clear-groups",
                              "--bounding-set=-all", "--no-new-privs",
                              user=10001) as (process, port, log):
                good = self.answers(process, port)
                log.seek(0)
                said = log.read()
                self.expect(good, f"{folder}: {said}")
                self.expect(("may be written" in said) == warned,
                            f"{folder}: {said}")

    def placeholders(self):
        """What is to be replaced in the Secret keeps it from starting."""
        for key in (self.kind("Secret")["stringData"]["jwt_secret"], KEY):
            env = {"JWT_SECRET_KEY": key}
            with self.service("prod", env) as (process, _, log):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15 if key != KEY else 1)
                self.expect((process.poll() is None) == (key == KEY),
                            f"{key}: {process.poll()}")
                log.seek(0)
                self.expect(("JWT_SECRET_KEY" in log.read()) == (key != KEY),
                            f"{key}: the log")

    def confinement(self):
        """The unit's filter lets the service do what it has to; another one,
        without sockets, does not."""
        rows = [(self.unit, True),
                (self.unit + "SystemCallFilter=~@network-io\n", False)]
        for text, good in rows:
            path = self.write("confined.service", text)
            with self.service("", {"JWT_SECRET_KEY": KEY}, "/usr/bin/python3",
                              CONFINED, path) as (process, port, log):
                answered = self.answers(process, port)
                log.seek(0)
                self.expect(answered == good, log.read())

    def sandbox(self):
        """What the workers' own filter lets through, the unit's does, too."""
        source = read("src/http/sandbox.c").split("#if defined(__SANITIZE")[0]
        calls = set(re.findall(r"KORE_SYSCALL_ALLOW(?:_ARG)?\((\w+)", source))
        self.expect(len(calls) > 20, "no filter in src/http/sandbox.c")
        unit = confined.settings(os.path.join(DEPLOY, "corgi.service"))
        missing = calls - confined.allowed(unit["SystemCallFilter"])
        self.expect(missing <= FOR_ROOT, f"corgi.service refuses {missing}")
        narrow = confined.allowed(unit["SystemCallFilter"] + ["~@network-io"])
        self.expect("connect" in calls - narrow, "nothing can be missing")

    def run(self):
        try:
            for part in (self.validators, self.image, self.times,
                         self.settings, self.modes, self.volume,
                         self.placeholders, self.sandbox, self.confinement):
                part()
        finally:
            shutil.rmtree(self.folder)
        for words in self.failures:
            print(f"FAILED: {words}")
        print(f"{self.count} expectations, {len(self.failures)} failed")
        return 1 if self.failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(Check(sys.argv[1]).run())
