# SPDX-License-Identifier: Apache-2.0
"""The object of a call: the path, address, program or signal that it is about, in steady text.

The number of a descriptor says nothing when one file more was open before, so it stands for its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from traceloop_decode import layout
from traceloop_decode.comparing.steady import steady, steady_address
from traceloop_decode.descriptors.names import address
from traceloop_decode.executed import pointer_count
from traceloop_decode.model import Call, KnownFile
from traceloop_decode.signals import SIGNAL
from traceloop_decode.syscalls import EXECS

_ADDRESSES: Final = {"connect": 1, "bind": 1, "sendto": 4}  # call -> the argument that is an address
_SIGNALS: Final = {"kill": 1, "tkill": 1, "tgkill": 2, "rt_sigqueueinfo": 1, "pidfd_send_signal": 1}
_STANDARD: Final = ("stdin", "stdout", "stderr")
_INT: Final = 0xFFFFFFFF


def operand(call: Call) -> str:
    """Returns the object of a call; "" for one that has none, or none that is known."""
    if call.name in EXECS:
        path = steady(next(iter(strings(call, program_index(call))), ""))
        return " ".join([path, *(steady(word) for word in argv(call)[1:])])
    at = _ADDRESSES.get(call.name)
    if at is not None and (items := call.items.get(at)):
        return steady_address(address(items[0].data))
    if call.name in _SIGNALS and len(call.registers) > _SIGNALS[call.name]:
        number = call.registers[_SIGNALS[call.name]] & _INT
        return SIGNAL.get(number, str(number))
    paths = [steady(text) for index in sorted(call.items) for text in [*strings(call, index)][:1]]
    return " ".join(paths) if paths else _file(call)


def argv(call: Call) -> list[str]:
    """Returns the arguments of an execve's program, as far as they were recorded."""
    return [*strings(call, program_index(call) + 1)]


def variables(call: Call) -> str:
    """Returns the number of variables in an execve's environment: ``27``; ``496+`` for the counted ones of more; ""."""
    items = call.items.get(program_index(call) + 2)
    if not items or (items[0].fault and not items[0].size):
        return ""
    count, is_whole = pointer_count(items[0])
    return f"{count}{'' if is_whole else '+'}"


def program_index(call: Call) -> int:
    """Returns which argument of an execve or execveat is the program's path."""
    return 1 if call.name == "execveat" else 0


def strings(call: Call, index: int) -> Iterator[str]:
    """Yields the strings that a call was given by an argument."""
    for item in call.items.get(index, ()):
        if item.kind == layout.KIND_STRING and not item.out:
            yield item.data.decode("utf-8", "backslashreplace")


def _file(call: Call) -> str:
    syscall = call.abi.lookup(call.number)
    if syscall is None or not call.registers or call.files is None:
        return ""
    if not syscall.params or syscall.params[0].name not in ("fd", "dfd", "fildes", "epfd"):
        return ""
    number = call.registers[0] & _INT
    known = call.files.before.get(number)
    text = _text(known) if known is not None else ""
    return text or (_STANDARD[number] if number < len(_STANDARD) else "")


def _text(known: KnownFile) -> str:
    if known.socket is not None:
        return steady_address(known.socket.remote or known.socket.local) or known.socket.kind
    return steady(known.text.strip("<>"))
