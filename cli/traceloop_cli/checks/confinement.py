# SPDX-License-Identifier: Apache-2.0
"""SELinux and AppArmor: whether they are enforcing, and whether they denied engines, hook or daemon anything.

A hook runs in its engine's domain or profile. The program that is denied something sees an ordinary failure; only the
kernel's log names the cause. The log's format: ausearch(8) and selinux-notebook, "Auditing Events"; AppArmor's wiki,
"AppArmor Failures". Only lines since the last boot count, as far as the logs still hold them.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from traceloop_cli.checks.model import Machine
from traceloop_cli.errors import Failed
from traceloop_cli.findings import Finding, Level

_AREA: Final = "confinement"
_AUDIT_LOG: Final = Path(
    "/var/log/audit/audit.log"
)  # written by auditd; without auditd, denials are in the kernel's log
_AUDIT_LOG_MAX_BYTES: Final = 8 << 20
_JOURNAL_MAX_LINES: Final = 20_000
_SHOWN_MAX: Final = 5
_OURS: Final = re.compile(r'comm="traceloop|[/"]traceloop(?:-hook|-runtime|-add-hooks|d)?[/"]|hooks\.d/traceloop-')
_TIME: Final = re.compile(r"\baudit\((\d+)\.\d+:\d+\)")
_UNRECORDED: Final = "the containers affected still start, but are not recorded"


@dataclass(frozen=True, slots=True)
class _Guard:
    name: str
    mark: re.Pattern[str]
    look: str  # the command that shows its denials


_SELINUX: Final = _Guard("SELinux", re.compile(r"\bavc:\s+denied\b"), "ausearch -m avc -ts boot | grep traceloop")
_APPARMOR: Final = _Guard("AppArmor", re.compile(r'\bapparmor="DENIED"'), "journalctl -k | grep apparmor")


def findings(machine: Machine) -> Iterator[Finding]:
    """Yields the denials found for each security module that is enforcing."""
    guards = [guard for guard, at_work in _at_work(machine) if at_work]
    if not guards:
        yield Finding(_AREA, Level.OK, "neither SELinux nor AppArmor is enforcing")
        return
    try:
        lines = [*_kernel_log(machine), *_audit_log(machine)]
    except (Failed, OSError) as error:
        names = " and ".join(guard.name for guard in guards)
        look = "; ".join(guard.look for guard in guards)
        yield Finding(_AREA, Level.UNKNOWN, f"{names}: the log of denials cannot be read ({error})", "", look)
        return
    for guard in guards:
        denied = Counter(_described(line) for line in lines if guard.mark.search(line) and _OURS.search(line))
        for (what, remedy), count in denied.most_common(_SHOWN_MAX):
            times = f", {count} times" if count > 1 else ""
            yield Finding(
                _AREA, Level.WARNING, f"{guard.name} denied {what}{times}", _UNRECORDED, f"{remedy}; see {guard.look}"
            )
        if not denied:
            what = f"{guard.name} is enforcing, and has denied traceloop nothing since boot ({guard.look})"
            yield Finding(_AREA, Level.OK, what)


def _at_work(machine: Machine) -> Iterator[tuple[_Guard, bool]]:
    yield _SELINUX, machine.text("/sys/fs/selinux/enforce").strip() == "1"
    yield _APPARMOR, machine.text("/sys/module/apparmor/parameters/enabled").strip() == "Y"


def _kernel_log(machine: Machine) -> list[str]:
    # journald keeps the log longer, and also stores audit messages where no auditd runs.
    if not machine.is_root:
        raise Failed("only root can read it")
    journalctl, dmesg = machine.host.program("journalctl"), machine.host.program("dmesg")
    if journalctl is not None and machine.has_systemd:
        words = ("--boot", "--no-pager", "--output=cat", f"--lines={_JOURNAL_MAX_LINES}")
        return machine.host.run(journalctl, *words, "_TRANSPORT=kernel", "+", "_TRANSPORT=audit").splitlines()
    return machine.host.run(dmesg).splitlines() if dmesg is not None else []


def _audit_log(machine: Machine) -> Iterator[str]:
    try:
        with machine.host.path(_AUDIT_LOG).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _AUDIT_LOG_MAX_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return
    booted = re.search(r"^btime (\d+)$", machine.text("/proc/stat"), re.MULTILINE)
    since_s = int(booted[1]) if booted else 0
    for line in text.splitlines():
        when = _TIME.search(line)
        if when and int(when[1]) >= since_s:
            yield line


def _described(line: str) -> tuple[str, str]:
    # Returns what was denied to which program, and the remedy.
    said = dict(re.findall(r'(\w+)="?([^"\s]*)"?', line))
    thing = said.get("path") or said.get("name") or "?"
    if _APPARMOR.mark.search(line):
        profile = said.get("profile", "?")
        rule = f"{thing} {said.get('denied_mask', 'rw')}," if thing.startswith("/") else said.get("operation", "?")
        if "family" in said:  # without Ubuntu's mediation of Unix sockets, the family alone decides
            thing = f"a {said['family']} socket"
            rule = f"network {said['family']} {said.get('sock_type', '')}".rstrip() + ","
        what = f"{said.get('operation', '?')} of {thing} to {said.get('comm', '?')}, under the profile {profile}"
        return what, f"add `{rule}` to that profile (below /etc/apparmor.d), then systemctl reload apparmor"
    rights = re.search(r"denied\s+(\{[^}]*\})", line)
    what = (
        f"{rights[1] if rights else '?'} of {thing} ({said.get('tclass', '?')}) to {said.get('comm', '?')}: "
        f"{said.get('scontext', '?')} is not allowed this on {said.get('tcontext', '?')}"
    )
    return what, "restorecon -R /run/traceloop /usr/libexec/oci/hooks.d; otherwise make a policy module by audit2allow"
