"""Who takes part, and how each is started."""
import json
import os
import shutil
import subprocess

from . import check
from .place import save
from .server import Problem, environment

NGINX_MODULE = "/usr/lib/nginx/modules/ngx_http_js_module.so"
KORE_ROUTES = "domain * {\n\tattach main\n\troute / handle_bare\n}\n"


class Contestant:
    """key: in file names; corgi: one of our own; floor: does no work."""

    open_path = "/health"
    open_body = {"status": "ok"}
    guarded_path = "/protected"
    floor = False
    cached = False
    warm_up = 0

    def __init__(self, key, name):
        self.key = key
        self.name = name

    def command(self, server):
        """The command line and what is added to its environment."""
        raise NotImplementedError

    def needs(self, place):
        """Files without which it cannot run."""
        return []


def kore_conf(server, module, bind, rest):
    return save(server.path("kore.conf"), f"""load {module}
workers {server.workers}
worker_set_affinity 0
pidfile {server.path("kore.pid")}
server main {{
	bind 127.0.0.1 {bind}
	tls no
}}
{rest}""")


class Corgi(Contestant):
    """The service itself, in production flavour."""

    accounts = 64
    password = "space-corgi"

    def __init__(self, key="corgi", name="Corgi", settings=None, data=None):
        """data: a folder that it shares with another; None: its own."""
        super().__init__(key, name)
        self.settings = settings or {}
        self.data = data

    def needs(self, place):
        return [place.built("corgi/corgi.so"), place.built("corgictl")]

    def command(self, server):
        conf = os.path.join(server.place.root, "conf")
        path = kore_conf(
            server, server.place.built("corgi/corgi.so"),
            f"{server.port} front_connect",
            f"include {conf}/limits.conf\n"
            f"include {conf}/routes.conf\n")
        if not os.path.exists(self._data(server)):
            self.make_accounts(server)
        # Tokens that last for as long as the bench, and no login that ends an
        # older session of its account.
        return ["kore", "-fnr", "-c", path], {
            "CORGI_DATA_DIR": self._data(server),
            "CORGI_SESSIONS_PER_USER": "0",
            "JWT_ACCESS_TOKEN_EXPIRES": "1d", **self.settings}

    def _data(self, server):
        return self.data or server.path("data")

    def names(self):
        return [f"cosmo{number}" for number in range(self.accounts)]

    def make_accounts(self, server):
        lines = "".join(json.dumps(
            {"username": name, "password": self.password}) + "\n"
            for name in ("cosmo", *self.names()))
        done = subprocess.run(
            [server.place.built("corgictl"), "user", "import", "-",
             "--data-dir", self._data(server)],
            input=lines, text=True, capture_output=True, check=False,
            env=environment(**self.settings))
        if done.returncode != 0:
            raise Problem("no accounts: " + done.stderr)

    def login(self, server, name):
        status, body = server.ask("/login", body=json.dumps(
            {"username": name, "password": self.password}))
        if status != 200:
            raise Problem(f"Corgi: a login of {name}: {status} {body!r}")
        return json.loads(body)

    def prepare_load(self, server):
        """Files for the client: bodies of logins, one refresh token each."""
        bodies = save(server.path("logins"), "".join(json.dumps(
            {"username": name, "password": self.password}) + "\n"
            for name in self.names()))
        refresh = save(server.path("refresh"), "".join(
            self.login(server, name)["refresh_token"] + "\n"
            for name in self.names()))
        return bodies, refresh


class BareKore(Contestant):
    open_path = "/"
    open_body = b"ok\n"
    guarded_path = None
    floor = True

    def needs(self, place):
        return [place.built("bench/bare.so")]

    def command(self, server):
        return ["kore", "-fnr", "-c", kore_conf(
            server, server.place.built("bench/bare.so"), server.port,
            KORE_ROUTES)], {}


class Node(Contestant):
    """Its compiler looks at a program for a while before it goes to work."""

    warm_up = 2

    def __init__(self, key, name, program, cached=False):
        super().__init__(key, name)
        self.program = program
        self.cached = cached

    def needs(self, place):
        return [place.built("bench/node/node_modules/.package-lock.json")]

    def command(self, server):
        return ["node", server.place.peer(f"node/{self.program}")], {
            "NODE_ENV": "production",
            "NODE_PATH": server.place.built("bench/node/node_modules"),
            "JWT_CACHE": "1" if self.cached else "0"}


class Go(Contestant):
    def needs(self, place):
        return [place.built("bench/peer_go")]

    def command(self, server):
        return [server.place.built("bench/peer_go")], {
            "GOMAXPROCS": str(server.workers)}


class Gunicorn(Contestant):
    """Threads, because its plain workers keep no connection."""

    def command(self, server):
        return ["gunicorn", "--worker-class", "gthread", "--threads", "4",
                "--workers", str(server.workers), "--keep-alive", "75",
                "--log-level", "warning", "--worker-tmp-dir", "/dev/shm",
                "--bind", f"127.0.0.1:{server.port}",
                "--chdir", server.place.peer("gunicorn"), "app:app"], {
                    "PYTHONDONTWRITEBYTECODE": "1"}


class Nginx(Contestant):
    """One server is both the floor (its open route) and nginx with njs."""

    def needs(self, place):
        return [NGINX_MODULE]

    def command(self, server):
        paths = "".join(
            f"\t{name}_temp_path {server.path('temp')};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path = save(server.path("nginx.conf"), f"""
load_module {NGINX_MODULE};
worker_processes {server.workers};
daemon off;
pid {server.path("nginx.pid")};
error_log stderr error;
env JWT_SECRET_KEY;
events {{
	worker_connections 2048;
}}
http {{
	access_log off;
	keepalive_requests 1000000000;
{paths}
	js_path {server.place.peer("njs")};
	js_import guard from guard.js;
	server {{
		listen 127.0.0.1:{server.port};
		default_type application/json;
		location = /health {{
			return 200 '{{"status":"ok"}}';
		}}
		location = /protected {{
			js_content guard.guarded;
		}}
	}}
}}
""")
        return ["nginx", "-p", server.folder, "-e", "stderr", "-c", path], {}


class Microhttpd(Contestant):
    def needs(self, place):
        return [place.built("bench/peer_mhd")]

    def command(self, server):
        return [server.place.built("bench/peer_mhd"), str(server.port),
                str(server.workers)], {}


def all_of_them(place):
    """In the order of their first round; Corgi is the first."""
    everybody = [
        Corgi(),
        BareKore("kore", "Kore, a bare handler"),
        Nginx("nginx", "nginx + njs"),
        Microhttpd("mhd", "libmicrohttpd + libjwt"),
        Go("go", "Go net/http + golang-jwt"),
        Node("fastify", "Fastify + @fastify/jwt", "fastify.js"),
        Node("fastify-cache", "Fastify + @fastify/jwt, its cache on",
             "fastify.js", cached=True),
        Node("express", "Express + jsonwebtoken", "express.js"),
        Gunicorn("gunicorn", "gunicorn + PyJWT"),
    ]
    for contestant in everybody:
        for path in contestant.needs(place):
            if not os.path.exists(path):
                raise Problem(f"{contestant.name}: {path} is missing "
                              "(run `make bench`)")
    for program in ("kore", "nginx", "node", "gunicorn", "taskset"):
        if shutil.which(program) is None:
            raise Problem(f"{program} is not installed")
    return everybody


def check_everything(servers, key, issued):
    for server in servers:
        check.everything(server, key, issued)
