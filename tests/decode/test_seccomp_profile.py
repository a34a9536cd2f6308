# SPDX-License-Identifier: Apache-2.0
"""A seccomp profile allows what traces called, refuses the rest, and says what it does not know."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import re
from dataclasses import replace

import pytest
from ringwriter import RingWriter

from traceloop_decode.seccomp_profile import ARCHITECTURES, NoTotalsError, seccomp_profile
from traceloop_decode.snapshot import Snapshot
from traceloop_decode.syscalls import ABIS
from traceloop_decode.totals import Total, Totals

READ, MKDIR, SOCKET, EXECVE, CLONE3 = 0, 83, 41, 59, 435
COMPAT_SOCKETCALL = 102
ENOSYS = 38
LIBSECCOMP_LAST = 450
"""The last call that libseccomp 2.5.4 knows: set_mempolicy_home_node."""
Counts = dict[int, tuple[int, int]]


def trace(
    native: Counts, compat: Counts | None = None, ring: RingWriter | None = None, arch: str = "x86_64"
) -> Snapshot:
    counts = [{nr: Total(*its) for nr, its in (table or {}).items()} for table in (native, compat)]
    snapshot = (ring or RingWriter()).snapshot()
    return replace(snapshot, arch=arch, totals=Totals(counts[0], counts[1], 0, 0))


def allowed(*snapshots: Snapshot) -> set[str]:
    made = json.loads(seccomp_profile([(f"t{n}", one) for n, one in enumerate(snapshots)]).text)
    return {name for rule in made["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def test_what_was_called_is_allowed_and_the_rest_refused() -> None:
    made = json.loads(seccomp_profile([("web", trace({READ: (5, 0), MKDIR: (2, 2), EXECVE: (1, 0)}))]).text)
    assert (made["defaultAction"], made["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    assert made["architectures"] == ["SCMP_ARCH_X86_64"]
    (rule,) = made["syscalls"]
    assert rule["names"] == sorted(rule["names"])
    assert {"read", "mkdir", "execve"} <= set(rule["names"])
    assert not {"socket", "ptrace", "mount"} & set(rule["names"])


def test_several_traces_add_up() -> None:
    one, other = trace({READ: (5, 0)}), trace({SOCKET: (1, 0)})
    assert allowed(one, other) == allowed(one) | allowed(other) > allowed(one)


def test_calls_of_32_bit_programs_bring_their_architecture() -> None:
    snapshot = trace({READ: (1, 0)}, {COMPAT_SOCKETCALL: (3, 0)})
    made = json.loads(seccomp_profile([("web", snapshot)]).text)
    assert made["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert "socketcall" in allowed(snapshot)
    assert not [note for note in seccomp_profile([("web", snapshot)]).notes if "32-bit" in note]


def test_a_call_that_seccomp_always_refused_stays_refused_with_its_error() -> None:
    ring = RingWriter()
    ring.enter(0, 7, READ, 3, 64, 8)
    ring.exit(0, 7, READ, 8)
    ring.exit(0, 7, CLONE3, -ENOSYS, 64, 88)
    ring.exit(0, 7, MKDIR, -1, 64, 88)
    profile = seccomp_profile([("web", trace({CLONE3: (1, 1), MKDIR: (4, 3)}, ring=ring))])
    made = json.loads(profile.text)
    assert made["syscalls"][1:] == [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}]
    assert "mkdir" in made["syscalls"][0]["names"]
    assert "clone3" not in made["syscalls"][0]["names"]
    assert "seccomp: refused as the traces' own profile refused them: clone3" in profile.notes
    both = json.loads(seccomp_profile([("a", trace({CLONE3: (1, 1)}, ring=ring)), ("b", trace({CLONE3: (1, 0)}))]).text)
    assert len(both["syscalls"]) == 1
    assert "clone3" in both["syscalls"][0]["names"]


def test_the_notes_say_what_is_not_known() -> None:
    notes = "\n".join(seccomp_profile([("web", trace({READ: (1, 0), 500: (2, 2), 511: (1, 1)}))]).notes)
    assert "allows what 1 trace called: web" in notes
    assert "web: no execve was seen" in notes
    assert "web: no call of a 32-bit program was seen" in notes
    assert "web: 2 numbers without a name" in notes
    assert "never seen: any call of %clock, %creds, %ipc, %network" in notes


def test_a_trace_that_was_not_counted_is_refused() -> None:
    with pytest.raises(NoTotalsError, match=r"^old: recorded by a version that did not count all calls"):
        seccomp_profile([("old", RingWriter().snapshot())])


def test_every_name_is_one_that_libseccomp_knows() -> None:
    """A runtime ignores a name that it does not know, so the call would be refused."""
    found = ctypes.util.find_library("seccomp")
    if found is None:
        pytest.skip("libseccomp is not installed")
    resolve = ctypes.CDLL(found).seccomp_syscall_resolve_name
    tables = {abi: {nr: call.name for nr, call in abi.table().items() if call.known} for abi in ABIS}
    later = re.compile(r"uprobe|uretprobe")  # and numbers above: newer than libseccomp 2.5.4
    unknown = {
        name
        for names in tables.values()
        for number, name in names.items()
        if number <= LIBSECCOMP_LAST and not later.fullmatch(name) and resolve(name.encode()) == -1
    }
    assert not unknown
    assert set(ARCHITECTURES) == {abi.arch for abi in ABIS}
