"""Tables (Markdown) of what was measured."""
from statistics import median

TITLES = {
    "open": "Without a guard",
    "warm": "Guarded, the same token",
    "cold": "Guarded, another token each time",
    "login": "Login",
    "refresh": "Refresh",
}
HEADING = "## Against peers"


def values(row, name):
    return [run[name] for run in row["runs"]]


def spread(numbers, form):
    low, high = min(numbers), max(numbers)
    return (f"**{median(numbers):{form}}** ({low:{form}}"
            f"–{high:{form}})")


def middle(row, name="cpu_ms_per_1000"):
    return median(values(row, name))


def find(table, key, kind):
    for row in table["rows"]:
        if row["key"] == key and row["kind"] == kind:
            return row
    return None


def peers(table, kind, floors=False):
    return [row for row in table["rows"] if row["kind"] == kind
            and not row["corgi"] and (floors or not row["floor"])]


def cheapest(rows):
    return min(rows, key=middle)


def title(row):
    if row["corgi"]:
        return {"open": "**Corgi** `/health`",
                "login": "**Corgi** `/login`",
                "refresh": "**Corgi** `/refresh`"}.get(
                    row["kind"], "**Corgi** `/protected`")
    if row["kind"] == "open" and row["key"] == "nginx":
        return "nginx, `return 200`"
    if row["kind"] == "open":
        return row["name"].partition(" + ")[0] + (
            ", a floor" if row["floor"] else "")
    return row["name"]


def table_lines(table):
    yield ("| | CPU ms per 1,000 requests | requests/s | p50 µs | p99 µs "
           "| memory MB |")
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for kind in TITLES:
        rows = [row for row in table["rows"] if row["kind"] == kind]
        if not rows:
            continue
        yield f"| *{TITLES[kind]}* | | | | | |"
        for row in sorted(rows, key=middle):
            cpu = middle(row)
            form = ".2f" if cpu < 100 else ".0f"
            mb = [value / 1e6 for value in values(row, "pss")]
            yield (f"| {title(row)} "
                   f"| {spread(values(row, 'cpu_ms_per_1000'), form)} "
                   f"| {spread(values(row, 'rate'), ',.0f')} "
                   f"| {middle(row, 'p50'):,.0f} "
                   f"| {middle(row, 'p99'):,.0f} "
                   f"| {median(mb):.1f} |")


def ratio(one, other):
    """Round by round: what the machine did meanwhile fell on both."""
    pairs = zip(values(one, "cpu_ms_per_1000"),
                values(other, "cpu_ms_per_1000"))
    numbers = [a / b for a, b in pairs]
    return spread(numbers, ".2f")


def ratio_lines(table):
    warm = find(table, "corgi", "warm")
    cold = find(table, "corgi", "cold")
    health = find(table, "corgi", "open")
    lean = cheapest(peers(table, "open"))
    guarded = cheapest(peers(table, "warm"))
    yield ("| CPU of Corgi's `/protected`, round by round | times |")
    yield "| --- | ---: |"
    yield f"| same token, beside its own `/health` | {ratio(warm, health)} |"
    yield ("| same token, beside the leanest peer without a guard "
           f"({title(lean)}) | {ratio(warm, lean)} |")
    yield ("| same token, beside the leanest guarded peer "
           f"({title(guarded)}) | {ratio(warm, guarded)} |")
    if cold is not None:
        other = cheapest(peers(table, "cold"))
        yield ("| another token each, beside the leanest guarded peer "
               f"({title(other)}) | {ratio(cold, other)} |")
        mhd = find(table, "mhd", "cold")
        if mhd is not None and mhd is not other:
            yield ("| another token each, beside libmicrohttpd + libjwt "
                   f"| {ratio(cold, mhd)} |")


def machine_lines(raw):
    machine = raw["machine"]
    kind = "virtual machine" if machine["virtual"] else "machine"
    versions = ", ".join(f"{name} {version}" for name, version
                         in machine["versions"].items())
    yield (f"{machine['cpu']}, {machine['cores']} cores ({kind}), "
           f"{machine['memory_gib']:.0f} GiB; {machine['system']}, Linux "
           f"{machine['kernel']}; {machine['date']}, load "
           f"{machine['load']} before the start.")
    yield ""
    yield versions + "."


def place(table):
    count = table["workers"]
    workers = "One worker" if count == 1 else f"{count} workers or processes"
    if not table["server_cpus"]:
        return f"{workers}; servers and client share the processor."
    on = ("a processor of its own" if count == 1
          else f"{len(table['server_cpus'])} processors")
    return f"{workers} on {on}; the client " + (
        "on another." if table["client_cpus"] else "shares them.")


def section(raw):
    settings = raw["settings"]
    yield HEADING
    yield ""
    yield f"    make bench{' QUICK=1' if settings['quick'] else ''}"
    yield ""
    yield from machine_lines(raw)
    yield ""
    yield (f"{settings['connections']} connections kept alive, one request "
           "at a time on each; "
           f"{settings['rounds']} rounds of {settings['seconds']:g} s in "
           "turn, every other one backwards; **median** (minimum–maximum). "
           "CPU is that of all processes of a server; memory (PSS) is "
           "theirs after the run. All of them take the same token, signed "
           "with one HS256 key, and have refused bad ones before. The "
           "programs are in `bench/peers/`.")
    for table in raw["tables"]:
        yield ""
        yield "### " + ("One worker" if table["workers"] == 1
                        else f"{table['workers']} workers")
        yield ""
        yield place(table)
        yield ""
        yield from table_lines(table)
        yield ""
        yield from ratio_lines(table)
        if table["hash"]:
            login = values(find(table, "corgi", "login"), "rate")
            shares = [100 * rate / limit
                      for rate, limit in zip(login, table["hash"])]
            yield ""
            yield (f"argon2id alone: {spread(table['hash'], '.1f')} "
                   "verifications/s there, one thread a processor, measured "
                   f"before each run; `/login` reaches {spread(shares, '.0f')} % "
                   "of it.")
