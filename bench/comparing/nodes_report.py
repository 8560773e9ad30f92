"""Tables (Markdown) of one node and two."""
from statistics import median

from . import nodes, rounds
from .report import machine_lines, spread

HEADING = "## One node and two"

NAMES = {"warm": "guarded requests", "login": "logins",
         "refresh": "refreshes"}


def rate_lines(setups):
    yield ("| | per second | p99 ms | CPU ms per 1,000, nodes and database "
           "server |")
    yield "| --- | ---: | ---: | ---: |"
    for kind, name in NAMES.items():
        yield f"| *{name}* | | | |"
        for setup in setups:
            runs = setup["runs"][kind]
            cpu = [run["cpu_ms_per_1000"] for run in runs]
            form = ".1f" if median(cpu) < 100 else ",.0f"
            yield (f"| {setup['name']} "
                   f"| {spread([run['rate'] for run in runs], ',.0f')} "
                   f"| {median(run['p99'] for run in runs) / 1000:.1f} "
                   f"| {spread(cpu, form)} |")


def delay_lines(setups):
    yield ("| from the answer to a logout to the refusal | logouts "
           "| median ms | p99 ms | longest ms |")
    yield "| --- | ---: | ---: | ---: | ---: |"
    for setup in setups:
        delays = sorted(setup["delays"])
        if delays:
            yield (f"| {setup['name']} | {len(delays)} "
                   f"| {median(delays):.1f} "
                   f"| {delays[(len(delays) * 99 - 1) // 100]:.1f} "
                   f"| {delays[-1]:.1f} |")


def idle_lines(cost):
    alone, with_node = cost["alone"], cost["with_node"]
    yield ("| | connections | transactions/s | CPU of the server, ms/s "
           "| CPU of the node, ms/s |")
    yield "| --- | ---: | ---: | ---: | ---: |"
    yield f"| the server alone | 0 | 0 | {alone['cpu_ms']:.2f} | |"
    yield (f"| with one idle node | {with_node['connections']} "
           f"| {with_node['transactions']:.1f} | {with_node['cpu_ms']:.2f} "
           f"| {cost['node_cpu_ms']:.2f} |")


def section(raw):
    settings = raw["settings"]
    yield HEADING
    yield ""
    yield f"    make bench-nodes{' QUICK=1' if settings['quick'] else ''}"
    yield ""
    yield from machine_lines(raw)
    yield ""
    yield (f"Two workers a node; nodes, the PostgreSQL server (15, with "
           "syncs), and clients share the processors, so a second node brings "
           "none: the table shows what it costs. "
           f"{rounds.CONNECTIONS} connections in all, for logins "
           f"{nodes.LOGIN_CONNECTIONS}; "
           f"{settings['rounds']} rounds of {settings['seconds']:g} s in "
           "turn, every other one backwards; **median** (minimum–maximum).")
    yield ""
    yield from rate_lines(raw["setups"])
    logins, guarded, pace = nodes.LOAD
    yield ""
    yield (f"Logouts on one node and use on the other, beside {logins} "
           f"clients at each that log in and {guarded} with {pace} guarded "
           "requests/s (a file is looked at ten times a second):")
    yield ""
    yield from delay_lines(raw["setups"])
    yield ""
    yield (f"What is asked of the server while nobody asks the node, over "
           f"{settings['idle_seconds']} s:")
    yield ""
    yield from idle_lines(raw["idle"])
