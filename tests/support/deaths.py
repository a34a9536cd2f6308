# SPDX-License-Identifier: Apache-2.0
"""Containers that die in known ways: the program of each, how its container differs, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from subprocess import Popen, TimeoutExpired
from typing import TYPE_CHECKING, Any, Final

from death_programs import (
    BAD_CONFIG,
    BIND,
    CAPABILITY,
    CHOWN,
    CONNECT,
    DAEMON,
    DISK,
    FORKS,
    GRACEFUL,
    HANDLES,
    HANG,
    HEALTHY,
    IGNORES,
    LEAK,
    LOCALE,
    MEMORY,
    NO_SUCH_HOST,
    POOL,
    PORTS,
    RESOLVE,
    SERVICE,
    THREADS,
    TLS,
    WORKER,
    ZONE,
)

if TYPE_CHECKING:
    from lab.deathbed import Deathbed

PYTHON = "/usr/bin/python3"
_GRACE_S: Final = 0.3
_HANGS_S: Final = 1.2
_COMPUTES_S: Final = 11
_KILLED: Final = r"^\S+ was ended by SIGKILL from runc"
Config = dict[str, Any]


@dataclass(frozen=True)
class Death:
    """A container's program, and what `why` must say of it. says: a regular expression; "" if nothing failed.

    then: what the sentences after it say, if their order matters; `says` is then the first one.
    change: of the container's configuration. during: what happens while it runs, and ends it. files: path, content and
    mode of files below /tmp; a path that ends in a slash is a directory. program: a workload, mounted at /tmp/NAME.
    shows: a regular expression for what `why -v` has too.
    """

    says: str
    args: Sequence[str]
    change: Callable[[Config], None] | None = None
    during: Callable[[Deathbed, str, Popen[str]], None] | None = None
    files: tuple[tuple[str, bytes, int], ...] = ()
    program: str = ""
    then: tuple[str, ...] = ()
    shows: str = ""


def python(says: str, code: str, **more: Any) -> Death:
    """Returns the death of a program on python's command line."""
    return Death(says, (PYTHON, "-c", code), **more)


def script(says: str, name: str, text: str, **more: Any) -> Death:
    """Returns the death of a program in a file of its own."""
    files = ((f"/tmp/{name}", text.encode(), 0o644), *more.pop("files", ()))
    return Death(says, (PYTHON, f"/tmp/{name}"), files=files, **more)


def _as_app(config: Config) -> None:
    config["process"]["user"] = {"uid": 1000, "gid": 1000}


def _memory(limit: int) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["linux"]["resources"] = {"memory": {"limit": limit, "swap": limit}}

    return change


def _pids(limit: int) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["linux"]["resources"] = {"pids": {"limit": limit}}

    return change


def _mounted(where: str, *options: str) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        mount = {"destination": where, "type": "tmpfs", "source": "tmpfs", "options": [*options]}
        config["mounts"].append(mount)
        if "mode=755" in options:
            _as_app(config)

    return change


def _seccomp(action: str, *names: str) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": [*names], "action": action}],
        }

    return change


def said(process: Popen[str], word: str) -> None:
    """Waits until a program has printed a word."""
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return
    raise AssertionError(f"the program did not print {word!r}")


def _stopped_then_killed(bed: Deathbed, name: str, process: Popen[str]) -> None:
    said(process, "ready")
    bed.runc("kill", name, "TERM")
    with suppress(TimeoutExpired):  # it ignores the signal
        process.wait(_GRACE_S)
    bed.runc("kill", name, "KILL")


def _killed(bed: Deathbed, name: str, process: Popen[str]) -> None:
    said(process, "ready")
    bed.hangs(name, process, _HANGS_S)
    bed.runc("kill", name, "KILL")


def _stopped_in_a_hang(bed: Deathbed, name: str, process: Popen[str]) -> None:
    # As kubelet does when a probe fails: SIGTERM, and SIGKILL after the grace period.
    said(process, "ready")
    bed.hangs(name, process, _HANGS_S)
    bed.runc("kill", name, "TERM")
    with suppress(TimeoutExpired):  # it hangs on
        process.wait(_GRACE_S)
    bed.runc("kill", name, "KILL")


def _killed_while_computing(bed: Deathbed, name: str, process: Popen[str]) -> None:
    said(process, "ready")
    with suppress(TimeoutExpired):  # it computes on; `why` names what lasts ten seconds
        process.wait(_COMPUTES_S)
    bed.runc("kill", name, "KILL")


def _terminated(bed: Deathbed, name: str, process: Popen[str]) -> None:
    said(process, "ready")
    bed.runc("kill", name, "TERM")


_FORBIDDEN: Final = "import os; os.mkdir('/tmp/forbidden')"
_ELF_OF_ARM: Final = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01" + bytes(203)

DEATHS: Final[dict[str, Death]] = {
    "missing-configuration": script(r"could not open /etc/shop/app\.ini: it does not exist", "service.py", SERVICE),
    "shared-library": Death(r"shared library libshopcore\.so\.3", ("/tmp/needs_library",), program="needs_library"),
    "wrong-architecture": Death(
        r"/tmp/app .*no program for this machine", ("/tmp/app",), files=(("/tmp/app", _ELF_OF_ARM, 0o755),)
    ),
    "crlf": Death(
        r"/tmp/start\.sh could not be executed although it is there: the interpreter",
        ("/tmp/start.sh",),
        files=(("/tmp/start.sh", b"#!/bin/sh\r\necho hello\r\n", 0o755),),
    ),
    "interpreter": Death(
        r"/tmp/start could not be executed although it is there: the interpreter",
        ("/bin/sh", "-c", "test -x /tmp/start && exec /tmp/start"),
        files=(("/tmp/start", b"#!/usr/bin/missing-node\n", 0o755),),
    ),
    "no-program": Death(r"The program /bin/nosuch does not exist", ("/bin/nosuch",)),
    "no-command": Death(
        r"sh did not find the program nosuchtool \(looked for in \d directories\)",
        ("/bin/sh", "-c", "nosuchtool --run"),
    ),
    "not-executable": Death(
        r'not started. Its runtime says: exec: "/tmp/app": permission denied',
        ("/tmp/app",),
        files=(("/tmp/app", b"#!/bin/sh\n", 0o644),),
    ),
    "directory-permission": python(
        r"may not use /tmp/private/app\.conf: this user may not search a directory on its way",
        "import os; os.stat('/tmp/private/app.conf') if os.path.exists('/tmp/private/app.conf') else open('/tmp/private/app.conf')",
        change=_as_app,
        files=(("/tmp/private/", b"", 0o700),),
    ),
    "volume-permission": python(
        r"may not open /data/orders: its owner and mode",
        "open('/data/orders', 'w')",
        change=_mounted("/data", "mode=755"),
    ),
    "connection-refused": script(
        r"could not connect to db\.internal:15432 \(127\.0\.0\.2:15432\): connection refused \(3 times\)",
        "shop.py",
        CONNECT,
    ),
    "dns": script(r"name server 127\.0\.0\.1:53 .* orders\.svc\.cluster\.local", "orders.py", RESOLVE),
    "no-such-host": script(
        r"db\.shop\.example does not exist, says the name server 127\.0\.0\.1:53", "lookup.py", NO_SUCH_HOST
    ),
    "invalid-configuration": script(
        r"after it had read /tmp/app\.json, and complained: invalid configuration",
        "main.py",
        BAD_CONFIG,
        files=(("/tmp/app.json", b'{"port": 80,}', 0o644),),
    ),
    "port-in-use": script(
        r"could not listen on 127\.0\.0\.1:18080: the address is in use \(python3, pid \d+ of this container",
        "server.py",
        BIND,
    ),
    "segfault": Death(
        r"faults crashed \(SIGSEGV\): .* writing at address 0x40 \(a null pointer\), by the instruction at 0x\w+ "
        r"\(/tmp/faults\+0x\w+\); its last call was write",
        ("/tmp/faults", "segv"),
        program="faults",
    ),
    "segfault-nowhere": Death(
        r"faults crashed \(SIGSEGV\): .* executing at address 0x1234; its last call was write",
        ("/tmp/faults", "jump"),
        program="faults",
    ),
    "segfault-of-a-child": Death(
        r"faults crashed \(SIGSEGV\)", ("/bin/sh", "-c", "/tmp/faults segv; exit $?"), program="faults"
    ),
    "abort": Death(r"faults aborted: it sent SIGABRT to itself", ("/tmp/faults", "abort"), program="faults"),
    "division": Death(
        r"faults crashed \(SIGFPE\): it made an arithmetic error, .*, by the instruction at 0x\w+ \(/tmp/faults\+0x\w+\)",
        ("/tmp/faults", "fpe"),
        program="faults",
    ),
    "out-of-memory": python(
        r"The kernel killed python3: out of memory: the container's limit is 30 MiB, and (29|30) MiB were used",
        MEMORY,
        change=_memory(30 << 20),
    ),
    "ignored-sigterm": python(
        r"^SIGTERM from runc \(pid \d+\) was ignored by process 1, python3: it has no handler; killed \d+\.\d s later by SIGKILL\.$",
        IGNORES,
        during=_stopped_then_killed,
    ),
    "graceful": python(
        r"python3 was asked to stop by SIGTERM from runc \(pid \d+\), and ended \d+\.\d s later with 0",
        GRACEFUL,
        during=_terminated,
    ),
    "hang": script(
        r"^python3 was waiting for \d\.\d s in recvfrom on 127\.0\.0\.1:\d+ when SIGKILL from runc ended it\.$",
        "hang.py",
        HANG,
        during=_killed,
        then=(_KILLED,),
    ),
    "hang-of-a-probed-pod": script(
        r"^python3 was waiting for \d\.\d s in recvfrom on 127\.0\.0\.1:\d+ when SIGTERM from runc asked it to stop\.$",
        "hang.py",
        HANG,
        during=_stopped_in_a_hang,
        then=(r"^SIGTERM from runc \(pid \d+\) was ignored by process 1, python3: it has no handler", _KILLED),
    ),
    "hang-that-handles-sigterm": script(
        r"^python3 was waiting for \d\.\d s in recvfrom on 127\.0\.0\.1:\d+ when SIGTERM from runc asked it to stop\.$",
        "hang.py",
        HANDLES,
        during=_stopped_in_a_hang,
        then=(r"^python3 was asked to stop by SIGTERM from runc \(pid \d+\), but still ran \d\.\d s later", _KILLED),
    ),
    "endless-loop": python(
        r"^python3 had made no system call for 1\d\.\d s when SIGKILL from runc ended it: it was computing",
        "print('ready', flush=True)\nwhile True: pass",
        during=_killed_while_computing,
        then=(_KILLED,),
    ),
    "leaked-connection": script(
        r"python3 was waiting for \d\.\d s in recvfrom on 127\.0\.0\.1:\d+", "pool.py", POOL, during=_killed
    ),
    "leaked-pipe": Death(
        r"sh was waiting for \d\.\d s for another process to write to it \(read of descriptor \d\)",
        ("/bin/sh", "-c", "echo ready; said=$(sleep 100 & echo started); echo $said"),
        during=_killed,
    ),
    "killed-in-a-function": Death(
        r"deep_fault was ended by SIGKILL from runc",
        ("/tmp/deep_fault", "wait"),
        during=_killed,
        program="deep_fault",
        shows=r"the stack, by frame pointers: \S+, /tmp/deep_fault\+0x\w+, /tmp/deep_fault\+0x\w+",
    ),
    "no-client": python(
        r"python3 was waiting for \d\.\d s for a client to connect \(accept4 of descriptor \d\)",
        "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print('ready', flush=True); s.accept()",
        during=_killed,
    ),
    "disk-full": script(
        r"could not write to /data/orders\.db: its file system \(tmpfs on /data, .*size=64k.*\) is full",
        "store.py",
        DISK,
        change=_mounted("/data", "size=64k"),
    ),
    "read-only": python(r"could not write /var\.log: the file system is read-only", "open('/var.log', 'w')"),
    "seccomp-kill": python(
        r'seccomp filter ended python3 because of mkdir\("/tmp/forbidden", 0777\)',
        _FORBIDDEN,
        change=_seccomp("SCMP_ACT_KILL_PROCESS", "mkdir", "mkdirat"),
    ),
    "seccomp-error": python(
        r"seccomp filter refused python3 the call mkdir on /tmp/forbidden",
        _FORBIDDEN,
        change=_seccomp("SCMP_ACT_ERRNO", "mkdir", "mkdirat"),
    ),
    "capability-bind": script(
        r"may not listen on 127\.0\.0\.1:80: .* CAP_NET_BIND_SERVICE", "web.py", CAPABILITY, change=_as_app
    ),
    "capability-chown": script(
        r"may not call chown on /tmp/data: that needs the capability CAP_CHOWN", "init.py", CHOWN
    ),
    "deadlock": script(
        r"^All 3 threads of python3 waited for each other .*: a deadlock",
        "locks.py",
        THREADS,
        during=_killed,
        then=(_KILLED,),
    ),
    "too-many-files": script(
        r"may not open more files or sockets: its limit is reached \(at least 1,0\d\d are open; of those known, it has open 1,0\d\d times /etc/hosts",
        "leak.py",
        LEAK,
    ),
    "ports-used-up": script(r"could not connect to 127\.0\.0\.1:\d+: no local port is left", "cache.py", PORTS),
    "out-of-pids": script(
        r"could not start a process or thread: the limit of their number", "workers.py", FORKS, change=_pids(12)
    ),
    "certificate": script(r"did not find the certificate or key /etc/ssl/private/company-ca\.pem", "client.py", TLS),
    "time-zone": script(r"did not find the time zone /usr/share/zoneinfo/Europe/Atlantis", "zone.py", ZONE),
    "locale": script(r"did not find the locale de_DE\.UTF-8", "speaker.py", LOCALE),
    "child-failed": Death(
        r"cat could not open /etc/shop/migrations\.sql: it does not exist\. It ended with 1, but sh went on, and ended with 0",
        ("/bin/sh", "-c", "cat /etc/shop/migrations.sql; echo done; exit 0"),
    ),
    "status-of-a-child": Death(
        r"sh passed on the status of its child `grep -q needle /etc/hosts`, which ended with 1",
        ("/bin/sh", "-ec", "grep -q needle /etc/hosts; echo never"),
    ),
    "time-limit": Death(
        r"sleep was ended by SIGTERM from timeout \(pid \d+, in the container\)", ("timeout", "2", "sleep", "100")
    ),
    "crash-of-a-worker": python(
        r"python3 crashed \(SIGSEGV\): .* reading at address 0x8 .* by the instruction at 0x\w+ \(/\S+libc\S*\+0x\w+\)",
        WORKER,
    ),
    "directory-missing": Death(
        r"sh could not create /nowhere/file: its directory does not exist", ("/bin/sh", "-ec", "echo x > /nowhere/file")
    ),
    "not-in-path": python(
        r"The program ffmpeg \(looked for in \d directories\) does not exist",
        "import subprocess; subprocess.run(['ffmpeg'])",
    ),
    "daemon": script(r"python3, the container's first process, ended with 0 while .* still ran", "daemon.py", DAEMON),
    "healthy": script("", "job.py", HEALTHY),
    "healthy-shell": Death("", ("/bin/sh", "-c", "ls /usr | wc -l; test -e /etc/nothing || echo none")),
    "not-known": python("", "import sys; sys.exit(7)"),
}
