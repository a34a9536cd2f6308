# SPDX-License-Identifier: Apache-2.0
"""The objects of jsonl follow the schema in docs/jsonl.md."""

from __future__ import annotations

import base64

from madeevents import (
    BOOT_OFFSET_NS,
    CHILD,
    EXECVE,
    FILENAME,
    POINTER,
    READ,
    STARTED_NS,
    args,
    call,
    item,
    objects,
    signal,
    string,
)

from traceloop_decode import layout
from traceloop_decode.model import Entered, Lost, Returned, TaskExit


def test_a_call_is_one_object_when_it_returned():
    entered = call("read", args(READ, 3, POINTER, 100), at_ns=1)
    whole = call("read", args(READ, 3, (POINTER, item(b"\xff\x00", out=True)), 100), 2, at_ns=1, end_ns=8, end_cpu=1)
    between = call("openat", args((("dfd", "int"), FILENAME), 2**64 - 100, (16, string("/é\x7f".encode()))), -2, tid=11)
    first, second = objects(Entered(entered), between, Returned(whole))
    assert (first["syscall"], first["tid"], first["ret"], first["errno"]) == ("openat", 11, -2, "ENOENT")
    assert first["args"] == [
        {"name": "dfd", "raw": 2**64 - 100, "value": -100, "text": "AT_FDCWD"},
        {
            "name": "filename",
            "raw": 16,
            "value": 16,
            "text": r'"/\303\251\177"',
            "data": "/é\x7f",
            "size": 4,
            "more": False,
            "fault": False,
        },
    ]
    assert first["ret_text"] == "-1 ENOENT (No such file or directory)"
    assert second == {
        "schema": 1,
        "event": "syscall",
        "ts_ns": STARTED_NS + 1,
        "time_ns": STARTED_NS + 1 + BOOT_OFFSET_NS,
        "cpu": 0,
        "pid": 10,
        "tid": 10,
        "comm": "sh",
        "syscall": "read",
        "args": [
            {"name": "fd", "raw": 3, "value": 3, "text": "3"},
            {
                "name": "buf",
                "raw": POINTER,
                "value": POINTER,
                "text": r'"\377\0"',
                "base64": base64.b64encode(b"\xff\x00").decode(),
                "size": 2,
                "more": False,
                "fault": False,
            },
            {"name": "count", "raw": 100, "value": 100, "text": "100"},
        ],
        "ret": 2,
        "errno": None,
        "ret_text": "2",
        "number": 0,
        "compat": False,
        "duration_ns": 7,
        "end_cpu": 1,
        "entry_lost": False,
    }


def test_lists_are_lists():
    ended = item(b"", layout.KIND_ARGV, sub=1, size=1, more=True)
    (made,) = objects(call("execve", args(EXECVE, 16, (32, string(b"sh"), ended), 0), 0))
    assert made["args"][1] == {
        "name": "argv",
        "raw": 32,
        "value": 32,
        "text": '["sh", ...]',
        "list": [{"data": "sh", "size": 2, "more": False, "fault": False}],
        "cut": True,
    }


def test_calls_that_never_returned_come_when_their_thread_ends_or_last():
    end = TaskExit(STARTED_NS, 0, 10, 10, "sh", 3 << 8, group_dead=True)
    stuck = call("pause", tid=12)
    made = objects(Entered(stuck), Entered(call("exit_group")), end, call("getpid", (), 1))
    assert [(one["event"], one["syscall"], one["ret"]) for one in made] == [
        ("syscall", "exit_group", None),
        ("exit", None, None),
        ("syscall", "getpid", 1),
        ("syscall", "pause", None),
    ]
    assert made[0]["duration_ns"] is None
    assert (made[1]["exit_code"], made[1]["signal"]) == (3, None)


def test_a_call_whose_return_was_lost_is_not_forgotten():
    made = objects(Entered(call("read")), Entered(call("write")), Returned(call("write", (), 1)))
    assert [(one["syscall"], one["ret"]) for one in made] == [("read", None), ("write", 1)]


def test_the_end_of_a_leader_names_the_thread_whose_execve_ended_it():
    end = TaskExit(STARTED_NS, 0, 10, 10, "sh", 0, group_dead=False, superseded_by=11)
    assert [one["superseded_by"] for one in objects(end)] == [11]


def test_every_object_has_the_same_first_keys():
    events = [
        call("getpid", (), 1),
        signal(17, CHILD),
        TaskExit(STARTED_NS, 0, 10, 11, "sh", 9, group_dead=False),
        Lost(STARTED_NS, 0, 5, 6, "overwritten"),
    ]
    made = objects(*events)
    keys = ["schema", "event", "ts_ns", "time_ns", "cpu", "pid", "tid", "comm", "syscall", "args", "ret", "errno"]
    assert all(list(one)[: len(keys)] == keys for one in made)
    assert made[1]["siginfo"] == {
        "si_signo": 17,
        "si_code": 2,
        "si_pid": 14,
        "si_uid": 0,
        "si_status": 9,
        "si_utime": 3,
        "si_stime": 4,
    }
    assert (made[2]["exit_code"], made[2]["signal"], made[2]["process"]) == (None, "SIGKILL", False)
    assert "superseded_by" not in made[2]
    assert (made[3]["events"], made[3]["records"], made[3]["reason"], made[3]["pid"]) == (5, 6, "overwritten", None)
