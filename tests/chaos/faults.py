# SPDX-License-Identifier: Apache-2.0
"""Faults that are inflicted on the daemon: each a function of the node and a random generator; load runs meanwhile.

The cause is gone when the function returns. A cause that does not go by itself, such as a full disk, lasts for a while,
and the daemon has to recover afterwards. `Fault.may_miss`: a hook may find no listener at the socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from lab.service import SERVICE
from node import STATE_DIR, BrokenPromise, Node

SOURCE = "/usr/lib/traceloop/traceloop_bpf/tracer.bpf.c"
_CAUSE_S = 3.0
_FILLER = f"{STATE_DIR}/filler"
_FILL = f"cat /dev/zero >{_FILLER} 2>/dev/null || :"


@dataclass(frozen=True)
class Fault:
    name: str
    inflict: Callable[[Node, Random], None]
    may_miss: bool = False


def _signal(node: Node, name: str) -> None:
    node.lab.run("systemctl", "kill", "--kill-whom=main", f"--signal={name}", SERVICE, check=False)


def _kill(node: Node, _: Random) -> None:
    _signal(node, "KILL")


def _segfault(node: Node, _: Random) -> None:
    _signal(node, "SEGV")


def _kill_again(node: Node, chance: Random) -> None:
    for _ in range(3):
        _signal(node, "KILL")
        time.sleep(chance.uniform(0.1, 1.5))  # hits a random moment of its start
    _signal(node, "KILL")


def _freeze(node: Node, _: Random) -> None:
    _signal(node, "STOP")
    time.sleep(5)
    _signal(node, "CONT")


def _watchdog(node: Node, _: Random) -> None:
    with node.service.drop_in("[Service]\nWatchdogSec=5\n"):
        node.lab.run("systemctl", "restart", SERVICE)
        since = node.lab.since_now()
        _signal(node, "STOP")
        node.lab.wait_for_journal(since, f"UNIT={SERVICE}", "UNIT_RESULT=watchdog")
    node.lab.run("systemctl", "restart", SERVICE)


def _restart(node: Node, _: Random) -> None:
    node.lab.run("systemctl", "restart", SERVICE)


def _reexec(node: Node, _: Random) -> None:
    node.lab.run("systemctl", "daemon-reexec")
    _signal(node, "KILL")


def _full(node: Node, _: Random) -> None:
    node.lab.run("sh", "-c", _FILL)
    time.sleep(_CAUSE_S)
    node.lab.run("rm", _FILLER)


def _full_and_killed(node: Node, _: Random) -> None:
    node.lab.run("sh", "-c", _FILL)
    time.sleep(_CAUSE_S)
    _signal(node, "KILL")
    time.sleep(_CAUSE_S)
    node.lab.run("rm", _FILLER)


def _full_and_restarted(node: Node, _: Random) -> None:
    node.lab.run("sh", "-c", _FILL)
    time.sleep(_CAUSE_S)
    node.lab.run("systemctl", "restart", SERVICE)
    node.lab.run("rm", _FILLER)


def _little_room(node: Node, chance: Random) -> None:
    node.lab.run("sh", "-c", f"{_FILL}; truncate --size=-{chance.randrange(4, 200)}K {_FILLER}")
    time.sleep(_CAUSE_S)
    node.lab.run("rm", _FILLER)


def _no_inodes(node: Node, _: Random) -> None:
    # Twenty more: the load makes some meanwhile, and the kernel refuses a limit below the number in use.
    used = node.lab.run("sh", "-c", f"df --output=iused {STATE_DIR} | tail -1").stdout.strip()
    node.lab.run("mount", "-o", f"remount,nr_inodes={int(used) + 20}", STATE_DIR)
    time.sleep(_CAUSE_S)
    node.lab.run("mount", "-o", "remount,nr_inodes=1000000", STATE_DIR)


def _read_only(node: Node, _: Random) -> None:
    # The remount fails with EBUSY while a trace is being written.
    node.lab.run("sh", "-c", f"until mount -o remount,ro {STATE_DIR} 2>/dev/null; do :; done")
    time.sleep(_CAUSE_S)
    node.lab.run("mount", "-o", "remount,rw", STATE_DIR)


def _sockets(node: Node, _: Random) -> None:
    node.lab.run("sh", "-c", "rm -f /run/traceloop/*.sock")


def _sockets_and_killed(node: Node, _: Random) -> None:
    node.lab.run("sh", "-c", "rm -f /run/traceloop/*.sock")
    _signal(node, "KILL")


def _archived(node: Node, chance: Random) -> tuple[str, str]:
    # Returns an archived trace and its file.
    traces = [trace for trace in node.check(None)["list"] if trace["state"] == "archived"]
    if not traces:
        raise BrokenPromise("nothing is archived")
    trace = chance.choice(traces)["id"]
    return trace, f"{STATE_DIR}/{trace}.trace"


def _harm(node: Node, trace: str, file: str, script: str, *, restart: bool) -> None:
    # Damages the file, checks that the trace is reported damaged, restores the file, and checks that the trace is
    # whole.
    node.lab.run("cp", "-p", file, f"{file}.saved")
    node.lab.run("sh", "-euc", script, "sh", file)
    if restart:
        _signal(node, "KILL")
        node.wait_until_it_serves()
    shown = node.service.ctl("show", trace, "-o", "jsonl", check=False)
    (state,) = [each["state"] for each in node.check(None)["list"] if each["id"] == trace]
    node.lab.run("mv", f"{file}.saved", file)
    if restart:  # of a file whose head was unreadable at start, the daemon knows only the id
        _signal(node, "KILL")
        node.wait_until_it_serves()
    if shown.returncode != 1 or len(shown.stderr.splitlines()) != 1 or "Traceback" in shown.stderr:
        raise BrokenPromise(f"show of a harmed file: {shown.returncode}, {shown.stderr}")
    if state not in ("truncated", "error"):
        raise BrokenPromise(f"a harmed file's trace is listed as {state}")
    again = node.service.ctl("show", trace, "-o", "jsonl", check=False)
    if again.returncode:
        raise BrokenPromise(f"show of a file that was put back: {again.returncode}, {again.stderr}")


def _truncate(node: Node, chance: Random) -> None:
    trace, file = _archived(node, chance)
    size = int(node.lab.run("stat", "--format=%s", file).stdout)
    script = f'truncate --size={chance.randrange(size)} "$1"'
    _harm(node, trace, file, script, restart=chance.random() < 0.5)


def _flip(node: Node, chance: Random) -> None:
    trace, file = _archived(node, chance)
    size = int(node.lab.run("stat", "--format=%s", file).stdout)
    at, bit = chance.randrange(size), 1 << chance.randrange(8)
    script = (
        f'python3 -c \'import sys; file = open(sys.argv[1], "r+b"); file.seek({at}); byte = file.read(1)[0]; '
        f'file.seek({at}); file.write(bytes([byte ^ {bit}]))\' "$1"'
    )
    _harm(node, trace, file, script, restart=chance.random() < 0.5)


def _step_clock(node: Node, chance: Random) -> None:
    for offset_s in (chance.randrange(1, 86_400), -chance.randrange(1, 86_400)):
        node.step_clock(offset_s)
        time.sleep(_CAUSE_S / 2)
    if chance.random() < 0.5:
        _signal(node, "KILL")
        time.sleep(_CAUSE_S / 2)
    node.step_clock(0)


def _upgrade(node: Node, chance: Random) -> None:
    source = node.lab.run("cat", SOURCE).stdout
    since = node.lab.since_now()
    number = chance.randrange(1 << 30)
    node.lab.write(SOURCE, f"{source}\nint on_nothing_{number}(void *ctx) {{ return 1; }}\n")
    node.lab.run("systemctl", "restart", SERVICE)
    exchanged = "MESSAGE=exchanged the recorder's programs for this version's, without a gap in the recordings"
    node.lab.wait_for_journal(since, "SYSLOG_IDENTIFIER=traceloopd", exchanged, timeout_s=60)


def _upgrade_and_killed(node: Node, chance: Random) -> None:
    source = node.lab.run("cat", SOURCE).stdout
    number = chance.randrange(1 << 30)
    node.lab.write(SOURCE, f"{source}\nint on_nothing_{number}(void *ctx) {{ return 1; }}\n")
    node.lab.run("systemctl", "restart", SERVICE)
    time.sleep(chance.uniform(0, 3))  # hits a moment between readiness and the end of the exchange
    _signal(node, "KILL")


FAULTS = (
    Fault("kill -9", _kill),
    Fault("a segmentation fault", _segfault),
    Fault("kill -9, four times while it starts", _kill_again),
    Fault("SIGSTOP for 5 s", _freeze),
    Fault("killed by the watchdog", _watchdog),
    Fault("systemctl restart", _restart),
    Fault("systemd re-executed, and kill -9", _reexec),
    Fault("full state directory", _full),
    Fault("full state directory, and kill -9", _full_and_killed),
    Fault("full state directory, and restart", _full_and_restarted),
    Fault("ENOSPC: little room", _little_room),
    Fault("ENOSPC: no inodes", _no_inodes),
    Fault("read-only state directory", _read_only),
    Fault("sockets removed", _sockets, may_miss=True),
    Fault("sockets removed, and kill -9", _sockets_and_killed, may_miss=True),
    Fault("an archive file truncated", _truncate),
    Fault("a bit flipped in an archive file", _flip),
    Fault("clock stepped", _step_clock),
    Fault("upgrade with another program", _upgrade),
    Fault("upgrade with another program, and kill -9", _upgrade_and_killed),
)
