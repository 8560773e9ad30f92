"""Tables (Markdown) of cost against size."""
import re
from statistics import median

from .report import machine_lines, spread

HEADING = "## Cost against size"


def _of(runs, name, form):
    return spread([run[name] for run in runs], form)


def _cpu(runs):
    numbers = [run["cpu_ms_per_1000"] for run in runs]
    return spread(numbers, ".2f" if median(numbers) < 100 else ".0f")


def token_lines(levels):
    yield ("| bytes of the token | the same token: CPU ms per 1,000 | "
           "another each: CPU ms per 1,000 |")
    yield "| ---: | ---: | ---: |"
    for level in levels:
        yield (f"| {level['size']:,} | {_cpu(level['warm'])} "
               f"| {_cpu(level['cold'])} |")


def worker_lines(levels):
    names = {"open": "`/health`", "warm": "`/protected`, same token",
             "cold": "`/protected`, another each", "login": "`/login`",
             "refresh": "`/refresh`"}
    yield "| workers | request | CPU ms per 1,000 | requests/s | p99 µs |"
    yield "| ---: | --- | ---: | ---: | ---: |"
    for kind, name in names.items():
        for level in levels:
            runs = level[kind]
            yield (f"| {level['workers']} | {name} | {_cpu(runs)} "
                   f"| {_of(runs, 'rate', ',.0f')} "
                   f"| {median(run['p99'] for run in runs):,.0f} |")


def connection_lines(levels):
    yield ("| idle connections | memory (PSS, MB) | bytes for each "
           "| sockets of the workers | CPU ms per 1,000 requests of others "
           "| p50 µs |")
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    for level in levels:
        count = level["connections"]
        held = [idle["held"] / 1e6 for idle in level["idle"]]
        each = [(idle["held"] - idle["before"]) / count
                for idle in level["idle"]]
        # Some of a worker's sockets are its own.
        sockets = level["idle"][-1]["sockets"]
        yield (f"| {count:,} | {spread(held, '.1f')} "
               f"| {spread(each, ',.0f') if count >= 1000 else '–'} "
               f"| {', '.join(f'{number:,}' for number in sockets)} "
               f"| {_cpu(level['busy'])} "
               f"| {median(run['p50'] for run in level['busy']):,.0f} |")


def user_lines(levels):
    """From what bench/users prints: ten accounts beside many, in turns."""
    yield ("| accounts | look-up µs | beside 10 | login ms | beside 10 |")
    yield "| ---: | ---: | ---: | ---: | ---: |"
    few = None
    rows = []
    for level in levels:
        numbers = [re.findall(r"[-+]?\d+\.\d+", line)
                   for line in level["text"].splitlines()]
        few_lookup, lookup, few_login, login = (
            found for found in numbers if len(found) >= 3)
        few = few or (few_lookup, few_login)
        rows.append((f"{level['users']:,}", lookup, f"{lookup[3]} %",
                     login, f"{login[3]} %"))
    rows.insert(0, ("10", few[0], "", few[1], ""))
    for name, lookup, more, login, longer in rows:
        lookup, login = (f"**{n[0]}** ({n[1]}–{n[2]})"
                         for n in (lookup, login))
        yield f"| {name} | {lookup} | {more} | {login} | {longer} |"


def section(raw):
    settings = raw["settings"]
    yield HEADING
    yield ""
    yield f"    make bench-scale{' QUICK=1' if settings['quick'] else ''}"
    yield ""
    yield from machine_lines(raw)
    yield ""
    yield (f"{settings['rounds']} rounds of {settings['seconds']:g} s in "
           "turn; **median** (minimum–maximum). CPU is the service's; 64 "
           "connections and one worker where nothing else is said.")
    parts = (
        ("Tokens", "tokens", token_lines, "One worker."),
        ("Workers", "workers", worker_lines,
         "Each worker on a processor of its own; where none is left for the "
         "client, it shares them. The hashing threads of all workers "
         "together are as many as processors."),
        ("Connections", "connections", connection_lines,
         "Two workers, which share the processors with the client. Idle "
         "connections have had one answer each. The memory is the "
         "processes'; what the kernel keeps for a socket is not in it. The "
         "sockets of a worker include some of its own, as its listener. The "
         "others are 64 connections in use, asking for `/health`. The limits "
         "are those that the service comes with; a connection takes memory "
         "when it comes, not before."),
        ("Accounts", "users", user_lines,
         "In the process, without HTTP (`make bench-users`)."),
    )
    for name, key, lines, words in parts:
        yield from ("", f"### {name}", "", words, "")
        yield from lines(raw[key])
    yield from ("", "### Revocations", "",
                "In the process, a token that the cache knows, without HTTP "
                "(`make bench-revocation`).", "")
    yield from raw["revocations"].rstrip().splitlines()
