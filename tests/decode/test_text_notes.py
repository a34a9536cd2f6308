# SPDX-License-Identifier: Apache-2.0
"""Events other than calls as text: signals, exits, losses."""

from __future__ import annotations

import dataclasses

import pytest
from madeevents import CHILD, STARTED_NS, call, objects, shown, siginfo, signal

from traceloop_decode.model import Fault, Ignored, Level, Lost, Sender, TaskExit
from traceloop_decode.text import classic, short, strace

CHILD_TEXT = (
    "si_code=CLD_KILLED, si_pid=14, si_uid=0, si_status=SIGKILL, si_utime=3 /* 0.03 s */, si_stime=4 /* 0.04 s */"
)


@pytest.mark.parametrize(
    ("number", "info", "text"),
    [
        (17, CHILD, f"SIGCHLD {{si_signo=SIGCHLD, {CHILD_TEXT}}}"),
        (15, siginfo("iI", 15, 0, 0, 42, 1), "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=42, si_uid=1}"),
        (15, siginfo("iI", 15, 0, -6, 42, 1), "SIGTERM {si_signo=SIGTERM, si_code=SI_TKILL, si_pid=42, si_uid=1}"),
        (17, siginfo("iI", 17, 0, 0, 42, 1), "SIGCHLD {si_signo=SIGCHLD, si_code=SI_USER, si_pid=42, si_uid=1}"),
        (
            34,
            siginfo("iIq", 34, 0, -1, 42, 1, -7),
            "SIGRT_2 {si_signo=SIGRT_2, si_code=SI_QUEUE, si_pid=42, si_uid=1, si_int=-7, si_ptr=0xfffffffffffffff9}",
        ),
        (11, siginfo("Q", 11, 0, 1, 0x1234), "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x1234}"),
        (6, siginfo("", 6, 0, 128), "SIGABRT {si_signo=SIGABRT, si_code=SI_KERNEL}"),
        (
            31,
            siginfo("QiI", 31, 0, 1, 0, 59, 3),
            (
                "SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=NULL, si_syscall=59, "
                "si_arch=0x3 /* AUDIT_ARCH_??? */}"
            ),
        ),
        (9, bytes(48), "SIGKILL"),
        (9, b"", "SIGKILL"),
        (200, bytes(48), "200"),
    ],
)
def test_a_signal_names_its_sender(number, info, text):
    for module in (classic, short):
        assert shown(module, signal(number, info)) == [f"00:00.000000000 cpu#1 pid 11 [sh] --- {text} ---"]


def test_a_signal_that_was_ignored():
    info = siginfo("iI", 15, 0, 0, 0, 0)
    ignored = Ignored(STARTED_NS, 1, 7, 11, "sh", 15, info, Sender(4711, "containerd-shim"))
    said = "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=0, si_uid=0} ignored, sent by pid 4711 [containerd-shim]"
    for module in (classic, short):
        assert shown(module, ignored) == [f"00:00.000000000 cpu#1 pid 11 [sh] /* {said} */"]
    assert shown(strace, ignored) == [f"11    /* {said} */"]
    (made,) = objects(ignored)
    assert (made["event"], made["signal"], made["sender"]["comm"]) == ("ignored", "SIGTERM", "containerd-shim")


def test_a_signal_has_what_is_known_of_it():
    killed, mib = signal(9, siginfo("", 9, 0, 0x80)), 1 << 20
    for levels, said in (
        ((Level(29 * mib + mib // 2, 30 * mib), Level(mib, None)), "out of memory: 29.5 MiB of 30.0 MiB"),
        ((Level(mib, None), Level(2 * mib, 64 * mib)), "out of memory: the node's"),
    ):
        (line,) = shown(short, dataclasses.replace(killed, memory=levels))
        assert line.endswith(f"--- SIGKILL {{si_signo=SIGKILL, si_code=SI_KERNEL}} --- {said}")
    fault = Fault(0x401136, 0x7FFE0000, 14, 4, (0x401000, 0x402000), ())
    (line,) = shown(short, dataclasses.replace(signal(11, siginfo("Q", 11, 0, 1, 0x40)), fault=fault))
    assert line.endswith("si_addr=0x40} --- at 0x401136")


def test_a_fatal_signal_names_its_sender_on_the_node():
    info = siginfo("iI", 9, 0, 0, 0, 0)
    killed = dataclasses.replace(signal(9, info), sender=Sender(4711, "runc"))
    for module in (classic, short):
        (line,) = shown(module, killed)
        assert line.endswith(
            "--- SIGKILL {si_signo=SIGKILL, si_code=SI_USER, si_pid=0, si_uid=0} --- sent by pid 4711 [runc]"
        )
    (made,) = objects(killed)
    assert made["sender"] == {"pid": 4711, "comm": "runc"}
    assert objects(signal(9, info))[0]["sender"] is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1 << 8, "exited with 1"),
        (255 << 8, "exited with 255"),
        (9, "killed by SIGKILL"),
        (11 | 0x80, "killed by SIGSEGV (core dumped)"),
    ],
)
def test_an_exit_says_how(code, text):
    end = TaskExit(STARTED_NS, 0, 10, 11, "sh", code, group_dead=True)
    assert shown(short, end) == [f"00:00.000000000 cpu#0 pid 11 [sh] +++ {text} +++"]


def test_losses_are_shown_in_their_place_with_their_remedy():
    one = call("getpid", (), 1)
    lines = shown(short, one, Lost(STARTED_NS + 5, 1, 1234, 2000, "overwritten"), one)
    assert lines[1] == (
        "00:00.000000005 cpu#1 --- 1,234 earlier events of cpu#1 were overwritten: "
        "a larger ring keeps more (ring.size in traceloop.toml) ---"
    )
    (rejected,) = shown(classic, Lost(STARTED_NS, 0, 1, 1, "rejected"))
    assert "--- 1 event of cpu#0 was rejected" in rejected
    (returns,) = shown(classic, Lost(STARTED_NS, 0, 0, 3, "dropped"))
    assert "--- 3 returns of cpu#0 were not recorded" in returns
