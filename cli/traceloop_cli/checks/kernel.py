# SPDX-License-Identifier: Apache-2.0
"""Requirements of the kernel: its architecture and version, BTF, lockdown mode, cgroup2, and tracefs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from traceloop_cli.checks.model import Machine
from traceloop_cli.findings import Finding, Level
from traceloop_decode.mountinfo import mounts
from traceloop_decode.syscalls import ABIS

FLOOR: Final = (5, 15)
BTF: Final = "/sys/kernel/btf/vmlinux"
TRACEFS: Final = "/sys/kernel/tracing"
_BTF_MAGICS: Final = (b"\x9f\xeb", b"\xeb\x9f")  # linux/btf.h
_LOCKDOWN: Final = "/sys/kernel/security/lockdown"


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields findings about each of these requirements."""
    yield from _architecture(machine)
    yield from _version(machine)
    yield from _btf(machine)
    yield from _lockdown(machine)
    yield from _cgroups(machine)
    yield from _tracefs(machine)


def cgroup_mount(machine: Machine) -> Path | None:
    """Returns where the root of cgroup2 is mounted, None if it is not (proc_pid_mountinfo(5))."""
    return next(_mounts(machine, "cgroup2"), None)


def _mounts(machine: Machine, kind: str) -> Iterator[Path]:
    for mount in mounts(machine.text("/proc/self/mountinfo")):
        if mount.kind == kind and mount.root == "/":
            yield Path(mount.point)


_PROVEN: Final = {
    "x86_64": ", on which all tests run",
    "aarch64": ", on which two demos and a few tests have run, in an emulated machine",
}


def _architecture(machine: Machine) -> Iterator[Finding]:
    known = sorted({abi.arch for abi in ABIS})
    if machine.architecture in known:
        proven = _PROVEN.get(machine.architecture, "")
        yield Finding("kernel", Level.OK, f"the architecture is {machine.architecture}{proven}")
        return
    why = "the recorder does not know where this architecture has a system call's arguments"
    remedy = f"record on {' or '.join(known)}; traces from there can be read on any machine"
    yield Finding("kernel", Level.ERROR, f"the architecture is {machine.architecture}", why, remedy)


def _version(machine: Machine) -> Iterator[Finding]:
    found = re.match(r"(\d+)\.(\d+)", machine.release)
    floor = ".".join(map(str, FLOOR))
    if found is None or (int(found[1]), int(found[2])) >= FLOOR:
        yield Finding("kernel", Level.OK, f"Linux {machine.release}")
        return
    why = f"the recorder uses BPF features that kernels before {floor} lack"
    remedy = f"install and boot Linux {floor} or later"
    yield Finding("kernel", Level.ERROR, f"Linux {machine.release} is too old", why, remedy)


def _btf(machine: Machine) -> Iterator[Finding]:
    why = "the recorder finds the fields of kernel structures by BTF"
    try:
        with machine.host.path(BTF).open("rb") as file:
            magic = file.read(2)
    except FileNotFoundError:
        remedy = "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, such as the distribution's own"
        yield Finding("kernel", Level.ERROR, f"there is no {BTF}", why, remedy)
    except OSError as error:
        level = Level.ERROR if machine.is_root else Level.UNKNOWN
        yield Finding("kernel", level, f"{BTF} cannot be read: {error.strerror}", why, "run this as root")
    else:
        if magic in _BTF_MAGICS:
            yield Finding("kernel", Level.OK, f"{BTF} holds BTF")
        else:
            yield Finding("kernel", Level.ERROR, f"{BTF} does not hold BTF", why, "boot another kernel")


def _lockdown(machine: Machine) -> Iterator[Finding]:
    if "[confidentiality]" in machine.text(_LOCKDOWN):
        why = "in this mode the kernel does not let BPF programs read its memory"
        remedy = "boot with lockdown=integrity, or without lockdown"
        yield Finding("kernel", Level.ERROR, "kernel lockdown is in confidentiality mode", why, remedy)


def _cgroups(machine: Machine) -> Iterator[Finding]:
    mount = cgroup_mount(machine)
    if mount is None:
        yield Finding(
            "cgroups",
            Level.ERROR,
            "no cgroup2 file system is mounted",
            "the recorder identifies containers by their cgroups of version 2",
            "boot with systemd.unified_cgroup_hierarchy=1, or: "
            "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
        return
    others = next(_mounts(machine, "cgroup"), None)
    layout = "hybrid: version 2 beside version 1" if others else "version 2"
    if not re.search(r"^0::", machine.text("/proc/self/cgroup"), re.MULTILINE):
        why = "no container is in a cgroup of version 2 either, so none can be recorded"
        remedy = "boot with systemd.unified_cgroup_hierarchy=1"
        yield Finding("cgroups", Level.ERROR, "processes are in no cgroup of version 2", why, remedy)
        return
    yield Finding("cgroups", Level.OK, f"{layout}, at {mount}")


def _tracefs(machine: Machine) -> Iterator[Finding]:
    if Path(TRACEFS) in _mounts(machine, "tracefs"):
        yield Finding("kernel", Level.OK, f"tracefs is mounted at {TRACEFS}")
        return
    why = "system calls newer than this version of traceloop are shown by number; everything else works"
    yield Finding(
        "kernel",
        Level.WARNING,
        f"tracefs is not mounted at {TRACEFS}",
        why,
        f"mount -t tracefs tracefs {TRACEFS} && systemctl restart traceloopd",
    )
