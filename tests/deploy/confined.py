#!/usr/bin/python3
"""Run a command under the system call filter of a systemd unit.

    tests/deploy/confined.py UNIT COMMAND...

SystemCallFilter=, SystemCallErrorNumber=, RestrictAddressFamilies= and
MemoryDenyWriteExecute= of the unit, put into force here as systemd does it; and
no new privileges, no core. What is on the unit's list is asked of
`systemd-analyze syscall-filter`.
"""

import errno
import mmap
import os
import re
import resource
import socket
import subprocess
import sys

import seccomp

# What systemd itself lets every service do.
DEFAULT = ["@default"]


def settings(path):
    """Names with all their values, in order."""
    found = {}
    with open(path) as unit:
        for line in unit:
            match = re.match(r"([A-Za-z]+)=(.*)", line.rstrip("\n"))
            if match:
                found.setdefault(match.group(1), []).append(match.group(2))
    return found


def members(group):
    """The system calls of a group, those of its groups included."""
    text = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", group], check=True,
        stdout=subprocess.PIPE, universal_newlines=True).stdout
    words = [line.split()[0] for line in text.splitlines()
             if line.startswith("    ") and not line.strip().startswith("#")]
    return expand(words)


def expand(words):
    calls = set()
    for word in words:
        calls |= members(word) if word.startswith("@") else {word}
    return calls


def allowed(values):
    calls = expand(DEFAULT)
    for value in values:
        if value.startswith("~"):
            calls -= expand(value[1:].split()) - expand(DEFAULT)
        else:
            calls |= expand(value.split())
    return calls


def confine(unit):
    number = getattr(errno, unit["SystemCallErrorNumber"][-1])
    refused = seccomp.ERRNO(number)
    rules = seccomp.SyscallFilter(defaction=refused)
    calls = allowed(unit["SystemCallFilter"])
    families = [getattr(socket, name)
                for name in unit["RestrictAddressFamilies"][-1].split()]
    conditional = {"socket", "mmap", "mprotect"}
    for call in sorted(calls - conditional):
        try:
            rules.add_rule(seccomp.ALLOW, call)
        except (RuntimeError, ValueError, OSError):
            # Not a call of this machine.
            continue
    if "socket" in calls:
        for family in families:
            rules.add_rule(seccomp.ALLOW, "socket",
                           seccomp.Arg(0, seccomp.EQ, family))
    code = mmap.PROT_EXEC
    both = mmap.PROT_EXEC | mmap.PROT_WRITE
    rules.add_rule(seccomp.ALLOW, "mprotect",
                   seccomp.Arg(2, seccomp.MASKED_EQ, code, 0))
    for bits in (0, mmap.PROT_EXEC, mmap.PROT_WRITE):
        rules.add_rule(seccomp.ALLOW, "mmap",
                       seccomp.Arg(2, seccomp.MASKED_EQ, both, bits))
    rules.load()


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: confined.py UNIT COMMAND...")
    unit = settings(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    confine(unit)
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
