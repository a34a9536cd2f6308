# SPDX-License-Identifier: Apache-2.0
"""The arguments of an execve that succeeded, derived from the memory of the new program."""

from __future__ import annotations

import pytest
from recorded_cgroups import returned
from ringwriter import RingWriter, item

from traceloop_decode import layout
from traceloop_decode.events import events
from traceloop_decode.model import Call

EXECVE, EXECVEAT = 59, 322
STRING, BUFFER, ARGV = layout.KIND_STRING, layout.KIND_BUFFER, layout.KIND_ARGV
FAULT, OUT = layout.ITEM_FAULT, layout.ITEM_OUT
AT_FDCWD = -100 & 0xFFFF_FFFF


def list_of(arg: int, *strings: bytes | None) -> bytes:
    """The items of an argv at entry. None: a string that could not be read."""
    parts = [
        item(arg, STRING, string or b"", sub=n, flags=FAULT if string is None else 0)
        for n, string in enumerate(strings)
    ]
    return b"".join(parts) + item(arg, ARGV, b"", size=len(strings), sub=len(strings))


def execveat(directory: int, name: bytes, argv: bytes, *given: bytes | None) -> Call:
    """An execveat whose name and `given` could not be read (None), and where the new program found these."""
    ring = RingWriter()
    begun = item(1, STRING | FAULT, b"") + list_of(2, *given)
    ring.enter(0, 7, EXECVEAT, directory, 4096, 8192, 0, 0, items=begun)
    ring.exit(0, 7, EXECVE, 0, items=item(0, STRING | OUT, name) + item(1, BUFFER | OUT, argv))
    (call,) = returned(events(ring.snapshot()))
    return call


def shown(call: Call, arg: int) -> list[bytes | None]:
    """The strings of an argument."""
    return [None if found.fault else found.data for found in call.args[arg].items if found.kind == STRING]


@pytest.mark.parametrize(
    ("directory", "found", "given"),
    [
        (AT_FDCWD, b"/bin/true", b"/bin/true"),
        (AT_FDCWD, b"/dev/fd/3/true", b"/dev/fd/3/true"),
        (3, b"/dev/fd/3/true", b"true"),
        (3, b"/dev/fd/3", b""),
        (3, b"/dev/fd/30/true", b"/dev/fd/30/true"),
        (3, b"/bin/true", b"/bin/true"),
    ],
)
def test_execveat(directory: int, found: bytes, given: bytes) -> None:
    """The exit of execveat has execve's number, and so the arguments one place earlier."""
    call = execveat(directory, found, b"argv0\0-c\0hello\0", None, None, None)
    assert (call.name, call.result, shown(call, 1)) == ("execveat", 0, [given])
    assert shown(call, 2) == [b"argv0", b"-c", b"hello"]


def test_execveat_that_could_be_read() -> None:
    call = execveat(AT_FDCWD, b"/bin/true", b"argv0\0", b"argv0")
    assert shown(call, 2) == [b"argv0"]


@pytest.mark.parametrize("argument", [b"", b"-x\0"])
def test_a_script(argument: bytes) -> None:
    """The interpreter is not what the call was given."""
    argv = b"/bin/sh\0" + argument + b"/script\0one\0two\0"
    assert shown(execveat(AT_FDCWD, b"/script", argv, None, None, None), 2) == [None, b"one", b"two"]
    assert shown(execveat(AT_FDCWD, b"/script", argv, b"name", None, b"two"), 2) == [b"name", b"one", b"two"]


def test_a_script_whose_argv_could_not_be_read_at_all() -> None:
    ring = RingWriter()
    ring.enter(0, 7, EXECVE, 4096, 8192, 0, items=item(0, STRING | FAULT, b"") + item(1, ARGV | FAULT, b""))
    found = item(0, STRING | OUT, b"/script") + item(1, BUFFER | OUT, b"/bin/sh\0/script\0one\0")
    ring.exit(0, 7, EXECVE, 0, items=found)
    (call,) = returned(events(ring.snapshot()))
    assert (shown(call, 0), shown(call, 1)) == ([b"/script"], [None, b"one"])
