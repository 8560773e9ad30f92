"""What the figures were measured on, and with which versions."""
import os
import platform
import re
import subprocess
import time


def _field(path, name):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":" if ":" in line else "=")
                if key.strip() == name:
                    return value.strip().strip('"')
    except OSError:
        pass
    return "unknown"


def _version(*command):
    """The first thing like a version that a program prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              check=False, timeout=10)
    except OSError:
        return "unknown"
    found = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
    return found.group(0) if found else "unknown"


def _package(name):
    return _version("dpkg-query", "-W", "-f", "${Version}", name)


def _modules(path):
    """Versions of the Node modules that are installed."""
    names = ("fastify", "@fastify/jwt", "express", "jsonwebtoken")
    found = {}
    for name in names:
        file = os.path.join(path, "node_modules", name, "package.json")
        found[name] = _field(file, '"version"').strip(',"')
    return found


def _peers(node_folder):
    return {
        "nginx": _package("nginx"),
        "njs": _package("libnginx-mod-http-js"),
        "libmicrohttpd": _package("libmicrohttpd12"),
        "Go": _version("go", "version"),
        "golang-jwt": _package("golang-github-golang-jwt-jwt-dev"),
        "Node": _version("node", "--version"),
        **_modules(node_folder),
        "Python": _package("python3"),
        "gunicorn": _package("gunicorn"),
        "PyJWT": _package("python3-jwt"),
    }


def describe(node_folder):
    """node_folder: where the peers' modules are; None: there are no peers."""
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    virtual = "hypervisor" in _field("/proc/cpuinfo", "flags").split()
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "virtual": virtual,
        "memory_gib": round(gib, 1),
        "kernel": platform.release().partition("-")[0],
        "system": _field("/etc/os-release", "PRETTY_NAME"),
        "date": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2),
        "versions": {
            "kore": _package("kore"),
            "libjwt": _package("libjwt0"),
            "OpenSSL": _package("libssl3"),
            **(_peers(node_folder) if node_folder else {}),
        },
    }
