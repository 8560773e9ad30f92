"""What /proc says about a server: all processes that it consists of."""
import os

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def tree(pid):
    """The process and all that descend from it."""
    children = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = _read(f"/proc/{name}/stat")
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(name))
    found = [pid]
    for process in found:
        found.extend(children.get(process, []))
    return found


def cpu(pid):
    """Processor time so far: (in ticks' precision, by thread in ns).

    The first counts utime and stime of the processes, of their threads that
    have ended and of their children that have been waited for. It moves in
    steps of a tick. The second is exact but knows the living only."""
    coarse = 0
    threads = {}
    for process in tree(pid):
        try:
            stat = _read(f"/proc/{process}/stat")
            living = os.listdir(f"/proc/{process}/task")
        except OSError:
            # One that has just ended.
            continue
        fields = stat.rpartition(")")[2].split()
        coarse += sum(int(field) for field in fields[11:15]) * TICK_NS
        for thread in living:
            path = f"/proc/{process}/task/{thread}/schedstat"
            try:
                threads[int(thread)] = int(_read(path).split()[0])
            except (OSError, IndexError):
                continue
    return coarse, threads


def cpu_between(before, after):
    """Nanoseconds; exact when the same threads lived all the time."""
    if before[1].keys() == after[1].keys() and after[1]:
        return sum(after[1].values()) - sum(before[1].values()), True
    return after[0] - before[0], False


def cpu_of_living(before, after):
    """The same of the threads alone that lived all the time: for a server
    that begins a process for whoever asks it what is to be measured."""
    return sum(after[1][thread] - used for thread, used in before[1].items()
               if thread in after[1])


def memory(pid):
    """Bytes of memory (PSS: what is shared counts for its part)."""
    total = 0
    for process in tree(pid):
        for line in _read(f"/proc/{process}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def descriptors(pid, kind):
    """How many open files of a process begin with this word."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith(kind)
        except OSError:
            continue
    return count
